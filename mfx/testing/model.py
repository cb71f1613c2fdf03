"""Laws of models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest

from mfx.errors import ModelError
from mfx.interfaces import Epoch, FloatArray, Ratings
from mfx.models.base import Recommender
from mfx.models.least_squares import LeastSquaresModel
from mfx.testing.component import fresh, untouched_generators
from mfx.testing.recommender import RecommenderLaws
from mfx.testing.samples import planted_ratings
from mfx.testing.threads import several, threads


class ModelContract(RecommenderLaws):
    """The laws of models. Override the fixture `component` with one that returns your model, not fitted.

    Laws of what `mfx.Recommender` gives (lists, fold-in, saving) are skipped for models that are no `Recommender`.

    Attributes
    ----------
    falling_loss : str or None
        Name of a loss, as reported in `Epoch.losses`, that no epoch raises; None where there is no such loss.
        ``"objective"`` for subclasses of `mfx.LeastSquaresModel`.
    stored_row_is_fold_in : bool or None
        Whether folding in the ratings of a user of train gives the scores of that user. None: read off, True for
        subclasses of `mfx.LeastSquaresModel` and False otherwise.
    """

    kind = "model"
    falling_loss: ClassVar[str | None] = None
    stored_row_is_fold_in: ClassVar[bool | None] = None

    @pytest.fixture
    def ratings(self) -> Ratings:
        """Return what models are fitted on: the last two items and the last user have no ratings."""
        return planted_ratings(n_users=40, n_items=30, unrated=2, silent=1)

    @pytest.fixture
    def model(self, component: Any, ratings: Ratings) -> Any:
        """Return the component, fitted."""
        return component.fit(ratings)

    def test_fitting_returns_the_model_and_keeps_its_settings(self, component: Any, ratings: Ratings) -> None:
        """`fit` returns self and changes no setting: a refit starts from the same ones."""
        before = component.settings()
        assert component.fit(ratings) is component
        assert component.settings() == before

    def test_fitting_leaves_the_ratings_alone(self, component: Any, ratings: Ratings) -> None:
        """No array of the ratings is written to."""
        before = [np.array(array) for array in (ratings.users, ratings.items, ratings.values, ratings.timestamps)]
        component.fit(ratings)
        for old, new in zip(before, (ratings.users, ratings.items, ratings.values, ratings.timestamps), strict=True):
            np.testing.assert_array_equal(new, old)

    def test_no_ratings_are_refused(self, component: Any, ratings: Ratings) -> None:
        """A fit without ratings is a ModelError."""
        with pytest.raises(ModelError):
            component.fit(ratings.take(np.zeros(len(ratings), dtype=np.bool_)))

    def test_the_same_seed_gives_the_same_numbers(self, component: Any, ratings: Ratings) -> None:
        """Two fits with the same settings agree in every bit."""
        first, second = (scores(fresh(component).fit(ratings), ratings) for _ in range(2))
        np.testing.assert_array_equal(first, second)

    def test_threads_of_the_solver_do_not_matter(self, component: Any, ratings: Ratings) -> None:
        """One thread of numba's gives the bits of all of them."""
        self._compare_threads("solver", component, ratings)

    def test_threads_of_blas_do_not_matter(self, component: Any, ratings: Ratings) -> None:
        """One thread of the linear algebra below numpy and scipy gives the bits of two.

        On ratings as few as these BLAS mostly works alone, whatever it is allowed: what is seen here is a model that
        goes by the number of threads, not how BLAS rounds large products.
        """
        self._compare_threads("blas", component, ratings)

    @staticmethod
    def _compare_threads(whose: str, component: Any, ratings: Ratings) -> None:
        expected = steady(component, ratings)
        for count in (1, several(whose)):
            with threads(whose, count):
                np.testing.assert_array_equal(scores(fresh(component).fit(ratings), ratings), expected)

    def test_global_generators_are_left_alone(self, component: Any, ratings: Ratings) -> None:
        """A fit neither draws from nor seeds the global generators of numpy and Python."""
        with untouched_generators():
            component.fit(ratings)

    def test_a_second_fit_starts_afresh(self, component: Any, ratings: Ratings) -> None:
        """A model that was fitted before learns what a new one learns."""
        expected = steady(component, ratings)
        component.fit(ratings.take(ratings.users % 2 == 0))
        np.testing.assert_array_equal(scores(component.fit(ratings), ratings), expected)

    def test_scores_are_fresh_float32_arrays_of_the_right_shape(self, model: Any, ratings: Ratings) -> None:
        """`score_users` and `score_pairs` return float32 of the right shape that the caller may overwrite."""
        users, items = np.array([3, 0, 3], dtype=np.int32), np.array([1, 2, 4], dtype=np.int32)
        asked: list[tuple[Callable[[], Any], tuple[int, ...]]] = [
            (lambda: model.score_users(users), (3, ratings.n_items)),
            (lambda: model.score_pairs(users, items), (3,)),
            (lambda: model.score_users(users[:0]), (0, ratings.n_items)),
        ]
        for ask, shape in asked:
            found = ask()
            assert isinstance(found, np.ndarray)
            assert (found.dtype, found.shape) == (np.float32, shape)
            kept = found.copy()
            found[...] = -np.inf
            np.testing.assert_array_equal(ask(), kept, "writing to returned scores changed the model")

    def test_users_and_items_without_ratings_get_finite_scores(self, model: Any, ratings: Ratings) -> None:
        """Empty rows on either side are scored, with numbers."""
        assert np.isfinite(scores(model, ratings)).all()

    def test_pairs_agree_with_whole_rows(self, model: Any, ratings: Ratings) -> None:
        """`score_pairs` picks from `score_users`, up to rounding."""
        full = scores(model, ratings)[ratings.users, ratings.items]
        pairs = model.score_pairs(ratings.users, ratings.items)
        near = np.isclose(pairs, full, rtol=1e-4, atol=1e-5)
        assert near.all(), f"{np.count_nonzero(~near)} of {near.size} pairs score differently in score_users"

    def test_scores_do_not_depend_on_the_other_users_asked_for(self, model: Any, ratings: Ratings) -> None:
        """A user's scores are the same alone and among others, up to rounding."""
        full = scores(model, ratings)
        for users in ([5], [7, 2, 5]):
            part = model.score_users(np.array(users, dtype=np.int32))
            np.testing.assert_allclose(part, full[users], rtol=1e-4, atol=1e-5)

    def test_epochs_are_reported_in_order_with_finite_losses(self, component: Any, ratings: Ratings) -> None:
        """Epochs count from 1; each comes with losses that are numbers, and with a model that can be asked."""
        reports: list[Epoch] = []

        def note(model: Any, epoch: Epoch) -> bool:
            assert model is component
            assert model.score_users(np.zeros(1, dtype=np.int32)).shape == (1, ratings.n_items)
            reports.append(epoch)
            return False

        component.fit(ratings, on_epoch=note)
        if not reports:
            pytest.skip("the model reports no epochs")
        assert [report.number for report in reports] == list(range(1, len(reports) + 1))
        assert all(report.losses and np.isfinite(list(report.losses.values())).all() for report in reports)

    def test_the_callback_stops_the_fit(self, component: Any, ratings: Ratings) -> None:
        """No epoch follows one whose callback returned True."""
        numbers: list[int] = []

        def stop_at_two(_: Any, epoch: Epoch) -> bool:
            numbers.append(epoch.number)
            return len(numbers) == 2

        component.fit(ratings, on_epoch=stop_at_two)
        if len(numbers) < 2:
            pytest.skip("the model reports fewer than two epochs")
        assert len(numbers) == 2

    def test_watching_changes_nothing(self, component: Any, ratings: Ratings) -> None:
        """A fit that somebody watches, and asks for scores, gives the bits of one that nobody watches."""
        alone = steady(component, ratings)

        def ask(model: Any, _: Epoch) -> bool:
            model.score_users(np.arange(3, dtype=np.int32))[...] = 0.0
            return False

        np.testing.assert_array_equal(scores(component.fit(ratings, on_epoch=ask), ratings), alone)

    def test_the_declared_loss_falls(self, component: Any, ratings: Ratings) -> None:
        """No epoch raises the loss that `falling_loss` names, but for rounding."""
        name = self.falling_loss or ("objective" if isinstance(component, LeastSquaresModel) else None)
        if name is None:
            pytest.skip("falling_loss is not declared")
        losses: list[float] = []

        def note(_: Any, epoch: Epoch) -> bool:
            losses.append(epoch.losses[name])
            return False

        component.fit(ratings, on_epoch=note)
        assert len(losses) > 1, "there are fewer than two epochs to compare"
        rises = np.diff(losses) / np.abs(losses[:-1])
        assert rises.max() <= 1e-6, f"epoch {int(rises.argmax()) + 2} raises {name} by {rises.max():.2%}"

    def test_a_stored_user_is_the_fold_in_of_its_ratings(self, component: Any, ratings: Ratings) -> None:
        """Folding in the ratings of a user of train gives that user's scores to 1e-5."""
        declared = self.stored_row_is_fold_in
        if not (isinstance(component, LeastSquaresModel) if declared is None else declared):
            pytest.skip("stored_row_is_fold_in is not declared")
        model = component.fit(ratings)
        full = scores(model, ratings)
        if not np.isfinite(full).all():
            pytest.skip("some scores are no numbers: see test_users_and_items_without_ratings_get_finite_scores")
        for user in (0, 7, ratings.n_users - 1):
            rows = slice(ratings.user_indptr[user], ratings.user_indptr[user + 1])
            folded = model.fold_in(ratings.catalogue.item_ids[ratings.items[rows]], ratings.values[rows])
            np.testing.assert_allclose(folded.scores, full[user], rtol=1e-5, atol=1e-5)

    def test_state_can_be_put_back(self, component: Any, ratings: Ratings) -> None:
        """`restore` undoes further epochs and another fit, as early stopping needs."""
        if not isinstance(component, Recommender):
            pytest.skip("it is no mfx.Recommender, so early stopping keeps all of its attributes")
        states: list[tuple[Any, FloatArray]] = []

        def keep(model: Any, _: Epoch) -> bool:
            states.append((model.state(), scores(model, ratings)))
            return False

        component.fit(ratings, on_epoch=keep)
        states.append((component.state(), scores(component, ratings)))
        component.fit(ratings.take(ratings.users < ratings.n_users // 2))
        for state, expected in (states[0], states[-1]):
            component.restore(state)
            np.testing.assert_array_equal(scores(component, ratings), expected)

    def test_a_fit_that_was_cut_off_goes_on_to_the_same_numbers(self, component: Any, ratings: Ratings) -> None:
        """A new model that is given the state after an epoch does those that are left, to the bits of all of them."""
        if not isinstance(component, Recommender):
            pytest.skip("it is no mfx.Recommender, so a run with it begins again")
        states: list[dict[str, Any]] = []

        def keep(model: Any, _: Epoch) -> bool:
            states.append({name: np.array(array) for name, array in model.state().items()})
            return False

        expected = scores(component.fit(ratings, on_epoch=keep), ratings)
        if len(states) < 3:
            pytest.skip("the model reports fewer than three epochs")
        again, numbers = fresh(component), []
        again.continue_after(2, states[1])
        again.fit(ratings, on_epoch=lambda _, epoch: numbers.append(epoch.number))
        if numbers[0] != 3:
            pytest.skip("it counts its epochs itself, not with passes, so a run with it begins again")
        assert numbers == list(range(3, len(states) + 1))
        np.testing.assert_array_equal(scores(again, ratings), expected)
        again.continue_after(2, states[1], over=True)
        again.fit(ratings)
        for name, array in states[1].items():
            np.testing.assert_array_equal(again.state()[name], array)


def steady(component: Any, ratings: Ratings) -> FloatArray:
    """Return the scores of a fit; skip where another fit with the same settings differs, which is a law of its own."""
    first, second = (scores(fresh(component).fit(ratings), ratings) for _ in range(2))
    if not np.array_equal(first, second, equal_nan=True):
        pytest.skip("two fits differ in any case: see test_the_same_seed_gives_the_same_numbers")
    return first


def scores(model: Any, ratings: Ratings) -> FloatArray:
    """Score every item for every user of the catalogue."""
    full: FloatArray = model.score_users(np.arange(ratings.n_users, dtype=np.int32))
    return full
