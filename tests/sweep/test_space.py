import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from mfx.errors import MFXError
from mfx.sweep import space

DEFAULTS = {
    "dataset": {"name": "toy", "users": 60},
    "split": {"name": "toy_split", "fold": 0},
    "model": {"name": "toy_model", "epochs": 12, "learning_rate": 0.02, "spoil_after": 6, "raises": False},
    "refit": True,
}


def build(*overrides, defaults=DEFAULTS):
    return space.build(OverridesParser.create().parse_overrides(list(overrides)), defaults)


@pytest.fixture(autouse=True)
def _components(toy):
    pass


def test_declared_ranges_are_searched_and_defaults_are_trial_0():
    (one,) = build()
    assert one == space.Dimension("model.learning_rate", "float", 0.001, 0.1, 0.02, log=True)


def test_a_setting_with_one_value_is_not_searched():
    names = [one.name for one in build("model.learning_rate=0.5", "model.epochs=range(2,5)")]
    assert names == ["model.epochs"]


@pytest.mark.parametrize(
    ("override", "kind", "values", "default", "log"),
    [
        ("model.epochs=range(8,65)", "int", (8, 64), 12, False),
        ("model.epochs=range(20,65)", "int", (20, 64), 20, False),
        ("model.epochs=interval(2,9)", "int", (2, 9), 9, False),
        ("model.epochs=tag(log,interval(2,50))", "int", (2, 50), 12, True),
        ("model.learning_rate=tag(log, interval(0.5,50))", "float", (0.5, 50.0), 0.5, True),
        ("split.fold=range(0,3)", "int", (0, 2), 0, False),
        ("dataset.users=choice(30,60)", "choice", ("30", "60"), "60", False),
        ("dataset.users=30,40", "choice", ("30", "40"), "30", False),
        ("refit=true,false", "choice", ("True", "False"), "True", False),
        ("split=toy_split,other", "choice", ("toy_split", "other"), "toy_split", False),
        ("model.epochs=range(1,10,4)", "int", (1, 9), 9, False),
    ],
)
def test_hydras_grammar(override, kind, values, default, log):
    found = {one.name: one for one in build(override)}[override.partition("=")[0]]
    assert (found.kind, found.default, found.log) == (kind, default, log)
    assert (found.choices if kind == "choice" else (found.low, found.high)) == values
    assert found.kind == "choice" or found.low <= found.default <= found.high


@pytest.mark.parametrize(
    ("override", "part"),
    [
        ("seed=1,2", "'seed' is not searched"),
        ("model=als,bias", "'model' is not searched"),
        ("model.epochs=tag(banana,interval(1,2))", "banana"),
        ("model.epochs=tag(log,choice(1,2))", "no log scale"),
        ("model.epochs=interval(1,2.5)", "whole numbers"),
        ("model.learning_rate=tag(log,interval(0,1))", "above 0"),
        ("model.epochs=range(5,5)", "empty"),
        ("model.epochs=shuffle(range(1,5))", "shuffle"),
        ("model.epochs=tag(log,range(1,9,2))", "steps of 1"),
        ("model.epochs=glob(*)", "cannot be searched"),
        ("model.learning_rate=interval(5,1)", "smaller number first"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_one_line(override, part):
    with pytest.raises(MFXError, match=part):
        build(override)


def test_nothing_left_to_search_is_an_error():
    with pytest.raises(MFXError, match="nothing to search"):
        build("model.learning_rate=1")


def test_values_are_written_so_that_they_come_back_the_same():
    one = space.Dimension("model.reg", "float", 1.0, 100.0, 12.0, log=True)
    for place in (0.0, 0.1, 0.33, 0.77, 1.0):
        value = one.at(place)
        assert float(one.override(value).partition("=")[2]) == value
        assert one.low <= value <= one.high
        assert one.place(value) == pytest.approx(place, abs=1e-5)
