"""What code a class consists of, so that what it once read is not taken for what it would read now."""

from __future__ import annotations

import hashlib
import importlib.metadata
import sys
from pathlib import Path

from mfx import registry


def code_of(cls: type, defined: int) -> dict[str, str] | None:
    """Return the code of a data set, as far as it decides what is read; None where that cannot be known.

    It is the source of the modules that define the class and its bases, with the other modules of their folders (a
    reader beside it may have changed), and the version of the distribution that registered the class. What the
    settings, Python's library and other packages do is left out.

    Parameters
    ----------
    cls : type
        The class.
    defined : int
        When it was defined, in nanoseconds since 1970. None is returned if a file changed later: this process runs
        code that is no longer on disk.
    """
    modules = {base.__module__ for base in cls.__mro__}
    names = {name for name in modules if name.startswith("mfx.data") or name.partition(".")[0] not in _NOT_ITS_OWN}
    folders = [_sources(name) for name in sorted(names)]
    files = sorted({file for found in folders for file in found})
    if not all(folders) or any(max(at.st_ctime_ns, at.st_mtime_ns) > defined for at in map(Path.stat, files)):
        return None
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file.name} {len(content)} ".encode() + content)
    package = registry.package_of(cls)
    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        version = ""
    return {
        "class": f"{cls.__module__}.{cls.__qualname__}",
        "package": f"{package} {version}",
        "source": digest.hexdigest(),
    }


_NOT_ITS_OWN = sys.stdlib_module_names | {"mfx"}


def _sources(name: str) -> list[Path]:
    """Return the source file of a module; of one in a package all files of its folder and below."""
    module = sys.modules.get(name)
    path = Path(getattr(module, "__file__", None) or "")
    if path.suffix != ".py" or not path.is_file():
        return []
    return sorted(path.parent.rglob("*.py")) if getattr(module, "__package__", None) else [path]
