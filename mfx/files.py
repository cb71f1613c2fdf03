"""Writing files so that a reader finds the old file or the new one, never half of one."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it takes the name of `path` when the block ends without an error.

    The folder is made if need be. After an error the temporary file is removed and `path` is as it was. After the
    block the file outlasts a loss of power.

    Raises
    ------
    OSError
        If the file cannot be written; it names `path` where the system names nothing or the temporary path.
    """
    try:
        with _drafted(path) as temporary:
            yield temporary
    except OSError as error:
        named = "" if error.filename is None else Path(str(error.filename)).name
        if error.errno is not None and (not named or named.startswith(f".{path.name}.")):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


@contextlib.contextmanager
def _drafted(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files private; results are as readable as any other file of this user.
        temporary.chmod(0o666 & ~_umask())
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
        _keep_names(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; it takes that name when the block ends without an error.

    After an error it is removed, and there is no `path`, or the empty folder that there was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        temporary.replace(path)
        _keep_names(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a temporary folder, removed after the block as far as the system allows.

    That of `tempfile` recurses without end where removing is forbidden.
    """
    scratch = Path(tempfile.mkdtemp(prefix="mfx-"))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def _keep_names(folder: Path) -> None:
    """Have the names in a folder written to disk: that of a file is not part of the file (see fsync(2))."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def copy_folder(source: Path, target: Path) -> None:
    """Copy every file below a folder, each atomically."""
    for path in sorted(source.rglob("*")):
        if path.is_file():
            with atomic_file(target / path.relative_to(source)) as temporary:
                shutil.copyfile(path, temporary)
