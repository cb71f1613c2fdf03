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
    moved_by_one = 2

    @pytest.fixture(params=[0.1, 0.0], ids=["valid", "no valid"])
    def component(self, request):
        return RandomSplit(valid_fraction=request.param)


class TestItemStratified(SplitContract):
    moved_by_one = 2

    @pytest.fixture
    def component(self):
        return ItemStratifiedSplit()


class TestKFold(SplitContract):
    moved_by_one = 6

    @pytest.fixture(params=[0, 2, 4])
    def component(self, request):
        return KFold(fold=request.param)


class TestColdItems(SplitContract):
    moved_by_one = 2
    moves = "items"

    @pytest.fixture
    def component(self):
        return ColdItemsSplit()


class TestTemporal(SplitContract):
    moved_by_one = 2

    @pytest.fixture
    def component(self):
        return TemporalSplit()


class TestLeaveLastOut(SplitContract):
    moved_by_one = 2

    @pytest.fixture(params=[1, 0], ids=["valid", "no valid"])
    def component(self, request):
        return LeaveLastOut(valid_count=request.param)


class TestGlobalTemporal(SplitContract):
    @pytest.fixture
    def component(self):
        return GlobalTemporalSplit()
