import numpy as np
import pytest

from mfx.errors import DataError
from mfx.figures import save
from mfx.figures.explanations import named_points, signed_bars, stacked_scores
from mfx.figures.style import shortened

TEXTS = {"title": "A title", "caption": "toy data, random split"}


def test_stacks_start_at_the_level_and_their_marks_are_at_the_score():
    parts = [("item bias", [0.5, -0.25]), ("factors", [-0.75, -0.5])]
    figure = stacked_scores(["one", "two"], 3.0, parts, axis="Score", level_name="level", **TEXTS)
    axes = figure.axes[0]
    edges = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches]
    assert edges == [(3.0, 3.5), (3.0, 2.75), (3.0, 2.25), (2.75, 2.25)]
    (marks,) = [line for line in axes.lines if line.get_marker() == "D"]
    assert marks.get_xdata().tolist() == [2.75, 2.25]
    assert len({bar.get_hatch() for bar in axes.patches}) == 2
    low, high = axes.get_xlim()
    assert low < 2.25
    assert high > 3.5
    assert [text.get_text() for text in axes.get_yticklabels()] == ["one", "two"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the best on top


def test_bars_carry_their_numbers_and_negative_ones_are_hatched():
    axes = signed_bars(["a", "b"], [0.25, -0.5], axis="Share", **TEXTS).axes[0]
    assert [text.get_text() for text in axes.texts] == ["+0.250", "-0.500"]
    hatches = {bar.get_width() > 0: bar.get_hatch() for bar in axes.patches}
    assert hatches == {True: "", False: "///"}
    assert [text.get_text() for text in signed_bars(["a"], [2.0], axis="x", **TEXTS).axes[0].texts] == ["2.000"]


def test_names_on_a_map_do_not_cover_each_other(tmp_path):
    places = np.array([[0.0, 0.0], [0.02, 0.0], [0.0, 0.02], [1.0, 1.0], [0.98, 1.0]])
    names = ["Adventure", "Animation", "Children", "Documentary", "Film-Noir"]
    figure = named_points(names, places, [5, 1, 3, 100, 2], axes_names=("x", "y"), **TEXTS)
    save(figure, tmp_path / "map.png")
    axes = figure.axes[0]
    boxes = [text.get_window_extent() for text in axes.texts]
    assert [text.get_text() for text in axes.texts] == names
    for at, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[at + 1 :])


def test_titles_are_cut_before_their_year():
    assert shortened("Short (1999)") == "Short (1999)"
    cut = shortened("A very long title of a film that goes on and on and on (1999)")
    assert len(cut) <= 42
    assert cut.endswith("… (1999)")


@pytest.mark.parametrize(
    "draw",
    [
        lambda: stacked_scores([], 0.0, [], axis="", level_name="", **TEXTS),
        lambda: signed_bars([], [], axis="", **TEXTS),
        lambda: named_points([], np.empty((0, 2)), [], axes_names=("", ""), **TEXTS),
    ],
)
def test_nothing_to_draw_is_refused(draw):
    with pytest.raises(DataError):
        draw()
