import pytest

from mfx.errors import DataError
from mfx.figures.comparison import Interval, gaps, intervals, list_curves
from mfx.figures.curves import descent_curve, dynamics

ABOUT = {"title": "t", "caption": "Some data, some split."}
STEPS = {"items": [9.0, 6.0, 5.0], "genres": [8.9, 5.9, 4.9], "users": [7.0, 5.5, 4.8]}


def caption(figure):
    return " ".join(text.get_text().replace("\n", " ") for text in figure.texts)


def test_half_steps_are_drawn_in_the_order_in_which_they_were_made():
    figure = descent_curve(STEPS, **ABOUT)
    line = figure.axes[0].lines[0]
    assert list(line.get_ydata()) == [9.0, 8.9, 7.0, 6.0, 5.9, 5.5, 5.0, 4.9, 4.8]
    assert line.get_xdata()[-1] == 3
    assert "The objective falls at each of 8 half-steps." in caption(figure)


def test_a_rise_is_told():
    figure = descent_curve({"items": [9.0, 8.5], "users": [8.0, 8.4]}, **ABOUT)
    assert "The objective rises at 1 of 3 half-steps." in caption(figure)
    with pytest.raises(DataError, match="different numbers of epochs"):
        descent_curve({"items": [9.0], "users": [8.0, 8.4]}, **ABOUT)


def test_dynamics_have_a_panel_each_and_the_marks_in_the_last():
    curves = {"train": [1.0, 0.9, 0.8], "valid": [1.1, 1.0, 1.05]}
    figure = dynamics(STEPS, curves, metric="rmse", chosen=2, test=1.02, **ABOUT)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["Objective on train", "RMSE on train", "RMSE on valid"]
    legend = [text.get_text() for text in figure.axes[2].get_legend().get_texts()]
    assert legend == ["valid", "chosen epoch: 2", "test, once at the end: 1.0200"]


def test_differences_stand_in_their_rows_filled_where_certain():
    found = [
        Interval("all of test (9)", "als", -0.2, -0.3, -0.1, True),
        Interval("cold items (2)", "als", 0.1, float("nan"), float("nan"), False),
        Interval("all of test (9)", "bpr", 0.0, -0.1, 0.1, False),
    ]
    figure = intervals(found, metric="rmse", against="bias", higher_is_better=False, **ABOUT)
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["all of test (9)", "cold items (2)"]
    assert axes.get_xlabel() == "rmse less that of bias (rating points); left is better"
    marks = {float(line.get_xdata()[0]): line for line in axes.lines if len(line.get_xdata()) == 1}
    assert marks[-0.2].get_markerfacecolor() != "white"
    assert marks[0.1].get_markerfacecolor() == "white"


def test_curves_of_lists_and_gaps():
    figure = list_curves({"als": {5: 0.2, 10: 0.1}, "bpr": {5: 0.3, 10: 0.2}}, **ABOUT)
    assert [list(line.get_ydata()) for line in figure.axes[0].lines] == [[0.2, 0.1], [0.3, 0.2]]
    curves = {name: {"train": [1.0, 0.5], "valid": [1.1, 1.2]} for name in ("factors=10", "factors=20")}
    drawn = gaps(curves, metric="rmse", **ABOUT)
    assert len(drawn.axes[0].collections) == 2
    assert drawn.axes[0].get_ylabel() == "RMSE (rating points)"


def test_nothing_and_too_much_is_refused():
    with pytest.raises(DataError):
        list_curves({}, **ABOUT)
    with pytest.raises(DataError, match="8 runs"):
        list_curves({str(n): {5: 0.1} for n in range(8)}, **ABOUT)
    with pytest.raises(DataError, match="train and valid"):
        gaps({"a": {"train": [1.0]}}, metric="rmse", **ABOUT)
