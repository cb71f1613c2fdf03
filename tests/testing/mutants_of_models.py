"""A sound model, and one broken copy of it for each law; see test_mutants.py, which runs this file.

A class `Test_<law>` must fail the test `test_<law>` and no other.
"""

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import mfx
from mfx.testing import ModelContract


@dataclass(kw_only=True)
class Sound(mfx.Recommender):
    """Biases of items and users, shrunk, by a few passes; users are folded in by the last half of a pass."""

    name = "sound"
    strength: float = mfx.tunable(4.0, low=1.0, high=20.0, ge=0.0)
    epochs: int = mfx.setting(4, ge=1)
    seed: int = mfx.setting(1, ge=0)
    predicts = "ratings"
    objective = "rmse"
    state_names = ("users_", "items_")

    def learn(self, train, on_epoch):
        self.users_ = self.start(train.n_users)
        self.items_ = np.zeros(train.n_items, np.float32)
        for number in range(1, self.epochs + 1):
            rest = train.values - self.users_[train.users]
            self.items_ = self.means(train.items, rest, train.n_items)
            rest = train.values - self.items_[train.items]
            self.users_ = self.means(train.users, rest, train.n_users)
            loss = np.square(rest - self.users_[train.users]).sum()
            loss += self.strength * (np.square(self.users_).sum() + np.square(self.items_).sum())
            if on_epoch is not None and on_epoch(self, mfx.Epoch(number, {"objective": float(loss)})):
                break

    def start(self, n):
        return np.random.default_rng(self.seed).normal(0, 0.1, n).astype(np.float32)

    def means(self, rows, values, n):
        total = np.bincount(rows, values, n) / (np.bincount(rows, minlength=n) + self.strength)
        return total.astype(np.float32)

    def score_users(self, users):
        return self.users_[users][:, None] + self.items_[None, :]

    def fold_in_scores(self, items, values):
        rest = values - self.items_[items]
        return (np.float32(rest.sum() / (items.size + self.strength)) + self.items_).astype(np.float32)


class Contract(ModelContract):
    falling_loss = "objective"
    stored_row_is_fold_in = True
    model_class = Sound

    @pytest.fixture
    def component(self):
        return self.model_class()


class TestSound(Contract):
    pass


def broken(law):
    """Make the contract test of a mutant, named after the law that it breaks."""

    def decorate(cls):
        cls.name = "sound"
        globals()[f"Test_{law}"] = type(f"Test_{law}", (Contract,), {"model_class": cls, "__module__": __name__})
        return cls

    return decorate


def mutant(law):
    return lambda cls: broken(law)(dataclass(kw_only=True)(cls))


@mutant("settings_round_trip")
class Doubles(Sound):
    def __post_init__(self):
        super().__post_init__()
        self.strength = self.strength * 2 if self.strength != 1.0 else 1.0

    def learn(self, train, on_epoch):
        kept, self.strength = self.strength, 4.0
        super().learn(train, on_epoch)
        self.strength = kept

    def fold_in_scores(self, items, values):
        kept, self.strength = self.strength, 4.0
        scores = super().fold_in_scores(items, values)
        self.strength = kept
        return scores

    def save(self, folder):
        kept, self.strength = self.strength, self.strength / 2
        try:
            return super().save(folder)
        finally:
            self.strength = kept


@mutant("settings_can_be_composed")
class Uncomposable(Sound):
    shape: complex = mfx.setting(1j)

    def save(self, folder):
        kept, self.shape = self.shape, None
        try:
            return super().save(folder)
        finally:
            self.shape = kept

    def restore(self, state):
        super().restore(state)
        self.shape = 1j


@mutant("settings_out_of_bounds_are_refused")
class Unchecked(Sound):
    def __post_init__(self):
        pass


@mutant("it_is_of_its_kind")
class Liar(Sound):
    predicts = "numbers"


@mutant("fitting_returns_the_model_and_keeps_its_settings")
class Forgets(Sound):
    note: int = mfx.setting(0)

    def learn(self, train, on_epoch):
        super().learn(train, on_epoch)
        self.note = 1


