import pytest

from mfx import same_inputs
from mfx.results import PARENT_FILE, STUDY_FILE
from mfx.same_inputs import InputsChanged

CONFIG = {
    "dataset": {"name": "table", "path": "a.csv"},
    "split": {"name": "random", "seed": 1},
    "model": {"name": "als"},
}
OTHER_SPLIT = CONFIG | {"split": {"name": "random", "seed": 2}}
OTHER_DATA = CONFIG | {"dataset": {"name": "table", "path": "b.csv"}}
PRINTS = {"split": "s", "rows": "r", "scale": "1 to 5", "catalogue.titles": "t"}
CODE = {"python": "3.11.7", "version.numpy": "2.0", "code.mfx": "c", "cpu": "fast"}


@pytest.fixture
def folder(tmp_path):
    """A folder whose first run is written down."""
    same_inputs.check(tmp_path, CONFIG, PRINTS, CODE)
    return tmp_path


def test_runs_with_the_same_inputs_are_compared_whatever_their_model_and_machine(folder):
    before = (folder / "inputs.json").read_bytes()
    same_inputs.check(folder, CONFIG | {"model": {"name": "bpr"}}, PRINTS, CODE | {"cpu": "slow"})
    assert (folder / "inputs.json").read_bytes() == before


def test_another_data_set_and_another_split_are_compared_with_their_own_kind(folder):
    assert not same_inputs.is_known(folder, OTHER_SPLIT)
    same_inputs.check(folder, OTHER_SPLIT, PRINTS | {"split": "t"}, CODE)
    same_inputs.check(folder, OTHER_DATA, PRINTS | {"rows": "q", "split": "u"}, CODE)
    assert same_inputs.is_known(folder, OTHER_SPLIT)
    with pytest.raises(InputsChanged, match=r"\(split\)"):
        same_inputs.check(folder, OTHER_SPLIT, PRINTS, CODE)
    with pytest.raises(InputsChanged, match=r"\(rows\)"):
        same_inputs.check(folder, OTHER_DATA, PRINTS | {"split": "u"}, CODE)


@pytest.mark.parametrize("config", [CONFIG, OTHER_SPLIT])
@pytest.mark.parametrize("changed", [{"rows": "q"}, {"catalogue.titles": "u"}, {"catalogue.item_features.genres": "g"}])
def test_changed_data_are_refused_and_named(folder, config, changed):
    with pytest.raises(InputsChanged, match=rf"The data have changed .* \({next(iter(changed))}\)"):
        same_inputs.check(folder, config, PRINTS | changed, CODE)


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"version.numpy": "2.1"}, "numpy 2.0 is now 2.1"),
        ({"python": "3.12.0"}, "python 3.11.7 is now 3.12.0"),
        ({"code.mfx": "d"}, "the code of mfx has changed"),
    ],
)
def test_other_code_is_refused_and_named(folder, changed, part):
    with pytest.raises(InputsChanged, match=part):
        same_inputs.check(folder, CONFIG, PRINTS, CODE | changed)


def test_a_plugin_that_some_runs_need_is_compared_among_those(folder):
    same_inputs.check(folder, CONFIG, PRINTS, CODE | {"code.plugin": "p"})
    same_inputs.check(folder, CONFIG, PRINTS, CODE)
    with pytest.raises(InputsChanged, match="the code of plugin has changed"):
        same_inputs.check(folder, CONFIG, PRINTS, CODE | {"code.plugin": "q"})


@pytest.mark.parametrize(("mark", "way_out"), [(STUDY_FILE, r"sweep\.study=NAME"), (PARENT_FILE, "in a new folder")])
def test_a_group_is_found_by_its_mark_and_says_the_way_out(folder, mark, way_out):
    run = folder / "trials" / "0001"
    run.mkdir(parents=True)
    assert same_inputs.folder_of(run) != folder
    (folder / mark).touch()
    assert same_inputs.folder_of(run) == folder
    with pytest.raises(InputsChanged, match=way_out):
        same_inputs.check(folder, CONFIG, PRINTS | {"rows": "q"}, CODE)
