"""The splitters of MFX, tested by the suites that authors of plugins use."""

import pytest

from mfx.split.cold_items import ColdItemsSplit
from mfx.split.global_temporal import GlobalTemporalSplit
from mfx.split.item_stratified import ItemStratifiedSplit
from mfx.split.kfold import KFold
from mfx.split.leave_last_out import LeaveLastOut
from mfx.split.random import RandomSplit
from mfx.split.temporal import TemporalSplit
from mfx.testing import SplitContract


class TestRandom(SplitContract):
    @pytest.fixture(params=[0.1, 0.0], ids=["valid", "no valid"])
    def component(self, request):
        return RandomSplit(valid_fraction=request.param)


class TestItemStratified(SplitContract):
    @pytest.fixture
    def component(self):
        return ItemStratifiedSplit()


class TestKFold(SplitContract):
    @pytest.fixture
    def component(self):
        return KFold(fold=2)


class TestColdItems(SplitContract):
    @pytest.fixture
    def component(self):
        return ColdItemsSplit()


class TestTemporal(SplitContract):
    leak_free = "user"

    @pytest.fixture
    def component(self):
        return TemporalSplit()


class TestLeaveLastOut(SplitContract):
    leak_free = "user"

    @pytest.fixture(params=[1, 0], ids=["valid", "no valid"])
    def component(self, request):
        return LeaveLastOut(valid_count=request.param)


class TestGlobalTemporal(SplitContract):
    leak_free = "global"

    @pytest.fixture
    def component(self):
        return GlobalTemporalSplit()
