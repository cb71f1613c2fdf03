"""The laws of each kind."""

import json

import pytest
from mfx_example.components import Clubs, HitShare, Latest, Lines
from mfx_example.crowd import Crowd

from mfx.testing import DatasetContract, MetricContract, SplitContract, TrackerContract


class TestClubs(DatasetContract):
    @pytest.fixture
    def component(self):
        return Clubs(members=40)


class TestCrowd(DatasetContract):
    @pytest.fixture
    def component(self):
        return Crowd(people=20)


class TestLatest(SplitContract):
    moved_by_one = 20  # a moment may hold some ratings

    @pytest.fixture
    def component(self):
        return Latest(share=0.5)


class TestHitShare(MetricContract):
    @pytest.fixture
    def component(self):
        return HitShare(k=3)


class TestLines(TrackerContract):
    @pytest.fixture
    def component(self):
        return Lines(together=10)

    def recorded(self, component, run):
        found = {}
        for line in run.path.read_text().splitlines():
            found |= json.loads(line).get("metrics", {})
        return found
