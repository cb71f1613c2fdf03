"""Arrays in, arrays out: the numba back end that every model shares; knows no recommender.

Public building blocks, for models of third parties as for MFX's own; each says its shapes and dtypes:

- layouts: `SparseRows`, `transpose`, `balanced_blocks`;
- row solves of alternating least squares: `solve_rows` with `Ridge`, `Prior` and `gramian`, and `descend_rows`, which
  takes a few steps towards the solution;
- pairwise epochs: `run_epoch`, and `fold_in` for the rows of new users;
- scores and lists: `score_rows`, `score_pairs`, `top_k`, `select`, `ranks`, `mask_seen`, and `best_of_product` of a
  `ScoreProduct`, which never holds all scores;
- order within segments: `group_rows`, `label_tails`;
- random numbers that no order of work changes: `key_of`, `permutation`, and inside kernels `random_bits`, `derive`,
  `to_below`, `to_unit`;
- `kernel`, which compiles a function as all of these are compiled.

Names are imported when they are first used, since numba takes half a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mfx.solver.hashing import derive, key_of, permutation, random_bits, to_below, to_unit
    from mfx.solver.jit import kernel
    from mfx.solver.layout import SparseRows, balanced_blocks, transpose
    from mfx.solver.least_squares import Prior, Ridge, descend_rows, gramian, solve_rows
    from mfx.solver.pairwise import run_epoch
    from mfx.solver.pairwise_fold import fold_in
    from mfx.solver.retrieval import ScoreProduct, best_of_product
    from mfx.solver.scores import score_pairs, score_rows
    from mfx.solver.segments import group_rows, label_tails
    from mfx.solver.topk import mask_seen, ranks, select, top_k

_HOME = {
    "Prior": "mfx.solver.least_squares",
    "Ridge": "mfx.solver.least_squares",
    "ScoreProduct": "mfx.solver.retrieval",
    "SparseRows": "mfx.solver.layout",
    "balanced_blocks": "mfx.solver.layout",
    "best_of_product": "mfx.solver.retrieval",
    "derive": "mfx.solver.hashing",
    "descend_rows": "mfx.solver.least_squares",
    "fold_in": "mfx.solver.pairwise_fold",
    "gramian": "mfx.solver.least_squares",
    "group_rows": "mfx.solver.segments",
    "kernel": "mfx.solver.jit",
    "key_of": "mfx.solver.hashing",
    "label_tails": "mfx.solver.segments",
    "mask_seen": "mfx.solver.topk",
    "permutation": "mfx.solver.hashing",
    "random_bits": "mfx.solver.hashing",
    "ranks": "mfx.solver.topk",
    "run_epoch": "mfx.solver.pairwise",
    "score_pairs": "mfx.solver.scores",
    "score_rows": "mfx.solver.scores",
    "select": "mfx.solver.topk",
    "solve_rows": "mfx.solver.least_squares",
    "to_below": "mfx.solver.hashing",
    "to_unit": "mfx.solver.hashing",
    "top_k": "mfx.solver.topk",
    "transpose": "mfx.solver.layout",
}

__all__ = [
    "Prior",
    "Ridge",
    "ScoreProduct",
    "SparseRows",
    "balanced_blocks",
    "best_of_product",
    "derive",
    "descend_rows",
    "fold_in",
    "gramian",
    "group_rows",
    "kernel",
    "key_of",
    "label_tails",
    "mask_seen",
    "permutation",
    "random_bits",
    "ranks",
    "run_epoch",
    "score_pairs",
    "score_rows",
    "select",
    "solve_rows",
    "to_below",
    "to_unit",
    "top_k",
    "transpose",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mfx.solver' has no attribute '{name}'")
    import importlib

    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
