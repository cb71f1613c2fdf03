"""One file of named arrays, memory-mapped when it is read: what the columnar cache is made of.

Layout: the magic, the length of the header (8 bytes, little endian), its CRC-32 (4 bytes), the header (JSON: free
metadata, and name, dtype, shape, offset and CRC-32 of each array), then the arrays, each on a 64-byte boundary.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mfx.files import atomic_file
from mfx.interfaces import AnyArray

_MAGIC = b"MFXCOL01"
_START = struct.Struct("<8sQI")
_ALIGN = 64


class DamagedFile(Exception):
    """The file is not a whole store of columns."""


def write_columns(path: Path, columns: Mapping[str, AnyArray], meta: Mapping[str, Any]) -> None:
    """Write arrays and metadata atomically.

    Parameters
    ----------
    path : pathlib.Path
        Where; folders are made.
    columns : mapping of str to array
        Arrays of numbers or booleans.
    meta : mapping
        Anything that JSON can hold.

    Raises
    ------
    OSError
        If the place cannot be written.
    """
    table, offset, plain = [], 0, {name: np.ascontiguousarray(column) for name, column in columns.items()}
    for name, column in plain.items():
        table.append(
            {
                "name": name,
                "dtype": column.dtype.str,
                "shape": column.shape,
                "offset": offset,
                "crc": zlib.crc32(_bytes(column)),
            }
        )
        offset += -(-column.nbytes // _ALIGN) * _ALIGN
    header = json.dumps({"columns": table, "meta": meta}).encode()
    header += b" " * (-(_START.size + len(header)) % _ALIGN)
    with atomic_file(path) as temporary, temporary.open("wb") as stream:
        stream.write(_START.pack(_MAGIC, len(header), zlib.crc32(header)))
        stream.write(header)
        for column in plain.values():
            stream.write(_bytes(column))
            stream.write(b"\0" * (-column.nbytes % _ALIGN))


def read_columns(path: Path) -> tuple[dict[str, AnyArray], dict[str, Any]]:
    """Map the arrays of a file into memory and check every byte of them.

    The arrays may be written to: changes stay in this process and never reach the file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DamagedFile
        If it is truncated or altered, or of another format.
    """
    with path.open("rb") as stream:
        start = stream.read(_START.size)
        if len(start) < _START.size:
            raise DamagedFile("it is truncated")
        magic, length, crc = _START.unpack(start)
        if magic != _MAGIC:
            raise DamagedFile("it has another format")
        header = stream.read(length) if length <= path.stat().st_size else b""
    if len(header) < length or zlib.crc32(header) != crc:
        raise DamagedFile("its header is damaged")
    content = json.loads(header)
    body, size = _START.size + length, path.stat().st_size
    columns: dict[str, AnyArray] = {}
    for entry in content["columns"]:
        dtype, shape = np.dtype(entry["dtype"]), tuple(entry["shape"])
        nbytes = dtype.itemsize * int(np.prod(shape))
        if body + entry["offset"] + nbytes > size:
            raise DamagedFile("it is truncated")
        column: AnyArray
        if nbytes:
            # A private mapping stays writable, so kernels see the same array type as after a first read.
            mapped = np.memmap(path, dtype, mode="c", offset=body + entry["offset"], shape=shape)
            column = mapped.view(np.ndarray)
        else:
            column = np.empty(shape, dtype)
        if zlib.crc32(_bytes(column)) != entry["crc"]:
            raise DamagedFile(f"column '{entry['name']}' is damaged")
        columns[entry["name"]] = column
    return columns, content["meta"]


def _bytes(column: AnyArray) -> memoryview:
    return column.reshape(-1).view(np.uint8).data
