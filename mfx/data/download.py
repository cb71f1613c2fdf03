"""Fetch a file once, check it, keep it."""

from __future__ import annotations

import hashlib
import logging
import re
import sys
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mfx.data.cache import cache_folder
from mfx.data.raw import log
from mfx.errors import DataError, mask

if TYPE_CHECKING:
    from rich.progress import Progress

_CHUNK = 1 << 16
_BY_LENGTH = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}


def split_checksum(checksum: str) -> tuple[str, str]:
    """Return algorithm and digest of ``md5:...``, ``sha256:...`` or a bare digest, told by its length.

    Raises
    ------
    DataError
        If it is none of these.
    """
    algorithm, _, digest = checksum.strip().lower().rpartition(":")
    algorithm = algorithm or _BY_LENGTH.get(len(digest), "")
    hexadecimal = all(c in "0123456789abcdef" for c in digest)
    if algorithm not in _BY_LENGTH.values() or _BY_LENGTH.get(len(digest)) != algorithm or not hexadecimal:
        raise DataError(f"dataset.checksum={checksum} is no checksum.", "Write it as md5:... or sha256:...")
    return algorithm, digest


def download_path(url: str, checksum: str | None) -> Path:
    """Return where the file of an address is kept; another checksum is another file."""
    key = hashlib.blake2b(f"{url} {checksum or ''}".encode(), digest_size=8).hexdigest()
    return cache_folder() / "downloads" / f"{key}-{PurePosixPath(urlsplit(url).path).name or 'file'}"


def fetch(url: str, checksum: str | None, *, unverified: bool = False) -> Path:
    """Return the file of an address, downloaded unless it is there already with the right checksum.

    An interrupted download leaves nothing behind and starts afresh: the file gets its name only after its checksum
    was right.

    Parameters
    ----------
    url : str
        Address, http or https.
    checksum : str or None
        What the file must hash to.
    unverified : bool
        Whether to accept a file whose checksum nobody knows.

    Raises
    ------
    DataError
        If the host cannot be reached, the file is not there or incomplete, its checksum is wrong, or there is none
        to check against.
    """
    if not url.lower().startswith(("https://", "http://")):
        raise DataError(f"dataset.url={url} is no http or https address.", "Use dataset.path for a local file.")
    expected = None if checksum is None else ":".join(split_checksum(checksum))
    target = download_path(url, expected)
    if expected is None and not unverified:
        raise DataError(
            f"No checksum is known for {url}, so it is not downloaded.",
            "Give dataset.checksum=sha256:..., or accept any content with dataset.allow_unverified=true, "
            "or fetch it yourself and set dataset.path.",
        )
    if target.exists() and expected is not None and _digest(target, expected.partition(":")[0]) != expected:
        log.warning("%s is no longer the file with the checksum %s; it is fetched again.", target, expected)
        target.unlink()
    if not target.exists():
        _download(url, expected, target)
        if expected is None:
            found = _digest(target, "sha256")
            log.warning("%s was downloaded unverified; pin it with dataset.checksum=%s", mask(url), found)
    return target


def _digest(path: Path, algorithm: str) -> str:
    try:
        with path.open("rb") as stream:
            return f"{algorithm}:{hashlib.file_digest(stream, algorithm).hexdigest()}"
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}).", "Delete it, and it is fetched again.") from error


def _download(url: str, expected: str | None, target: Path) -> None:
    import pooch
    import requests

    pooch.get_logger().setLevel(logging.WARNING)
    progress = _Bar() if sys.stderr.isatty() else None
    downloader = pooch.HTTPDownloader(progressbar=progress or False, chunk_size=_CHUNK, timeout=30)
    hint = "Check the network, or fetch the file yourself and set dataset.path to it."
    try:
        pooch.retrieve(url, expected, fname=target.name, path=target.parent, downloader=downloader)
    except requests.HTTPError as error:
        code = error.response.status_code if error.response is not None else "an error"
        raise DataError(f"{url} answered {code}.", hint) from error
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
        raise DataError(f"The download of {url} broke off before its end.", "Run the command again.") from error
    except requests.RequestException as error:
        raise DataError(
            f"{urlsplit(url).netloc} cannot be reached for {url} ({type(error).__name__}).", hint
        ) from error
    except ValueError as error:
        found = re.search(r"but got ([0-9a-f]+)", str(error))
        detail = f" but {found[1]}" if found else ""
        raise DataError(
            f"{url} does not have the checksum {expected}{detail}; it was thrown away.",
            "It may have been cut off or changed: try again, or set dataset.checksum after checking what changed.",
        ) from error
    except OSError as error:
        raise DataError(f"{target.parent} cannot be written ({error}).", "Set MFX_CACHE to another folder.") from error
    finally:
        if progress is not None:
            progress.close()


class _Bar:
    """What pooch wants of a progress bar, drawn by rich on a terminal."""

    def __init__(self) -> None:
        self.total = 0
        self._bar: Progress | None = None

    def update(self, count: int) -> None:
        """Count bytes that arrived."""
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

        if self._bar is None:
            parts = ("Downloading", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
            self._bar = Progress(*parts, console=Console(stderr=True))
            self._bar.add_task("download", total=self.total or None)
            self._bar.start()
        self._bar.advance(self._bar.task_ids[0], count)

    def reset(self) -> None:
        """Start again from nothing: pooch does so to draw the finished bar."""
        if self._bar is not None:
            self._bar.reset(self._bar.task_ids[0])

    def close(self) -> None:
        """Leave the finished bar on the screen."""
        if self._bar is not None:
            self._bar.stop()
