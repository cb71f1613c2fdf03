import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from mfx.sweep.points import NARROWEST, WIDEST, grid, identity, most_important, random_points
from mfx.sweep.space import Dimension

FACTORS = Dimension("model.factors", "int", 4, 64, 13, log=True)
REG = Dimension("model.reg", "float", 1.0, 100.0, 12.0, log=True)
STEP = Dimension("model.epochs", "int", 5, 25, 10, step=5)
KIND = Dimension("split.rule", "choice", 0, 0, "a", choices=("a", "b", "c"))
SPACE = [KIND, FACTORS, REG]

dimensions = st.sampled_from([FACTORS, REG, STEP, KIND])
spaces = st.lists(dimensions, min_size=1, max_size=4, unique_by=lambda one: one.name)


@given(spaces, st.integers(0, 10**6), st.integers(1, 30), st.integers(0, 20))
def test_points_depend_on_seed_and_index_only_and_are_distinct(space, seed, count, more):
    points = random_points(space, seed, count)
    assert random_points(space, seed, count + more)[: len(points)] == points
    assert len({identity(space, point) for point in points}) == len(points)
    assert points[0] == {one.name: one.default for one in space}
    size = math.prod(one.size for one in space)
    assert len(points) == min(count + 1, size)
    for point in points:
        for one in space:
            value = point[one.name]
            if one.kind == "choice":
                assert value in one.choices
            else:
                assert one.low <= value <= one.high
            if one.kind == "int":
                assert isinstance(value, int)
                assert (value - one.low) % one.step == 0


def test_other_seeds_give_other_points():
    assert random_points(SPACE, 1, 10)[1:] != random_points(SPACE, 2, 10)[1:]


def test_a_log_scale_is_even_in_ratios():
    points = random_points([REG], 1, 4000)
    logs = np.log10([point["model.reg"] for point in points])
    assert np.histogram(logs, bins=4, range=(0, 2))[0] / len(points) == pytest.approx([0.25] * 4, abs=0.03)


def test_a_range_of_whole_numbers_is_even():
    one = Dimension("x", "int", 1, 4, 1)
    drawn = [one.draw(np.random.default_rng(i)) for i in range(4000)]
    assert np.bincount(drawn)[1:] / 4000 == pytest.approx([0.25] * 4, abs=0.03)


def lay(space, ranked, over, tried=None, points=5, at_most=25, best_few=5):
    return grid(
        space, ranked, ranked if tried is None else tried, over, points=points, at_most=at_most, best_few=best_few
    )


@settings(max_examples=50)
@given(st.integers(0, 1000), st.integers(1, 7), st.integers(1, 30))
def test_a_grid_stays_in_the_range_repeats_nothing_and_moves_two_settings(seed, count, at_most):
    tried = random_points(SPACE, seed, 20)
    ranked = tried[3:] + tried[:3]
    made = lay(SPACE, ranked, ["model.factors", "model.reg"], tried, count, at_most)
    assert len(made.points) <= at_most
    known = {identity(SPACE, point) for point in tried}
    assert not known & {identity(SPACE, point) for point in made.points}
    assert len({identity(SPACE, point) for point in made.points}) == len(made.points)
    for point in made.points:
        assert point["split.rule"] == ranked[0]["split.rule"]
        assert 4 <= point["model.factors"] <= 64
        assert 1 <= point["model.reg"] <= 100


def test_the_width_is_the_spread_of_the_best_few_within_limits():
    def width(*values):
        made = lay([REG], [{"model.reg": value} for value in values], ["model.reg"])
        return (REG.place(made.axes["model.reg"][-1]) - REG.place(made.axes["model.reg"][0])) / 2

    near = [10.0, 10 ** (1 + 0.2), 10 ** (1 - 0.2)]
    assert width(*near) == pytest.approx(0.1, abs=1e-4)
    assert width(10.0, 10.1) == pytest.approx(NARROWEST, abs=1e-4)
    assert width(10.0, 1.0, 100.0) == pytest.approx(WIDEST, abs=1e-4)


def test_a_grid_at_the_edge_is_clipped():
    made = lay([REG], [{"model.reg": 100.0}, {"model.reg": 10.0}], ["model.reg"])
    assert made.axes["model.reg"][-1] == 100.0
    assert {"model.reg": 100.0} not in made.points


def test_five_by_five_around_the_centre_leaves_24_new_points():
    ranked = [{"model.factors": 20, "model.reg": 10.0}, {"model.factors": 60, "model.reg": 30.0}]
    made = lay([FACTORS, REG], ranked, ["model.factors", "model.reg"])
    assert [len(made.axes[name]) for name in ("model.factors", "model.reg")] == [5, 5]
    assert len(made.points) == 24
    assert 20 in made.axes["model.factors"]
    assert 10.0 in made.axes["model.reg"]


@st.composite
def numbers(draw):
    """A dimension of numbers at will, and values of it that were drawn."""
    log = draw(st.booleans())
    low = draw(st.floats(1e-6, 1e3) if log else st.floats(-1e3, 1e3))
    high = low + draw(st.floats(1e-3, 1e4))
    kind = draw(st.sampled_from(["int", "float"]))
    if kind == "int":
        low, high = max(1, int(low)), max(1, int(low)) + draw(st.integers(0, 300))
    step = draw(st.integers(1, 7)) if kind == "int" and not log else 1
    one = Dimension("x", kind, low, high, 0, log=log, step=step)
    seeds = draw(st.lists(st.integers(0, 10**6), min_size=1, max_size=6))
    values = [one.draw(np.random.default_rng(seed)) for seed in seeds]
    return one, [*draw(st.lists(st.sampled_from([one.at(0.0), one.at(1.0)]), max_size=1)), *values]


@given(numbers(), st.integers(1, 9), st.integers(2, 6))
def test_the_best_point_is_a_point_of_the_grid(drawn, count, best_few):
    one, values = drawn
    made = lay([one], [{"x": value} for value in values], ["x"], points=count, best_few=best_few)
    axis = made.axes["x"]
    assert values[0] in axis
    assert axis == sorted(set(axis))
    assert len(axis) <= count
    if one.kind == "float" and one.high - one.low > 1 and 0.01 < one.place(values[0]) < 0.99:
        assert len(axis) == count, "so far apart, none rounds to another"
    assert one.low <= axis[0] <= axis[-1] <= one.high


def test_an_even_number_of_points_reaches_as_far_as_an_odd_one():
    few = [{"model.reg": 10.0}, {"model.reg": 10 ** (1 + 0.2)}]
    axes = {count: lay([REG], few, ["model.reg"], points=count).axes["model.reg"] for count in (3, 4)}
    assert axes[3] == pytest.approx([6.30957, 10.0, 15.8489])
    assert axes[4] == pytest.approx([6.30957, 7.94328, 10.0, 15.8489])


def test_the_two_most_important_settings_or_those_wanted():
    shares = {"model.factors": 0.2, "model.reg": 0.5, "split.rule": 0.3}
    assert most_important(SPACE, shares, None) == ["model.reg", "split.rule"]
    assert most_important(SPACE, shares, ["model.factors"]) == ["model.factors"]
    assert most_important(SPACE, {}, None) == ["model.factors", "model.reg"]
