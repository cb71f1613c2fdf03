"""One way to compile: every kernel of the solver is made by `kernel`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def kernel(*, parallel: bool = False) -> Callable[[F], F]:
    """Compile a function of arrays and numbers, cached on disk and free of the interpreter lock.

    Sums may be reordered for vectorisation, but NaN and infinity keep their meaning, so that divergence can be seen.

    Parameters
    ----------
    parallel : bool
        Whether ``numba.prange`` loops run on several threads. Iterations must write to disjoint memory: results
        then cannot depend on the number of threads. With ``NUMBA_BOUNDSCHECK=1`` they run on one, since numba loses
        an index error of a thread.
    """
    checked = bool(vars(numba.config)["BOUNDSCHECK"])

    def compile_(function: F) -> F:
        compiled = numba.njit(
            cache=True,
            nogil=True,
            parallel=parallel and not checked,
            fastmath={"contract", "reassoc", "nsz", "arcp"},
            error_model="numpy",
        )(function)
        return cast(F, compiled)

    return compile_
