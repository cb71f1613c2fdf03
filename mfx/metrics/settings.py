"""Settings that all metrics of an evaluation share."""

from __future__ import annotations

from dataclasses import dataclass

from mfx.errors import SettingError
from mfx.settings import Component, setting

BLOCK_BYTES = 64 * 2**20
RULES = ("unseen", "unseen_rated")


@dataclass(kw_only=True)
class EvaluationSettings(Component):
    """What counts as relevant, as a candidate, and as a tie; the defaults are those of trec_eval.

    Parameters
    ----------
    relevance_threshold : float or None
        A held-out rating of at least this is relevant; a lower one is an item like any unrated one. None: every
        held-out rating is relevant.
    ties : {"item_order", "pessimistic"}
        Order of equal scores in lists: lower item index (raw id) first; or irrelevant items first, then by item
        index. `auc` always counts a tie as half.
    denominator : {"relevant", "attainable"}
        What recall@k and map@k divide by: all relevant items of the user; or at most k of them, so that 1 can be
        reached. precision@k always divides by k, and ndcg@k by the best list of at most k relevant items.
    users_without_relevant : {"skip", "zero"}
        Whether users with held-out ratings, none of them relevant, are left out of means or count as 0. `auc` is
        undefined for them and always leaves them out.
    candidates : {"unseen", "unseen_rated"} or a number
        What may be recommended: every item of the catalogue without a rating of the user in the history; or only
        those of them that anybody rated there. The history of valid is train. That of test is train and valid, with
        a refit and without: ratings of valid are known by then, even to a model that was not fitted on them. A
        relevant item that is no candidate counts as missed, in `auc` as ranked last. A number N is another protocol:
        see `mfx.metrics.sampled`.
    sampling_seed : int
        Which items a number of candidates draws. It does not follow the seed of the run, so that all runs on one
        split are asked the same.
    block_size : int or None
        Users scored at a time where scores are written down: for `auc`, and for models whose scores are not a
        product; None for as many as fit into 64 MB of scores.
    """

    relevance_threshold: float | None = setting(None)
    ties: str = setting("item_order", choices=("item_order", "pessimistic"))
    denominator: str = setting("relevant", choices=("relevant", "attainable"))
    users_without_relevant: str = setting("skip", choices=("skip", "zero"))
    candidates: str | int = setting("unseen")
    sampling_seed: int = setting(42, ge=0)
    block_size: int | None = setting(None, ge=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        given = self.candidates
        if given not in RULES and (isinstance(given, str) or given < 1):
            raise SettingError(
                f"EvaluationSettings.candidates={given!r} must be one of {', '.join(RULES)}, or how many unseen items "
                "are sampled beside each held-out one."
            )

    @property
    def sampled(self) -> int | None:
        """How many unseen items are sampled beside each held-out one; None where all candidates are ranked."""
        return None if isinstance(self.candidates, str) else self.candidates

    def users_per_block(self, n_items: int) -> int:
        """Users whose scores of all items are in memory at once."""
        return self.block_size or max(1, BLOCK_BYTES // (4 * max(1, n_items)))
