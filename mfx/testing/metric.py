"""Laws of metrics."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from mfx.interfaces import AnyArray, Catalogue, FloatArray, IndexArray, Ratings, RatingScale
from mfx.metrics.evaluation import evaluate
from mfx.testing.component import ComponentContract

USERS, ITEMS = 40, 60


class Table:
    """A model whose scores are a given table."""

    predicts: ClassVar[Any] = "ratings"
    objective: ClassVar[str] = "rmse"

    def __init__(self, scores: AnyArray) -> None:
        self.scores = np.asarray(scores, dtype=np.float32)

    def fit(self, train: Ratings, *, on_epoch: Any = None) -> Table:
        """Learn nothing."""
        return self

    def score_users(self, users: IndexArray) -> FloatArray:
        """Return rows of the table."""
        return self.scores[users]

    def score_pairs(self, users: IndexArray, items: IndexArray) -> FloatArray:
        """Return entries of the table."""
        return self.scores[users, items]


class MetricContract(ComponentContract):
    """The laws of metrics. Override the fixture `component` with one that returns your metric.

    Attributes
    ----------
    bounds : (float, float)
        Lowest and highest value that the metric can take.
    perfect, worst : float or None
        Value of a perfect model (it knows the held-out ratings) and of the worst (it ranks every held-out item last);
        None where the metric has none. A metric of ratings has no worst value.
    """

    kind = "metric"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    perfect: ClassVar[float | None] = 1.0
    worst: ClassVar[float | None] = 0.0

    @pytest.fixture
    def parts(self) -> tuple[Ratings, Ratings]:
        """Return seen and held-out ratings: a third and a sixth of all pairs, nothing held out of three users."""
        rng = np.random.default_rng(5)
        fate = rng.choice(3, size=(USERS, ITEMS), p=[0.5, 0.33, 0.17])
        fate[-3:][fate[-3:] == 2] = 0
        stars = rng.integers(1, 6, size=fate.shape).astype(float)
        return _ratings(fate == 1, stars), _ratings(fate == 2, stars)

    @pytest.fixture
    def random_scores(self) -> AnyArray:
        """Return scores without ties, between 0 and 5."""
        return np.random.default_rng(6).permutation(USERS * ITEMS).reshape(USERS, ITEMS) * (5.0 / (USERS * ITEMS))

    def value(self, component: Any, scores: AnyArray, parts: tuple[Ratings, Ratings]) -> float:
        """Evaluate a model with these scores."""
        found = evaluate(Table(scores), *parts, {"metric": component})
        assert "metric" in found.values, f"the metric has no value: {found.skipped}"
        return found.values["metric"]

    def test_values_are_within_bounds(self, component: Any, parts: tuple[Ratings, Ratings], random_scores: Any) -> None:
        """Random, perfect and worst models get finite values between the bounds."""
        low, high = self.bounds
        for scores in (random_scores, _perfect(parts), -_perfect(parts), 5.0 - random_scores):
            value = self.value(component, scores, parts)
            assert math.isfinite(value)
            assert low - 1e-9 <= value <= high + 1e-9, f"{value} is outside {self.bounds}"

    def test_a_perfect_model_gets_the_perfect_value(self, component: Any, parts: tuple[Ratings, Ratings]) -> None:
        """Predicting every held-out rating, above all other items, gives `perfect`."""
        if self.perfect is None:
            pytest.skip("perfect is declared as None")
        few = _few(parts, component)
        assert self.value(component, _perfect(few), few) == pytest.approx(self.perfect, abs=1e-6)

    def test_the_worst_ranking_gets_the_worst_value(self, component: Any, parts: tuple[Ratings, Ratings]) -> None:
        """Ranking every held-out item below all others gives `worst`."""
        if self.worst is None:
            pytest.skip("worst is declared as None")
        if component.needs == "ratings":
            pytest.skip("predicted ratings can always be worse")
        assert self.value(component, -_perfect(parts), parts) == pytest.approx(self.worst, abs=1e-6)

    def test_the_direction_is_the_declared_one(
        self, component: Any, parts: tuple[Ratings, Ratings], random_scores: Any
    ) -> None:
        """By `higher_is_better`, a perfect model is better than a random one, which is no worse than the worst."""
        if self.perfect is None or (self.worst is None and component.needs != "ratings"):
            pytest.skip("perfect or worst is declared as None")
        sign = 1.0 if component.higher_is_better else -1.0
        best, middle, least = (
            sign * self.value(component, scores, parts) for scores in (_perfect(parts), random_scores, -_perfect(parts))
        )
        assert best > middle, "a perfect model is not better than a random one"
        assert middle >= least, "a random model is worse than the worst one"

    def test_names_of_users_do_not_matter(
        self, component: Any, parts: tuple[Ratings, Ratings], random_scores: Any
    ) -> None:
        """Renaming users changes nothing."""
        order = np.random.default_rng(7).permutation(USERS)
        renamed = (_renamed(parts[0], order, np.arange(ITEMS)), _renamed(parts[1], order, np.arange(ITEMS)))
        moved = np.empty_like(random_scores)
        moved[order] = random_scores
        assert self.value(component, moved, renamed) == pytest.approx(
            self.value(component, random_scores, parts), rel=1e-9
        )

    def test_names_of_items_do_not_matter(
        self, component: Any, parts: tuple[Ratings, Ratings], random_scores: Any
    ) -> None:
        """Renaming items changes nothing where no scores are equal."""
        order = np.random.default_rng(8).permutation(ITEMS)
        renamed = (_renamed(parts[0], np.arange(USERS), order), _renamed(parts[1], np.arange(USERS), order))
        moved = np.empty_like(random_scores)
        moved[:, order] = random_scores
        assert self.value(component, moved, renamed) == pytest.approx(
            self.value(component, random_scores, parts), rel=1e-9
        )

    def test_the_same_outcome_has_the_same_value(
        self, component: Any, parts: tuple[Ratings, Ratings], random_scores: Any
    ) -> None:
        """A metric keeps nothing of what it was asked before, and draws no numbers."""
        first = self.value(component, random_scores, parts)
        self.value(component, _perfect(parts), parts)
        assert self.value(component, random_scores, parts) == first

    def test_values_of_users_are_one_a_user(
        self, component: Any, parts: tuple[Ratings, Ratings], random_scores: Any
    ) -> None:
        """`per_user`, where there is one, has an entry for each user with held-out ratings, within the bounds."""
        found = evaluate(Table(random_scores), *parts, {"metric": component})
        if "metric" not in found.per_user:
            pytest.skip("it has no values of single users")
        single = found.per_user["metric"]
        assert single.shape == found.users.shape
        defined = single[~np.isnan(single)]
        assert defined.size
        assert self.bounds[0] - 1e-9 <= defined.min()
        assert defined.max() <= self.bounds[1] + 1e-9

    def test_it_does_not_write_to_what_it_is_given(
        self, component: Any, parts: tuple[Ratings, Ratings], random_scores: Any
    ) -> None:
        """Another metric of the same evaluation sees the same outcome."""
        before = [(np.array(part.values), np.array(part.items)) for part in parts]
        seen: list[list[AnyArray]] = []

        class Spy:
            needs = component.needs
            higher_is_better = True
            k = getattr(component, "k", 10)

            def value(self, outcome: Any) -> float:
                arrays = [array for array in vars(outcome).values() if isinstance(array, np.ndarray)]
                seen.append([array.copy() for array in arrays])
                return 0.0

        evaluate(Table(random_scores), *parts, {"before": Spy(), "metric": component, "after": Spy()})  # type: ignore[dict-item]
        for one, other in zip(*seen, strict=True):
            np.testing.assert_array_equal(one, other)
        for (values, items), part in zip(before, parts, strict=True):
            np.testing.assert_array_equal(part.values, values)
            np.testing.assert_array_equal(part.items, items)


def _ratings(mask: AnyArray, stars: AnyArray) -> Ratings:
    users, items = np.nonzero(mask)
    catalogue = Catalogue(np.arange(USERS), np.arange(ITEMS))
    return Ratings.from_columns(users, items, stars[users, items], catalogue=catalogue, scale=RatingScale(1, 5))


def _perfect(parts: tuple[Ratings, Ratings]) -> AnyArray:
    scores = np.linspace(0.0, -1.0, ITEMS) * np.ones((USERS, 1))
    scores[parts[1].users, parts[1].items] = parts[1].values
    return scores


def _few(parts: tuple[Ratings, Ratings], component: Any) -> tuple[Ratings, Ratings]:
    """Hold out as many ratings a user as a list is long, so that precision and recall can both be 1."""
    k = getattr(component, "k", None)
    if component.needs != "lists" or k is None:
        return parts
    seen, held_out = parts
    place = np.arange(len(held_out)) - held_out.user_indptr[held_out.users]
    enough = held_out.user_counts[held_out.users] >= k
    assert enough.any(), f"no user of the sample has {k} held-out ratings: test with a smaller k"
    return seen, replace(held_out.take(enough & (place < k)), name="few")


def _renamed(part: Ratings, users: AnyArray, items: AnyArray) -> Ratings:
    return Ratings.from_columns(
        users[part.users], items[part.items], part.values, catalogue=part.catalogue, scale=part.scale
    )
