"""Errors that a person can act on: what was wrong, where, and what to do about it."""

from __future__ import annotations

import difflib
import errno
import re
from collections.abc import Iterable, Mapping
from typing import Any

# Hydra writes colons with a backslash before them where it quotes what was typed.
_CREDENTIALS = re.compile(r"\b(?!sqlite|file)([A-Za-z][\w+.\-]*\\?)://[^\s'\"]*@")
_SECRETS = re.compile(r"(?i)\b(password|passwd|pwd|token|secret|access_?key|api_?key)=[^&\s'\"]+")


def mask(text: str) -> str:
    """Hide user names, passwords and tokens of every address in a text.

    ``postgresql://ann:secret@db/mfx`` becomes ``postgresql://***@db/mfx``, and ``?token=abc`` becomes
    ``?token=***``.
    """
    return _SECRETS.sub(r"\1=***", _CREDENTIALS.sub(r"\1://***@", text))


def masked(plain: Any) -> Any:
    """Hide, as `mask` does, what is secret in every text of plain values: mappings, lists and what is in them."""
    if isinstance(plain, str):
        return mask(plain)
    if isinstance(plain, Mapping):
        return {key: masked(value) for key, value in plain.items()}
    return [masked(value) for value in plain] if isinstance(plain, list | tuple) else plain


class MFXError(Exception):
    """Base of every error that MFX raises on purpose.

    Parameters
    ----------
    message : str
        One line: what was wrong and where. Line breaks and other control characters, such as those of an input that
        is quoted, are written as escapes, and secrets in addresses are hidden.
    hint : str, optional
        One line: what to do about it.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = _on_one_line(mask(message))
        self.hint = _on_one_line(mask(hint))
        super().__init__(f"{self.message} {self.hint}".rstrip())


def _on_one_line(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


class SettingError(MFXError):
    """A setting has an unknown name, a wrong type or a value out of its range."""


class UnknownName(MFXError):
    """No component of that kind carries the name that was asked for."""


class DataError(MFXError):
    """Ratings, or a file that should hold them, are missing, malformed or unusable."""


class SplitError(MFXError):
    """A split cannot be made, or would leave a part empty."""


class ModelError(MFXError):
    """A model cannot be fitted, asked, saved or loaded."""


class MetricError(MFXError):
    """A metric is malformed or does not apply."""


class TrackingError(MFXError):
    """The place where runs are kept cannot be reached or written."""


class RunGone(TrackingError):
    """A run that was opened before is not in its store any more."""


class PluginError(MFXError):
    """A plugin cannot be loaded, or clashes with another one."""


class StorageError(MFXError):
    """The system refuses to read or write: a full disk, a missing permission and the like."""


_NO_SPACE = "Free disk space, then type the same command again."
_NO_RIGHT = "Make it writable, or work in another folder, then type the same command again."
_HINTS = {
    errno.ENOSPC: _NO_SPACE,
    errno.EDQUOT: _NO_SPACE,
    errno.EFBIG: _NO_SPACE,
    errno.EACCES: _NO_RIGHT,
    errno.EPERM: _NO_RIGHT,
    errno.EROFS: _NO_RIGHT,
    errno.EIO: "The disk, or the network behind it, does not work: see the system's log.",
    errno.ESTALE: "The network file system lost it: mount it again, then type the same command again.",
    errno.EMFILE: "Raise the limit of open files (ulimit -n), then type the same command again.",
    errno.ENFILE: "The system has too many open files: end other programs, then type the same command again.",
}


def of_system(error: BaseException | None) -> StorageError | None:
    """Tell an error that the system's state is to blame for in a person's words; None for any other error."""
    if not isinstance(error, OSError) or error.errno not in _HINTS:
        return None
    place = error.filename2 or error.filename
    what = "A file" if place is None or isinstance(place, int) else str(place)
    return StorageError(f"{what} cannot be used: {error.strerror}.", _HINTS[error.errno])


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return a hint that names the closest of the known names and lists them all."""
    options = sorted(known)
    close = difflib.get_close_matches(wrong, options, n=1)
    guess = f"Did you mean '{close[0]}'? " if close else ""
    return f"{guess}Available: {', '.join(options) if options else 'none'}."
