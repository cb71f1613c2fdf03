"""What a model scores, refused where it is not finite or not of the shape and type that was agreed."""

from __future__ import annotations

import numpy as np

from mfx.errors import MetricError
from mfx.interfaces import FloatArray, IndexArray, Model, Ratings

_PAIRS = 1 << 20
_ADVICE = "The fit has probably diverged: lower the learning rate, raise the regularisation or fit fewer epochs."


def predict_pairs(model: Model, users: IndexArray, items: IndexArray) -> FloatArray:
    """Predict ratings of held-out pairs in blocks: by ``predict_pairs`` of the model, or else by its scores.

    Raises
    ------
    MetricError
        As `score_pairs` does.
    """
    method = "predict_pairs" if hasattr(model, "predict_pairs") else "score_pairs"
    return _in_blocks(model, method, users, items, "predicts", "held-out ratings")


def score_pairs(model: Model, users: IndexArray, items: IndexArray) -> FloatArray:
    """Score sampled candidates in blocks; float32, shape of `users`.

    Raises
    ------
    MetricError
        If a score is not finite, or the model returns another shape or type.
    """
    return _in_blocks(model, "score_pairs", users, items, "scores", "sampled candidates")


def _in_blocks(model: Model, method: str, users: IndexArray, items: IndexArray, does: str, what: str) -> FloatArray:
    values = np.empty(users.size, dtype=np.float32)
    for start in range(0, users.size, _PAIRS):
        rows = slice(start, start + _PAIRS)
        block = getattr(model, method)(users[rows], items[rows])
        _check_array(model, method, block, users[rows].shape)
        wrong = int(np.count_nonzero(~np.isfinite(block)))
        if wrong:
            raise MetricError(
                f"{type(model).__name__} {does} {wrong:,} of {block.size:,} {what} as NaN or infinity.", _ADVICE
            )
        values[rows] = block
    return values


def score_block(model: Model, users: IndexArray, held_out: Ratings) -> FloatArray:
    """Score every item for some users, in an array that may be overwritten; float32, shape (len(users), items).

    Raises
    ------
    MetricError
        As `score_pairs` does.
    """
    from mfx.solver import topk

    scores = model.score_users(users)
    _check_array(model, "score_users", scores, (users.size, held_out.n_items))
    wrong = np.flatnonzero(topk.check_scores(scores))
    if wrong.size:
        first = held_out.catalogue.user_ids[users[wrong[0]]]
        raise MetricError(
            f"{type(model).__name__} scores items as NaN or infinity for {wrong.size:,} of {users.size:,} users, the "
            f"first being user {first}.",
            _ADVICE,
        )
    writable = scores.flags.writeable and scores.flags.c_contiguous
    return scores if writable else np.array(scores, order="C")


def _check_array(model: Model, method: str, scores: FloatArray, shape: tuple[int, ...]) -> None:
    if not isinstance(scores, np.ndarray) or scores.shape != shape or scores.dtype != np.float32:
        found = f"{scores.dtype} {scores.shape}" if isinstance(scores, np.ndarray) else type(scores).__name__
        raise MetricError(
            f"{type(model).__name__}.{method} returned {found}, not float32 {shape}.", "Correct the model."
        )
