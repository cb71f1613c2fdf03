"""Numbers of threads, for the law that they do not matter."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest


def several(whose: str) -> int:
    """Return a number of threads above one that can be set; skip the test where there is none.

    Parameters
    ----------
    whose : {"solver", "blas"}
        The kernels of `mfx.solver`, or the linear algebra below numpy and scipy.
    """
    if whose == "solver":
        import numba

        config: Any = numba.config
        if config.NUMBA_NUM_THREADS == 1:
            pytest.skip("numba has one thread only: a second processor, or another NUMBA_NUM_THREADS, is needed")
        return int(config.NUMBA_NUM_THREADS)
    import threadpoolctl

    with threads("blas", 2):
        if not any(one["num_threads"] == 2 for one in threadpoolctl.threadpool_info() if one["user_api"] == "blas"):
            pytest.skip("no BLAS is loaded whose threads can be set")
    return 2


@contextlib.contextmanager
def threads(whose: str, count: int) -> Iterator[None]:
    """Let the solver, or BLAS, work with so many threads inside the block."""
    if whose == "solver":
        import numba

        before = numba.get_num_threads()
        numba.set_num_threads(count)
        try:
            yield
        finally:
            numba.set_num_threads(before)
        return
    import threadpoolctl

    with threadpoolctl.threadpool_limits(limits=count, user_api="blas"):
        yield
