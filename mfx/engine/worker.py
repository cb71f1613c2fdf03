"""What runs in a worker: pure functions of what they are given."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfx.interfaces import AnyArray, FloatArray

_latest: dict[str, Any] = {}
"""The packed table of the update under way, by its key: all blocks of an update share it, so no other is kept."""


@dataclass(frozen=True, eq=False)
class Done:
    """What a worker gives back.

    Attributes
    ----------
    rows : float32 array
        The block's new rows.
    result : object
        What else the task returned.
    worker : int
        The worker, a number of its own.
    fetching, kernels : float
        Seconds in which it got what it needed, and in which it computed.
    """

    rows: FloatArray
    result: Any
    worker: int
    fetching: float
    kernels: float


def update_block(
    block: tuple[AnyArray, AnyArray, AnyArray], fetch: Callable[[], FloatArray], key: str, offset: float, task: Any
) -> Done:
    """Do a task to a block of rows, on one thread.

    Parameters
    ----------
    block : tuple of array
        ``indptr``, ``indices`` and ``values`` of the rows.
    fetch : callable
        Gets the other side's table.
    key : str
        That of the update: another key is another table.
    offset : float
        Constant part of every prediction.
    task : mfx.solver.elsewhere.BlockTask
        What to do.
    """
    import numba

    from mfx.solver.layout import SparseRows
    from mfx.solver.packed import PackedTable

    numba.set_num_threads(1)
    begin = time.perf_counter()
    if key not in _latest:
        table = writable(fetch())
        _latest.clear()
        _latest[key] = PackedTable.of(table, offset)
    rows, own = SparseRows(*map(writable, block)), writable(task)
    fetched = time.perf_counter()
    out, result = own(rows, _latest[key])
    return Done(out, result, _number(), fetched - begin, time.perf_counter() - fetched)


def _number() -> int:
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
