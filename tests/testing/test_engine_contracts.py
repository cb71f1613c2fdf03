"""The engines of MFX, tested by the suite that authors of plugins use; and one of a third party in a run."""

from dataclasses import dataclass

import pytest

import mfx
from mfx import compose, experiment, registry
from mfx.engine.local import LocalEngine
from mfx.engine.ray_engine import RayEngine
from mfx.testing import EngineContract


class TestLocal(EngineContract):
    @pytest.fixture
    def component(self):
        return LocalEngine()


@pytest.fixture(scope="module")
def on_ray():
    """An engine that works as long as the tests of this module, so that Ray is started once."""
    pytest.importorskip("ray", reason="engine=ray needs the package ray")
    with (engine := RayEngine(workers=2, store_gb=0.2)).working():
        yield engine


@pytest.mark.slow
class TestRay(EngineContract):
    @pytest.fixture
    def component(self, on_ray):
        return on_ray


def test_an_engine_of_a_third_party_is_chosen_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with registry.temporarily():

        @mfx.register("engine", "counting")
        @dataclass(kw_only=True)
        class Counting(LocalEngine):
            """The local engine, with a setting."""

            step: int = mfx.setting(2, ge=1)
            fits = 0

            def fit(self, model, train, on_epoch):
                type(self).fits += self.step
                return super().fit(model, train, on_epoch)

            def spent(self):
                return {"seconds/epoch_wait": 1.5}

        run = ["dataset=synthetic", "dataset.preset=tiny", "model=bias", "tracking=console", "figures=false"]
        result = mfx.run(*run, "engine=counting", "engine.step=3", "refit=false")
        assert Counting.fits == 3
        # What an epoch took is told to trackers, and no curve of the run: those can be made again.
        assert not any("epoch_wait" in name for name in result.curves)
        plan, points = compose.build(compose.compose([*run, "engine=counting", "model.epochs=2"])), []
        experiment.validate(plan, result.split, lambda number, point: points.append(point))
        assert [point["seconds/epoch_wait"] for point in points] == [1.5, 1.5]
        with pytest.raises(mfx.MFXError, match=r"engine 'counting' has no setting|stepp"):
            mfx.run(*run, "engine=counting", "engine.stepp=3")
