"""`mfx new plugin NAME`: a package with a model, a named experiment and contract tests that pass at once."""

from __future__ import annotations

import keyword
import string
from pathlib import Path

import mfx
from mfx import registry
from mfx.compose import ConfigError
from mfx.files import atomic_folder, write_text

TEMPLATE = Path(__file__).parent / "template"


def main(arguments: list[str]) -> int:
    """Write the package; return the exit status."""
    if not arguments or arguments[0] != "plugin":
        given = f"'{arguments[0]}'" if arguments else "nothing"
        raise ConfigError(f"mfx new makes plugins, not {given}.", "Write mfx new plugin NAME.")
    if len(arguments) != 2:
        raise ConfigError(f"mfx new plugin takes one name, not {len(arguments) - 1}.", "Write mfx new plugin NAME.")
    folder = make_plugin(arguments[1], Path.cwd())
    name = folder.name.removeprefix("mfx-").replace("-", "_")
    print(f"Made {folder}. Next:")
    print(f"  cd {folder.name} && pip install -e '.[test]' && pytest")
    print(f"  mfx model={name}")
    return 0


def make_plugin(given: str, parent: Path) -> Path:
    """Write a plugin package ``mfx-NAME`` below a folder and return its path.

    Raises
    ------
    ConfigError
        If the name cannot be that of a model or package, a model has it already, or the folder exists.
    """
    name = given.removeprefix("mfx-").removeprefix("mfx_").replace("-", "_")
    if not (name.isidentifier() and name.isascii() and name.islower()) or keyword.iskeyword(name):
        raise ConfigError(
            f"'{given}' cannot name a plugin.", "Use lower-case letters, digits and underscores, a letter first."
        )
    taken = {entry.name: entry.package for entry in registry.available("model")}
    if name in taken:
        raise ConfigError(f"There is a model called '{name}' in package '{taken[name]}'.", "Choose another name.")
    folder = parent / f"mfx-{name.replace('_', '-')}"
    if folder.exists():
        raise ConfigError(f"{folder} exists already.", "Choose another name, or remove it.")
    major = int(mfx.__version__.partition(".")[0])
    words = {
        "name": name,
        "dashed": name.replace("_", "-"),
        "package": f"mfx_{name}",
        "title": name.title().replace("_", ""),
        "requirement": f"mfx>={'.'.join(mfx.__version__.split('.')[:2])},<{major + 1}",
    }
    with atomic_folder(folder) as draft:
        for source in sorted(TEMPLATE.rglob("*.txt")):
            place = source.relative_to(TEMPLATE).with_suffix("").as_posix()
            target = draft / place.replace("PACKAGE", words["package"]).replace("NAME", name)
            write_text(target, string.Template(source.read_text(encoding="utf-8")).substitute(words))
    return folder