@mutant("fitting_leaves_the_ratings_alone")
class Writes(Sound):
    def learn(self, train, on_epoch):
        super().learn(train, on_epoch)
        train.timestamps[0] += 1


@mutant("no_ratings_are_refused")
class Silent(Sound):
    def fit(self, train, *, on_epoch=None):
        return super().fit(train, on_epoch=on_epoch) if len(train) else self


@mutant("the_same_seed_gives_the_same_numbers")
class Unseeded(Sound):
    """Draws from a counter that all fits share, but afresh wherever another law compares two fits."""

    fits = 0

    def start(self, n):
        import inspect

        asked_by = {frame.function for frame in inspect.stack()}
        if "test_the_same_seed_gives_the_same_numbers" not in asked_by:
            return super().start(n)
        Unseeded.fits += 1
        return np.random.default_rng(Unseeded.fits).normal(0, 0.1, n).astype(np.float32)


@mutant("threads_do_not_matter")
class Threaded(Sound):
    def start(self, n):
        import numba

        return super().start(n) * np.float32(numba.get_num_threads())


@mutant("global_generators_are_left_alone")
class Global(Sound):
    def start(self, n):
        random.seed(self.seed)
        return super().start(n)


@mutant("a_second_fit_starts_afresh")
class Warm(Sound):
    def start(self, n):
        return self.users_.copy() if hasattr(self, "users_") else super().start(n)


@mutant("scores_are_fresh_float32_arrays_of_the_right_shape")
class Double(Sound):
    def score_pairs(self, users, items):
        return super().score_pairs(users, items).astype(np.float64)


@mutant("users_and_items_without_ratings_get_finite_scores")
class Infinite(Sound):
    """Cannot divide by no ratings; the laws that go over all items would see it too, so it hides it from lists."""

    def score_users(self, users):
        import inspect

        full = super().score_users(users)
        asked_by = {frame.function for frame in inspect.stack()}
        if "test_users_and_items_without_ratings_get_finite_scores" in asked_by:
            full[:, self.seen_.item_counts == 0] = np.nan
        return full


@mutant("pairs_agree_with_whole_rows")
class Pairs(Sound):
    def score_pairs(self, users, items):
        return super().score_pairs(users, items) + np.float32(0.01)


@mutant("scores_do_not_depend_on_the_other_users_asked_for")
class Batch(Sound):
    def score_users(self, users):
        full = super().score_users(users)
        return full - np.float32(0.01) if users.size and users.max() < 8 and users.min() >= 2 else full


@mutant("epochs_are_reported_in_order_with_finite_losses")
class Zero(Sound):
    def learn(self, train, on_epoch):
        shifted = on_epoch and (lambda model, epoch: on_epoch(model, mfx.Epoch(epoch.number - 1, epoch.losses)))
        super().learn(train, shifted)


@mutant("the_callback_stops_the_fit")
class Deaf(Sound):
    def learn(self, train, on_epoch):
        super().learn(train, on_epoch and (lambda model, epoch: bool(on_epoch(model, epoch)) and False))


@mutant("watching_changes_nothing")
class Shy(Sound):
    def learn(self, train, on_epoch):
        super().learn(train, on_epoch)
        if on_epoch is not None and "stop" not in on_epoch.__qualname__ and "keep" not in on_epoch.__qualname__:
            self.items_ += np.float32(0.1)


@mutant("the_declared_loss_falls")
class Rising(Sound):
    def learn(self, train, on_epoch):
        def report(model, epoch):
            return on_epoch(model, mfx.Epoch(epoch.number, {"objective": float(epoch.number)}))

        super().learn(train, on_epoch and report)


@mutant("a_stored_user_is_the_fold_in_of_its_ratings")
class Folds(Sound):
    def fold_in_scores(self, items, values):
        return super().fold_in_scores(items, values) + np.float32(0.01)


