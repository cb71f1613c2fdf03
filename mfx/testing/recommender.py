"""Laws of what people call on a model: raw ids, lists, fold-in, saving and loading."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mfx import registry
from mfx.errors import MFXError, ModelError
from mfx.interfaces import AnyArray, Ratings, RatingScale
from mfx.metrics.evaluation import EvaluationSettings, evaluate
from mfx.metrics.names import create_metrics, under_protocol
from mfx.models.base import Recommender
from mfx.models.factors import FactorModel
from mfx.models.storage import load
from mfx.testing.component import ComponentContract, fresh


def _text(numbers: AnyArray) -> AnyArray:
    return np.array([f"{number:06}" for number in numbers.tolist()])


_ID_TYPES: dict[str, Callable[[AnyArray], AnyArray]] = {
    **{name: partial(np.ndarray.astype, dtype=name) for name in ("int8", "uint8", "int32", "uint64", "float32")},
    "integers of Python": partial(np.ndarray.astype, dtype=object),
    "text": _text,
    "text of Python": lambda numbers: _text(numbers).astype(object),
}


class RecommenderLaws(ComponentContract):
    """Laws of `mfx.Recommender`; part of `ModelContract`."""

    @pytest.fixture
    def recommender(self, component: Any, ratings: Ratings) -> Any:
        """Return the component, fitted; skip where it is no `Recommender`."""
        if not isinstance(component, Recommender):
            pytest.skip("it is no mfx.Recommender, so it makes no lists")
        return component.fit(ratings)

    def test_lists_hold_the_best_items(self, recommender: Any, ratings: Ratings) -> None:
        """Without masks, a list is the items of highest score with those scores, best first."""
        users = np.array([0, 4], dtype=np.int32)
        frame = recommender.recommend(ratings.catalogue.user_ids[users], k=5, exclude_seen=False)
        full = recommender.score_users(users)
        best = -np.sort(-full, axis=1)[:, :5]
        assert list(frame.columns) == ["user_id", "item_id", "score", "rank"]
        np.testing.assert_allclose(frame.score.to_numpy().reshape(2, 5), best, rtol=1e-5, atol=1e-6)
        items = ratings.catalogue.item_index(frame.item_id.to_numpy()).reshape(2, 5)
        np.testing.assert_allclose(np.take_along_axis(full, items, axis=1), best, rtol=1e-5, atol=1e-6)
        assert frame["rank"].tolist() == [1, 2, 3, 4, 5] * 2

    def test_lists_are_made_before_clipping_and_predictions_after(self, component: Any, ratings: Ratings) -> None:
        """With ``clip`` every prediction is on the scale, and every list is the one without it.

        A model without that setting predicts its scores.
        """
        if not isinstance(component, Recommender):
            pytest.skip("it is no mfx.Recommender, so it makes no lists")
        if not hasattr(component, "clip"):
            model, pairs = component.fit(ratings), (ratings.users, ratings.items)
            np.testing.assert_array_equal(model.predict_pairs(*pairs), model.score_pairs(*pairs))
            return
        middle = float(np.median(ratings.values))
        narrow = replace(ratings, scale=RatingScale(middle - 0.05, middle + 0.05))
        free, clipped = (type(component)(**{**component.settings(), "clip": on}).fit(narrow) for on in (False, True))
        users, items = ratings.catalogue.user_ids[ratings.users], ratings.catalogue.item_ids[ratings.items]
        low, high = np.float32(middle - 0.05), np.float32(middle + 0.05)
        expected = np.clip(free.predict(users, items), low, high)
        assert (free.predict(users, items) != expected).any(), "no prediction leaves a scale of one tenth"
        np.testing.assert_array_equal(clipped.predict(users, items), expected)
        np.testing.assert_array_equal(
            clipped.score_pairs(ratings.users, ratings.items), free.score_pairs(ratings.users, ratings.items)
        )
        assert clipped.recommend(k=5).equals(free.recommend(k=5))
        settings = EvaluationSettings(candidates=5)
        metrics = {under_protocol(*each, settings): each[1] for each in create_metrics(["rmse", "ndcg@3"]).items()}
        held_out = narrow.take(np.arange(len(narrow)) % 5 == 0)
        unseen = narrow.take(np.zeros(len(narrow), dtype=np.bool_))
        before, after = (evaluate(model, unseen, held_out, metrics, settings).values for model in (free, clipped))
        assert before["ndcg@3_sampled_5"] == after["ndcg@3_sampled_5"], "sampled candidates are ranked after clipping"
        assert component.predicts != "ratings" or before["rmse"] != after["rmse"]
        try:
            folded = [model.fold_in(items[:3], [5.0, 3.0, 4.0]) for model in (free, clipped)]
        except ModelError:
            return
        assert folded[1].recommend(k=5).equals(folded[0].recommend(k=5))
        np.testing.assert_array_equal(folded[1].predict(items), np.clip(folded[0].predict(items), low, high))

    def test_a_product_of_scores_is_the_scores(self, recommender: Any, ratings: Ratings) -> None:
        """What `score_product` returns multiplies to what `score_users` returns, whatever the weight of the bias."""
        users = np.arange(ratings.n_users, dtype=np.int32)[::-1].copy()
        for weight in (1.0, 0.25):
            product = recommender.score_product(users, weight)
            if product is None:
                pytest.skip("its scores are no product")
            expected = recommender.reweighed(recommender.score_users(users), weight)
            found = product.users @ product.items.T + product.shifts[:, None]
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)

    def test_lists_leave_out_seen_items(self, recommender: Any, ratings: Ratings) -> None:
        """A full list holds every item but those that the user rated in train."""
        users = np.array([0, 4, ratings.n_users - 1], dtype=np.int32)
        if not np.isfinite(recommender.score_users(users)).all():
            pytest.skip("scores are not finite: see test_users_and_items_without_ratings_get_finite_scores")
        for user in users.tolist():
            frame = recommender.recommend([ratings.catalogue.user_ids[user]], k=ratings.n_items)
            seen = ratings.catalogue.item_ids[ratings.items[ratings.users == user]]
            assert not set(frame.item_id) & set(seen), "a list holds items that the user rated"
            assert len(frame) == ratings.n_items - seen.size, "a list leaves out items that the user did not rate"

    def test_equal_scores_are_ordered_by_item_id(
        self, recommender: Any, ratings: Ratings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With scores that many items share, lists are ordered by score, then by item id."""
        ask = type(recommender).score_users

        def coarse(users: Any) -> Any:
            full = ask(recommender, users)
            return (full > np.median(full, axis=1, keepdims=True)).astype(np.float32)

        monkeypatch.setattr(recommender, "score_users", coarse)
        frame = recommender.recommend(ratings.catalogue.user_ids[:3], k=ratings.n_items, exclude_seen=False)
        for _, one in frame.groupby("user_id"):
            order = np.lexsort((one.item_id.to_numpy(), -one.score.to_numpy()))
            assert order.tolist() == list(range(len(one))), "equal scores are not in the order of item ids"

    def test_unknown_users_and_items_are_refused(self, recommender: Any, ratings: Ratings) -> None:
        """Ids that train did not have are ModelErrors, not guesses."""
        user, item = ratings.catalogue.user_ids[0], ratings.catalogue.item_ids[0]
        asked: list[Callable[[], Any]] = [
            lambda: recommender.predict([-1], [item]),
            lambda: recommender.predict([user], [-1]),
            lambda: recommender.recommend([-1]),
            lambda: recommender.recommend([user], among=[-1]),
        ]
        for ask in asked:
            with pytest.raises(ModelError):
                ask()

    def test_a_model_that_is_not_fitted_says_so(self, component: Any) -> None:
        """Before `fit`, asking is a ModelError."""
        if not isinstance(component, Recommender):
            pytest.skip("it is no mfx.Recommender")
        if component.fitted:
            pytest.skip("it takes itself for fitted: see test_a_new_model_learns_nothing_from_an_old_one")
        with pytest.raises(ModelError):
            component.recommend([100])

    def test_fold_in_does_not_depend_on_the_order_of_ratings(self, recommender: Any, ratings: Ratings) -> None:
        """A new user is the same whatever the order in which the ratings are given."""
        items, values = ratings.catalogue.item_ids[[1, 5, 9]], np.array([5.0, 3.0, 4.0])
        folded = _fold_in(recommender, items, values)
        assert folded.scores.shape == (ratings.n_items,)
        assert np.isfinite(folded.scores).all()
        again = recommender.fold_in(items[::-1], values[::-1])
        np.testing.assert_allclose(again.scores, folded.scores, rtol=1e-5, atol=1e-6)

    def test_many_new_users_are_those_of_each_alone(self, recommender: Any, ratings: Ratings) -> None:
        """The rows of `fold_in_rows` are those of `fold_in_row`, to 1e-6 of their size."""
        if not isinstance(recommender, FactorModel):
            pytest.skip("it is no mfx.FactorModel")
        _fold_in(recommender, ratings.catalogue.item_ids[[1, 5]], [5.0, 3.0])
        items, values = np.array([1, 5, 2, 5, 9], np.int32), np.array([5.0, 3.0, 1.0, 4.0, 2.0], np.float32)
        rows = recommender.fold_in_rows(np.array([0, 2, 5]), items, values)
        for row, own in zip(rows, (slice(0, 2), slice(2, 5)), strict=True):
            alone = recommender.fold_in_row(items[own], values[own])
            assert np.abs(row - alone).max() <= 1e-6 * np.abs(alone).max()

    def test_fold_in_leaves_the_model_alone(self, recommender: Any, ratings: Ratings) -> None:
        """Taking a new user in changes no score of the others."""
        users = np.arange(ratings.n_users, dtype=np.int32)
        before = recommender.score_users(users)
        folded = _fold_in(recommender, ratings.catalogue.item_ids[[1, 5]], [5.0, 3.0])
        folded.recommend(k=3)
        np.testing.assert_array_equal(recommender.score_users(users), before)

    def test_malformed_profiles_are_refused(self, recommender: Any, ratings: Ratings) -> None:
        """Unknown or repeated items and ratings that are no numbers cannot be folded in."""
        first = ratings.catalogue.item_ids[0]
        _fold_in(recommender, [first], [4.0])
        for items, values in (([-1], [5.0]), ([first, first], [5.0, 4.0]), ([first], [np.nan]), ([first], [4.0, 5.0])):
            with pytest.raises(ModelError):
                recommender.fold_in(items, values)

    def test_saving_and_loading_keeps_the_scores(self, recommender: Any, ratings: Ratings, tmp_path: Path) -> None:
        """A loaded model has the settings of the saved one, and its scores to 1e-6."""
        if fresh(recommender).settings() != recommender.settings():
            pytest.skip("its settings do not come back: see test_settings_round_trip")
        again = _restored(recommender, tmp_path / "model")
        users = np.arange(ratings.n_users, dtype=np.int32)
        assert type(again) is type(recommender)
        assert again.settings() == recommender.settings()
        np.testing.assert_allclose(again.score_users(users), recommender.score_users(users), rtol=1e-6, atol=1e-6)

    def test_a_loaded_model_does_all_that_a_fitted_one_does(
        self, recommender: Any, ratings: Ratings, tmp_path: Path
    ) -> None:
        """Lists and fold-in of a loaded model are those of the saved one."""
        again = _restored(recommender, tmp_path / "model")
        user, items = ratings.catalogue.user_ids[1], ratings.catalogue.item_ids[[1, 5, 9]]
        assert again.recommend([user], k=4).item_id.tolist() == recommender.recommend([user], k=4).item_id.tolist()
        try:
            folded = recommender.fold_in(items, [5.0, 3.0, 4.0])
        except ModelError:
            return
        np.testing.assert_allclose(again.fold_in(items, [5.0, 3.0, 4.0]).scores, folded.scores, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("form", _ID_TYPES)
    def test_ids_of_any_type_are_the_same_after_loading(
        self, component: Any, recommender: Any, ratings: Ratings, tmp_path: Path, form: str
    ) -> None:
        """A model fitted on ids of another type predicts the same, also after loading, and gives the same ids back."""
        as_given = _ID_TYPES[form]
        user_ids, item_ids = as_given(np.arange(ratings.n_users)), as_given(np.arange(ratings.n_items))
        if max(ratings.n_users, ratings.n_items) > 127 and form == "int8":
            pytest.skip("there are more ids than the type has")
        same = Ratings.from_columns(
            user_ids[ratings.users],
            item_ids[ratings.items],
            ratings.values,
            ratings.timestamps,
            catalogue=replace(ratings.catalogue, user_ids=user_ids, item_ids=item_ids),
            scale=ratings.scale,
        )
        models = (recommender, fresh(component).fit(ratings))
        expected, other = (
            _restored(model, tmp_path / f"of_integers_{number}").predict_pairs(ratings.users, ratings.items)
            for number, model in enumerate(models)
        )
        if not np.allclose(other, expected, rtol=1e-6, atol=1e-6):
            pytest.skip("a second fit differs in any case: see test_the_same_seed_gives_the_same_numbers")
        again = _restored(fresh(component).fit(same), tmp_path / "model")
        predicted = again.predict(user_ids[ratings.users], item_ids[ratings.items])
        np.testing.assert_allclose(predicted, expected, rtol=1e-6, atol=1e-6)
        assert again.catalogue_.user_ids.tolist() == user_ids.tolist()
        assert again.catalogue_.item_ids.tolist() == item_ids.tolist()
        assert again.recommend(user_ids[:1], k=1).user_id.tolist() == user_ids[:1].tolist()

    def test_nothing_is_pickled(self, recommender: Any, tmp_path: Path) -> None:
        """No file of a saved model holds a pickle, not even inside an array of objects."""
        recommender.save(tmp_path / "model")
        for path in (tmp_path / "model").rglob("*"):
            for name, start in _beginnings(path):
                assert start[:1] != b"\x80", f"{name} is a pickle"
                assert b"'descr': '|O'" not in start, f"{name} holds Python objects"

    def test_a_new_model_learns_nothing_from_an_old_one(self, component: Any, recommender: Any) -> None:
        """Fitting one model fits no other of its class."""
        assert not fresh(component).fitted


def _restored(recommender: Any, folder: Path) -> Any:
    """Save a model and load it again."""
    recommender.save(folder)
    with _registered(type(recommender)):
        return load(folder)


def _fold_in(recommender: Any, items: Any, values: Any) -> Any:
    try:
        return recommender.fold_in(items, values)
    except ModelError as error:
        pytest.skip(f"it folds in no users: {error}")


def _beginnings(path: Path) -> list[tuple[str, bytes]]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return [(f"{path.name}/{name}", archive.read(name)[:256]) for name in archive.namelist()]
    return [(path.name, path.read_bytes()[:256])] if path.is_file() else []


class _registered:
    """Inside the block, the class can be found by its name, whether or not it is installed as a plugin."""

    def __init__(self, cls: type) -> None:
        self.cls, self.undo = cls, registry.temporarily()

    def __enter__(self) -> None:
        self.undo.__enter__()
        name = getattr(self.cls, "name", None)
        if name is None:
            self.undo.__exit__(None, None, None)
            raise MFXError(f"{self.cls.__name__} has no name.", 'Put @mfx.register("model", NAME) above the class.')
        registry._registry.entries[("model", name)] = registry.Entry("model", name, self.cls, "tests")

    def __exit__(self, *error: Any) -> None:
        self.undo.__exit__(*error)
