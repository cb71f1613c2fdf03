"""Contract suites: the laws of each kind of component, as pytest classes that come with MFX.

Subclass the one for your kind and override the fixture `component`::

    from mfx.testing import ModelContract

    class TestMine(ModelContract):
        @pytest.fixture
        def component(self):
            return Mine(strength=2.0)

Each law is a test of its own. Capabilities are read off the component or declared as class attributes of the test
class; a law that does not apply is skipped with its reason. MFX's own components are tested by the same suites.
"""

from __future__ import annotations

from mfx.errors import MFXError

try:
    import pytest
except ImportError as _error:
    raise MFXError("mfx.testing needs pytest, which is not installed.", "Run pip install pytest.") from _error

pytest.register_assert_rewrite(
    *(
        f"mfx.testing.{name}"
        for name in ("component", "dataset", "engine", "metric", "model", "recommender", "split", "tracker")
    )
)

from mfx.testing.dataset import DatasetContract  # noqa: E402 - assertions must be rewritten before they are imported
from mfx.testing.engine import EngineContract  # noqa: E402
from mfx.testing.metric import MetricContract  # noqa: E402
from mfx.testing.model import ModelContract  # noqa: E402
from mfx.testing.samples import planted_ratings  # noqa: E402
from mfx.testing.split import SplitContract  # noqa: E402
from mfx.testing.tracker import TrackerContract  # noqa: E402

__all__ = [
    "DatasetContract",
    "EngineContract",
    "MetricContract",
    "ModelContract",
    "SplitContract",
    "TrackerContract",
    "planted_ratings",
]
