"""A zip or a folder that is already there, read member by member and never unpacked."""

from __future__ import annotations

import contextlib
import hashlib
import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from mfx.errors import DataError

_DEPTH = 3
_LARGE = 128 << 20
_SWOLLEN = 100
_MILLISECOND = 1_000_000


@dataclass(frozen=True)
class Source:
    """Files to read.

    Attributes
    ----------
    path : pathlib.Path
        The zip or folder.
    members : tuple of str
        Files in it, relative, with forward slashes; the shallowest first.
    """

    path: Path
    members: tuple[str, ...]

    @classmethod
    def at(cls, path: str | Path) -> Source:
        """Look into a zip or folder.

        Raises
        ------
        DataError
            If nothing is there, or it is neither a folder nor a whole zip.
        """
        place = Path(path).expanduser()
        if place.is_dir():
            found = [p for depth in range(1, _DEPTH + 1) for p in place.glob("/".join("*" * depth)) if p.is_file()]
            return cls(place, _by_depth([p.relative_to(place).as_posix() for p in found]))
        if not place.exists():
            raise DataError(f"{place} does not exist.", "Give dataset.path the zip or folder that holds the ratings.")
        try:
            with zipfile.ZipFile(place) as archive:
                names = [info.filename for info in archive.infolist() if not info.is_dir()]
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
            hint = "It may be truncated: delete it and fetch it again."
            if place.suffix.lower() != ".zip":
                hint = "Give the zip or the folder; dataset=table reads single files."
            raise DataError(f"{place} is not a whole zip file ({error}).", hint) from error
        except OSError as error:
            raise DataError(f"{place} cannot be read ({error}).", "Check its permissions.") from error
        return cls(place, _by_depth([name for name in names if _is_inside(name)]))

    def find(self, name: str) -> str | None:
        """Return the shallowest member with that file name, or None."""
        return next((member for member in self.members if PurePosixPath(member).name == name), None)

    def where(self, member: str) -> str:
        """Name a member for messages."""
        return str(self.path / member) if self.path.is_dir() else f"{self.path}:{member}"

    @contextlib.contextmanager
    def open(self, member: str) -> Iterator[IO[bytes]]:
        """Open a member as a stream of bytes.

        Raises
        ------
        DataError
            If the member is missing, encrypted or damaged, also when that shows while it is read.
        """
        try:
            if self.path.is_dir():
                with (self.path / member).open("rb") as stream:
                    yield stream
            else:
                with zipfile.ZipFile(self.path) as archive:
                    self._check_size(archive.getinfo(member))
                    with archive.open(member) as stream:
                        yield stream
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError) as error:
            raise DataError(
                f"{self.where(member)} is damaged ({error or type(error).__name__}).",
                "Delete the zip and fetch it again.",
            ) from error
        except OSError as error:
            raise DataError(f"{self.where(member)} cannot be read ({error}).", "Check the file.") from error

    def _check_size(self, member: zipfile.ZipInfo) -> None:
        """Refuse a member that swells: text becomes five to ten times as large, never a hundred times."""
        if member.file_size > _LARGE and member.file_size > _SWOLLEN * member.compress_size:
            raise DataError(
                f"{self.where(member.filename)} would unpack to {member.file_size / 1e6:,.0f} MB, more than "
                f"{_SWOLLEN} times its size in the zip: that is no table of ratings.",
                "Fetch the zip again from where it is published.",
            )

    def text(self, member: str) -> str:
        """Return a small member as text: UTF-8, or Latin-1 as in the oldest GroupLens files."""
        with self.open(member) as stream:
            content = stream.read()
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            return content.decode("latin-1")

    def identity(self) -> dict[str, object]:
        """Say what would change if the files did: path, and the stamp of each file."""
        place = self.path.resolve()
        files = [place / member for member in self.members] if place.is_dir() else [place]
        return {"path": str(place), "files": [[str(f), *file_stamp(f)] for f in files]}


def file_stamp(path: Path) -> tuple[int | str, ...]:
    """Return what tells whether a file is still the one that was read, without reading it.

    Size, time of modification, time of change (nanoseconds) and inode: whoever replaces or rewrites a file can set the
    time of modification back, but not the time of change. Where that time does not tell (Windows has none, some file
    systems count in seconds), a digest of the content comes on top. A copy of the same file has another stamp and is
    read again.
    """
    status = path.stat()
    stamp = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    if os.name != "nt" and status.st_ctime_ns % _MILLISECOND:
        return stamp
    with path.open("rb") as stream:
        return (*stamp, hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest())


def _is_inside(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return not name.startswith("/") and ".." not in parts and "__MACOSX" not in parts


def _by_depth(names: list[str]) -> tuple[str, ...]:
    return tuple(sorted(names, key=lambda name: (name.count("/"), name)))
