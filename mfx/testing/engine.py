"""Laws of engines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from mfx.errors import SplitError
from mfx.interfaces import Ratings, Split
from mfx.models.als import ALS
from mfx.models.bias import Bias
from mfx.models.bpr import BPR
from mfx.models.bulk import Wanted, fold_in
from mfx.models.genre_als import GenreALS
from mfx.testing.component import ComponentContract
from mfx.testing.samples import planted_ratings


class EngineContract(ComponentContract):
    """The laws of engines: whatever they do elsewhere, the numbers are those of a fit in one process.

    Override the fixture `component`; the suite starts and ends it with `working`.
    """

    kind: ClassVar[str] = "engine"

    @pytest.fixture
    def engine(self, component: Any) -> Iterator[Any]:
        """Return the component while it works."""
        with component.working():
            yield component

    @pytest.fixture
    def split(self) -> Split:
        """Return ratings in three parts."""
        from mfx.split.random import RandomSplit

        return RandomSplit().split(planted_ratings())

    @pytest.mark.parametrize(
        "model",
        [Bias(epochs=2), ALS(factors=4, epochs=3), GenreALS(factors=4, epochs=3), BPR(factors=4, epochs=3)],
        ids=["bias", "als", "genre_als", "bpr"],
    )
    def test_fits_come_to_the_factors_of_one_process(self, engine: Any, split: Split, model: Any) -> None:
        """`fit` returns the model, with the arrays of ``model.fit`` to 1e-5 of their size."""
        expected = replace(model).fit(split.train)
        fitted = replace(model)
        assert engine.fit(fitted, split.train, None) is fitted, "another model was returned"
        for name in model.state_names:
            one, other = np.asarray(getattr(expected, name)), np.asarray(getattr(fitted, name))
            far = np.abs(one - other).max(initial=0.0)
            assert far <= 1e-5 * np.abs(one).max(initial=0.0), f"{name} is off by {far}"

    def test_epochs_are_told_and_can_be_stopped(self, engine: Any, split: Split) -> None:
        """Each epoch is told, and a fit ends when `on_epoch` returns True."""
        told = []

        def on_epoch(model: Any, epoch: Any) -> bool:
            told.append(epoch.number)
            return len(told) == 2

        engine.fit(ALS(factors=2, epochs=9), split.train, on_epoch)
        assert told == [1, 2]

    def test_a_run_has_the_data_of_one_process(self, engine: Any) -> None:
        """`load`, `split` and `audit` come to what the components themselves return."""
        from mfx.split.audit import audit
        from mfx.split.random import RandomSplit

        ratings = engine.load(_Planted())
        assert (len(ratings), ratings.fingerprint) == (len(planted_ratings()), planted_ratings().fingerprint)
        expected, found = RandomSplit().split(planted_ratings()), engine.split(RandomSplit(), ratings)
        for name in ("train", "valid", "test"):
            assert len(getattr(found, name)) == len(getattr(expected, name)), f"{name} has another size"
        assert dict(engine.audit(found)) == audit(expected)

    def test_a_split_that_leaks_is_refused(self, engine: Any) -> None:
        """`split` checks what a splitter returns: one whose train holds its test is a SplitError."""
        with pytest.raises(SplitError, match="in another part too"):
            engine.split(_Leaks(), engine.load(_Planted()))

    def test_metrics_are_those_of_one_process(self, engine: Any, split: Split) -> None:
        """`evaluate` comes to the values of `mfx.evaluate`, to 1e-6."""
        from mfx.metrics.evaluation import EvaluationSettings, evaluate
        from mfx.metrics.names import create_metrics

        model, metrics = Bias(epochs=1).fit(split.train), create_metrics(["rmse", "ndcg@5"])
        settings = EvaluationSettings()
        values, skipped = engine.evaluate(model, split.train, split.test, metrics, settings)
        assert dict(values) == pytest.approx(evaluate(model, split.train, split.test, metrics, settings).values, 1e-6)
        assert dict(skipped) == {}

    @pytest.mark.parametrize("model", [ALS(factors=4, epochs=2), BPR(factors=4, epochs=2)], ids=["als", "bpr"])
    def test_new_users_are_those_of_one_process(self, engine: Any, split: Split, model: Any) -> None:
        """`fold_in` comes to the rows and lists of `mfx.models.bulk.fold_in`, to 1e-6."""
        fitted = replace(model).fit(split.train)
        new, index, wanted = split.test, np.arange(split.test.n_items, dtype=np.int32), Wanted(5)
        index[::7] = -1
        kept = index[new.items] >= 0
        expected = fold_in(fitted, new.users[kept], new.items[kept], new.values[kept], new.n_users, wanted)
        found = engine.fold_in(fitted, new, index, wanted)
        np.testing.assert_allclose(found.rows, expected.rows, rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(found.items, expected.items)
        np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-6)

    def test_what_is_spent_is_told_once(self, engine: Any, split: Split) -> None:
        """`spent` returns finite numbers that are not negative, and none of them again."""
        engine.fit(Bias(epochs=1), split.train, None)
        spent: Mapping[str, float] = engine.spent()
        assert all(math.isfinite(value) and value >= 0 for value in spent.values()), spent
        assert dict(engine.spent()) == {}, "the same was told again"


class _Planted:
    """A data set in memory."""

    def load(self) -> Ratings:
        return planted_ratings()


class _Leaks:
    """A splitter that learns from all ratings, those of test included."""

    def split(self, ratings: Ratings) -> Split:
        from mfx.split.random import RandomSplit

        return replace(RandomSplit(valid_fraction=0.0).split(ratings), train=ratings)
