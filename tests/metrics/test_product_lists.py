from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from mfx.errors import MetricError
from mfx.metrics import lists, ranking, ratings  # noqa: F401 - registers the metrics
from mfx.metrics.evaluation import EvaluationSettings, evaluate
from mfx.metrics.names import create_metrics
from mfx.solver import ScoreProduct

METRICS = ["ndcg@3", "recall@7", "coverage@5", "novelty@5"]


@dataclass
class Product:
    """A model whose scores are a product of small whole numbers: exact, with many ties."""

    users: np.ndarray[Any, Any]
    items: np.ndarray[Any, Any]
    as_product: bool
    rows_scored: int = 0
    predicts: ClassVar[Any] = "ranking"
    objective: ClassVar[str] = "ndcg@10"

    def score_users(self, users: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        self.rows_scored += len(users)
        with np.errstate(invalid="ignore", over="ignore"):
            return self.users[users] @ self.items.T

    def score_product(self, users: np.ndarray[Any, Any]) -> ScoreProduct | None:
        if not self.as_product:
            return None
        return ScoreProduct(self.users[users], self.items, np.zeros(len(users), np.float32))


@pytest.fixture
def factors(world: Any) -> Any:
    rng = np.random.default_rng(0)
    seen = world.seen
    return [rng.integers(-2, 3, (n, 4)).astype(np.float32) for n in (seen.n_users, seen.n_items)]


@pytest.mark.parametrize("ties", ["item_order", "pessimistic"])
@pytest.mark.parametrize("candidates", ["unseen", "unseen_rated"])
def test_lists_of_a_product_are_those_of_its_scores(world: Any, factors: Any, ties: str, candidates: str) -> None:
    settings = EvaluationSettings(ties=ties, candidates=candidates)
    seen = world.seen.take(world.seen.items % 3 > 0)  # a third of the items is rated by nobody
    results = []
    for as_product in (True, False):
        model = Product(*factors, as_product)
        results.append(evaluate(model, seen, world.held_out, create_metrics(METRICS), settings))
        assert (model.rows_scored == 0) == as_product
    for name in METRICS:
        assert results[0].values[name] == results[1].values[name]
    assert (results[0].values["coverage@5"] <= 40 / 60) == (candidates == "unseen_rated")


def test_asking_for_ranks_as_well_changes_no_list(world: Any, factors: Any) -> None:
    alone = evaluate(Product(*factors, True), world.seen, world.held_out, create_metrics(METRICS))
    both = evaluate(Product(*factors, True), world.seen, world.held_out, create_metrics([*METRICS, "auc"]))
    assert {name: both.values[name] for name in METRICS} == alone.values
    plain = evaluate(Product(*factors, False), world.seen, world.held_out, create_metrics(["auc"]))
    assert both.values["auc"] == plain.values["auc"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e38])
def test_a_product_that_overflows_is_an_error(world: Any, factors: Any, bad: float) -> None:
    factors[0][int(world.held_out.users[0])] = bad
    with pytest.raises(MetricError, match="NaN or infinity"):
        evaluate(Product(*factors, True), world.seen, world.held_out, create_metrics(METRICS))