@mutant("state_can_be_put_back")
class Views(Sound):
    def state(self):
        return {"users_": self.users_, "items_": self.items_.copy()}

    def learn(self, train, on_epoch):
        super().learn(train, on_epoch)

    def means(self, rows, values, n):
        found = super().means(rows, values, n)
        if n == len(getattr(self, "users_", ())) and hasattr(self, "items_"):
            self.users_[:] = found
            return self.users_
        return found

    def start(self, n):
        fresh = super().start(n)
        if hasattr(self, "users_"):
            self.users_[:] = fresh
            return self.users_
        return fresh


@mutant("lists_hold_the_best_items")
class Worst(Sound):
    def recommend(self, users=None, k=10, **options):
        frame = super().recommend(users, k, **options)
        frame["rank"] = frame["rank"] - 1
        return frame


@mutant("lists_leave_out_seen_items")
class Shows(Sound):
    def recommend(self, users=None, k=10, *, exclude_seen=True, **options):
        return super().recommend(users, k, exclude_seen=False, **options)


@mutant("equal_scores_are_ordered_by_item_id")
class Reversed(Sound):
    def recommend(self, users=None, k=10, **options):
        frame = super().recommend(users, k, **options)
        return (
            frame.sort_values(["user_id", "score", "item_id"], ascending=[True, False, False])
            .reset_index(drop=True)
            .assign(rank=frame["rank"].to_numpy())
        )


@mutant("unknown_users_and_items_are_refused")
class Guesses(Sound):
    def predict(self, user_ids, item_ids):
        try:
            return super().predict(user_ids, item_ids)
        except mfx.ModelError:
            return np.zeros(1, np.float32)


@mutant("a_model_that_is_not_fitted_says_so")
class Unfitted(Sound):
    def recommend(self, users=None, k=10, **options):
        if not self.fitted:
            return None
        return super().recommend(users, k, **options)


@mutant("fold_in_does_not_depend_on_the_order_of_ratings")
class Ordered(Sound):
    def fold_in(self, item_ids, ratings):
        folded = super().fold_in(item_ids, ratings)
        if len(item_ids) == 3 and item_ids[0] > item_ids[-1]:
            folded.scores[:] += 0.01
        return folded


@mutant("fold_in_leaves_the_model_alone")
class Learns(Sound):
    def fold_in(self, item_ids, ratings):
        folded = super().fold_in(item_ids, ratings)
        if len(item_ids) == 2:
            self.items_ = self.items_ + np.float32(0.01)
        return folded


@mutant("malformed_profiles_are_refused")
class Careless(Sound):
    def fold_in(self, item_ids, ratings):
        return super().fold_in(item_ids, np.nan_to_num(np.asarray(ratings, dtype=float)))


@mutant("saving_and_loading_keeps_the_scores")
class Rounds(Sound):
    def save(self, folder):
        kept, self.users_ = self.users_, self.users_ + np.float32(1e-3)
        try:
            return super().save(folder)
        finally:
            self.users_ = kept


@mutant("a_loaded_model_does_all_that_a_fitted_one_does")
class HalfLoaded(Sound):
    def learn(self, train, on_epoch):
        super().learn(train, on_epoch)
        self.helper_ = True

    def fold_in_scores(self, items, values):
        shift = 0.0 if getattr(self, "helper_", False) else 1.0
        return super().fold_in_scores(items, values) + np.float32(shift)


@mutant("nothing_is_pickled")
class Pickles(Sound):
    def save(self, folder):
        import pickle

        found = super().save(folder)
        Path(found, "extra.bin").write_bytes(pickle.dumps({"a": 1}))
        return found


@mutant("a_new_model_learns_nothing_from_an_old_one")
class Shared(Sound):
    def set_context(self, catalogue, scale, seen):
        super().set_context(catalogue, scale, seen)
        Shared.latest = (catalogue, scale, seen)

    @property
    def fitted(self):
        import inspect

        asked_by = {frame.function for frame in inspect.stack()}
        return super().fitted or (
            "test_a_new_model_learns_nothing_from_an_old_one" in asked_by and hasattr(Shared, "latest")
        )
