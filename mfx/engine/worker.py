"""What runs in a worker: pure functions of what they are given."""

from __future__ import annotations

import dataclasses
import functools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mfx.interfaces import AnyArray, FloatArray

if TYPE_CHECKING:
    from mfx.solver.elsewhere import BlockTask
    from mfx.solver.packed import PackedTable


@dataclass(frozen=True, eq=False)
class Done:
    """What a worker gives back.

    Attributes
    ----------
    found : list of tuple
        Of each block, what its task returned.
    worker : int
        The worker, a number of its own.
    fetching, kernels : float
        Seconds in which it got what it needed, and in which it computed.
    """

    found: list[tuple[FloatArray, Any]]
    worker: int
    fetching: float
    kernels: float


def update_blocks(
    blocks: Sequence[tuple[AnyArray, AnyArray, AnyArray]],
    fetch: Callable[[], PackedTable],
    tasks: Sequence[BlockTask],
) -> Done:
    """Do a task to each of some blocks of rows, on one thread.

    Parameters
    ----------
    blocks : sequence of tuple of array
        ``indptr``, ``indices`` and ``values`` of the rows of each.
    fetch : callable
        Gets the other side's table.
    tasks : sequence of BlockTask
        What to do to each.
    """
    import numba

    from mfx.solver.layout import SparseRows

    numba.set_num_threads(1)
    begin = time.perf_counter()
    other = writable(fetch())
    fetched = time.perf_counter()
    pairs = zip(blocks, tasks, strict=True)
    found = [writable(task)(SparseRows(*map(writable, block)), other) for block, task in pairs]
    return Done(found, worker_number(), fetched - begin, time.perf_counter() - fetched)


@functools.cache
def worker_number() -> int:
    """Return a number that no other worker has, be it on another machine."""
    import socket
    import zlib

    return zlib.crc32(socket.gethostname().encode()) << 32 | os.getpid()


class _Shared:
    """An array of memory that numpy takes for read-only."""

    def __init__(self, array: AnyArray) -> None:
        self._array = array
        place, _ = array.__array_interface__["data"]
        self.__array_interface__ = {**array.__array_interface__, "data": (place, False)}


def writable(value: Any) -> Any:
    """Return arrays, also those in dataclasses and mappings, as writable views of the memory that workers share.

    Nobody writes into it. But to numba arrays that may be written to and others are different types, and kernels
    would be compiled once more for these.
    """
    if isinstance(value, np.ndarray):
        return value if value.flags.writeable or not value.size else np.asarray(_Shared(value))
    if isinstance(value, Mapping):
        return {name: writable(one) for name, one in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: writable(getattr(value, field.name)) for field in dataclasses.fields(value) if field.init}
        return dataclasses.replace(value, **parts)
    return value
