from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from mfx.data.download import split_checksum
from mfx.data.grouplens import GroupLens
from mfx.data.movielens_demo import MovieLensDemo
from mfx.data.synthetic import Synthetic
from mfx.data.table import Table

CONF = Path(__file__).parents[2] / "conf"
NAMES = sorted(path.stem for path in (CONF / "dataset").glob("ml_*.yaml"))


@pytest.fixture
def grouplens_in_store():
    store = ConfigStore.instance()
    before = dict(store.repo.get("dataset", {}))
    store.store(group="dataset", name="grouplens", node=GroupLens)
    yield
    store.repo["dataset"] = before


def test_all_sizes_are_there():
    assert sorted(f"ml_{size}" for size in ("latest_small", "100k", "1m", "10m", "20m", "25m", "32m")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_preset_composes_to_a_component(name, grouplens_in_store):
    with initialize_config_dir(str(CONF), version_base=None):
        settings = OmegaConf.to_container(compose(f"dataset/{name}"), resolve=True)["dataset"]
    data = GroupLens(**{key: value for key, value in settings.items() if key != "name"})
    assert data.label == name
    assert data.url == f"https://files.grouplens.org/datasets/movielens/{name.replace('_', '-')}.zip"
    assert (data.rating_min, data.rating_max) == (1.0 if name in ("ml_100k", "ml_1m") else 0.5, 5.0)
    assert "Harper" in data.describe()["citation"]
    if name == "ml_latest_small":
        assert data.checksum is None
    else:
        assert split_checksum(data.checksum)[0] == "md5"


@pytest.mark.parametrize("component", [GroupLens, MovieLensDemo, Synthetic, Table])
def test_settings_survive_a_typed_configuration(component):
    node = OmegaConf.to_container(OmegaConf.structured(component))
    assert node == component().settings()
    component(**node)
