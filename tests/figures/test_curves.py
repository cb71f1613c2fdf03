import math

import pytest

from mfx.errors import DataError
from mfx.figures import learning_curve, objective_curve
from mfx.figures.style import LINES

TRAIN = [1.0, 0.9, 0.85, 0.83]
VALID = [1.0, 0.95, 0.93, 0.94]


def draw(**changes):
    given = {"metric": "rmse", "title": "als", "caption": "demo, split=temporal", "chosen": 3, "test": 0.92}
    return learning_curve({"train": TRAIN, "valid": VALID}, **{**given, **changes})


def line(axes, label):
    return next(item for item in axes.lines if item.get_label().startswith(label))


def test_curves_lie_at_their_epochs():
    (axes,) = draw().axes
    for name, values in (("train", TRAIN), ("valid", VALID)):
        assert list(line(axes, name).get_xdata()) == [1, 2, 3, 4]
        assert list(line(axes, name).get_ydata()) == values
    assert axes.get_xlabel() == "Epoch"
    assert axes.get_ylabel() == "RMSE (rating points)"


def test_chosen_epoch_and_test_are_marked():
    (axes,) = draw().axes
    assert list(line(axes, "chosen epoch: 3").get_xdata()) == [3, 3]
    mark = line(axes, "test, once at the end: 0.9200")
    assert (list(mark.get_xdata()), list(mark.get_ydata())) == ([3], [0.92])
    (axes,) = draw(chosen=None).axes
    assert list(line(axes, "test").get_xdata()) == [4]


def test_without_test_nothing_about_test_is_drawn():
    for test in (None, math.nan):
        (axes,) = draw(test=test).axes
        assert [text.get_text() for text in axes.get_legend().get_texts()] == ["train", "valid", "chosen epoch: 3"]


@pytest.mark.parametrize(("metric", "label"), [("ndcg@10", "NDCG@10"), ("auc", "AUC"), ("mae", "MAE (rating points)")])
def test_axis_names_metric_and_unit(metric, label):
    (axes,) = draw(metric=metric).axes
    assert axes.get_ylabel() == label


def test_lines_differ_without_colour():
    assert len({(line.dash, line.marker) for line in LINES}) == len(LINES)
    assert len({line.dash for line in LINES}) == len(LINES)
    assert len({line.marker for line in LINES}) == len(LINES)


def test_lines_are_drawn_in_the_shared_style():
    (axes,) = draw().axes
    for style, name in zip(LINES, ("train", "valid"), strict=False):
        drawn = line(axes, name)
        assert (drawn.get_color(), drawn.get_marker()) == (style.colour, style.marker)


def test_title_and_caption_are_inside_the_figure():
    figure = draw(caption="A long caption. " * 40)
    figure.draw_without_rendering()
    (text,) = figure.texts
    assert text.get_text().replace("\n", " ") == ("A long caption. " * 40).strip()
    box, page = text.get_window_extent(), figure.bbox
    assert box.x0 >= 0
    assert box.x1 <= page.x1
    assert box.y0 >= 0
    (axes,) = figure.axes
    assert box.y1 <= axes.get_tightbbox().y0
    assert axes.get_title(loc="left") == "als"


def test_gaps_are_left_and_single_epochs_drawn():
    (axes,) = learning_curve({"valid": [math.nan, 0.9]}, metric="rmse", title="t", caption="").axes
    assert math.isnan(line(axes, "valid").get_ydata()[0])
    figure = learning_curve({"valid": [0.9]}, metric="rmse", title="t", caption="")
    figure.draw_without_rendering()
    assert figure.axes[0].get_legend() is None


@pytest.mark.parametrize(
    ("curves", "words"),
    [({}, "no curve"), ({"valid": []}, "'valid' has no finite value"), ({"valid": [math.nan]}, "'valid'")],
)
def test_nothing_to_draw(curves, words):
    with pytest.raises(DataError, match=words):
        learning_curve(curves, metric="rmse", title="t", caption="")
    with pytest.raises(DataError, match=words):
        objective_curve(curves, title="t", caption="")


def test_more_curves_than_styles_are_refused():
    with pytest.raises(DataError, match="8 curves"):
        objective_curve({f"{i}": [1.0] for i in range(8)}, title="t", caption="")


@pytest.mark.parametrize("chosen", [0, 5])
def test_chosen_epoch_must_exist(chosen):
    with pytest.raises(DataError, match=f"Epoch {chosen} was chosen, but the curves have epochs 1 to 4"):
        draw(chosen=chosen)


@pytest.mark.parametrize(
    ("values", "scale"), [([100.0, 4.0], "log"), ([100.0, 6.0], "linear"), ([100.0, 0.0], "linear")]
)
def test_objective_scale(values, scale):
    (axes,) = objective_curve({"objective": values}, title="t", caption="").axes
    assert axes.get_yscale() == scale
    assert axes.get_ylabel() == "Objective on train"
