import numpy as np
import pytest

from mfx.errors import DataError
from mfx.figures import sweeps
from mfx.figures.sweeps import Tried

COMMON = {
    "metric": "rmse",
    "higher_is_better": False,
    "title": "als, temporal",
    "caption": "Some data, temporal split.",
}


def some(count=20):
    rng = np.random.default_rng(1)
    points = [
        {"model.factors": int(rng.integers(4, 64)), "model.reg": float(rng.uniform(1, 100))} for _ in range(count)
    ]
    stages = ["defaults"] + ["random"] * (count - 1)
    return [
        Tried(i, stage, 0.9 + 0.001 * abs(point["model.reg"] - 12), point)
        for i, (stage, point) in enumerate(zip(stages, points, strict=True))
    ]


def texts(figure):
    (axes, *_) = figure.axes
    legends = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    return [axes.get_xlabel(), axes.get_ylabel(), axes.get_title(loc="left"), *legends]


def star(figure):
    (line,) = [line for line in figure.axes[0].lines if line.get_marker() == "*"]
    return [float(line.get_xdata()[0]), float(line.get_ydata()[0])]


def test_the_star_is_on_the_best_and_colours_have_a_unit():
    tried = some()
    best = min(tried, key=lambda one: one.value)
    figure = sweeps.search_scatter(tried, ["model.factors", "model.reg"], logs=["model.reg"], **COMMON)
    assert star(figure) == [best.point["model.factors"], best.point["model.reg"]]
    assert texts(figure)[:3] == ["factors", "reg (log scale)", "als, temporal"]
    assert f"best: trial {best.number}, {best.value:.4f}" in texts(figure)
    assert figure.axes[1].get_ylabel() == "RMSE (rating points) on valid"
    assert figure.axes[0].get_yscale() == "log"


def test_the_best_is_the_highest_where_higher_is_better():
    tried = some()
    best = max(tried, key=lambda one: one.value)
    how = {**COMMON, "higher_is_better": True, "metric": "ndcg@10"}
    assert star(sweeps.search_scatter(tried, ["model.reg"], logs=[], **how)) == [best.point["model.reg"], best.value]
    assert star(sweeps.history(tried, **how)) == [best.number, best.value]


def test_history_never_gets_worse():
    figure = sweeps.history(some(), **COMMON)
    (steps,) = [line for line in figure.axes[0].lines if line.get_label() == "best so far"]
    assert np.all(np.diff(steps.get_ydata()) <= 0)


def test_a_cell_that_was_not_tried_says_so_and_others_show_their_value():
    axes = {"model.factors": [8, 16], "model.reg": [1.0, 2.0]}
    cells = [(8, 1.0, 0.9), (8, 2.0, 0.8), (16, 1.0, 0.85)]
    tried = [Tried(i, "grid", v, {"model.factors": k, "model.reg": r, "x": 1}) for i, (k, r, v) in enumerate(cells)]
    tried.append(Tried(9, "random", 0.1, {"model.factors": 16, "model.reg": 2.0, "x": 2}))
    figure = sweeps.grid_map(tried, ["model.factors", "model.reg"], axes, {"x": 1}, **COMMON)
    assert [text.get_text() for text in figure.axes[0].texts] == ["0.9000", "0.8000", "0.8500", "none"]


def test_importances_are_ordered():
    figure = sweeps.importance({"model.a": 0.2, "model.b": 0.7, "split.c": 0.1}, title="t", caption="c")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["split.c", "a", "b"]


def test_nothing_to_draw_is_an_error():
    with pytest.raises(DataError):
        sweeps.history([], **COMMON)
    with pytest.raises(DataError):
        sweeps.importance({}, title="t", caption="c")
