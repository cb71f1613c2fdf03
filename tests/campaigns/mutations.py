"""Small changes of source code, as mutmut makes them: in functions, methods and the bodies of classes.

Left out, beside what mutmut leaves out, is what would flatter the tests, as such a change nearly always dies of a
TypeError (assigning None, handing on None or too few arguments), and what cannot change a result: annotations, words
for people, and the dtype of an array that is dropped.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import libcst as cst
from campaign import REPOSITORY
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation import mutators

_LEFT_OUT = (mutators.operator_assignment, mutators.operator_dict_arguments, mutators.operator_lambda)
_OPERATORS = [(kind, change) for kind, change in mutators.mutation_operators if change not in _LEFT_OUT]


@dataclass(frozen=True)
class Mutant:
    """One change of one file.

    Attributes
    ----------
    path : pathlib.Path
        Of the file.
    line : int
        Where the change begins.
    """

    path: Path
    line: int
    _module: cst.Module
    _old: cst.CSTNode
    _new: cst.CSTNode

    @property
    def file(self) -> str:
        """Path of the file inside the repository."""
        return self.path.relative_to(REPOSITORY).as_posix()

    @property
    def name(self) -> str:
        """Dotted name of the module."""
        return self.file.removesuffix(".py").replace("/", ".")

    @cached_property
    def code(self) -> str:
        """The whole file, changed."""
        changed = self._module.deep_replace(self._old, self._new)
        assert isinstance(changed, cst.Module)
        return changed.code

    @cached_property
    def change(self) -> tuple[str, str]:
        """The lines that differ, before and after, without their indentation."""
        lines = list(difflib.unified_diff(self._module.code.splitlines(), self.code.splitlines(), n=0, lineterm=""))[3:]
        before, after = (" ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")
        return before, after


class _Finder(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, cst.CSTNode, cst.CSTNode]] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.Module):
            for one in node.body:
                if isinstance(one, (cst.FunctionDef, cst.ClassDef)):
                    one.visit(self)
            return False
        if isinstance(node, (cst.Annotation, cst.Decorator)) or _is_text(node):
            return False
        for kind, change in _OPERATORS:
            if isinstance(node, kind):
                line = self.get_metadata(PositionProvider, node).start.line
                self.found += [(line, node, new) for new in change(node) if _is_sharp(node, new)]
        return True


def _is_text(node: cst.CSTNode) -> bool:
    """Whether a node is words for people: a docstring, or a string with a space in it."""
    if isinstance(node, cst.Expr) and isinstance(node.value, cst.BaseString):
        return True
    return isinstance(node, cst.SimpleString) and " " in node.value


def _is_sharp(old: cst.CSTNode, new: cst.CSTNode) -> bool:
    if isinstance(old, cst.Call) and isinstance(new, cst.Call) and old.func is new.func:
        gone = [one.keyword for one in old.args if one not in new.args]
        return len(new.args) < len(old.args) and all(one is not None and one.value != "dtype" for one in gone)
    if isinstance(old, cst.SimpleString) and isinstance(new, cst.SimpleString):
        return "XX" in new.value
    return True


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Make every mutant of a file, in order of lines."""
    wrapper = MetadataWrapper(cst.parse_module(path.read_text(encoding="utf-8")))
    finder = _Finder()
    wrapper.visit(finder)
    for line, old, new in finder.found:
        yield Mutant(path, line, wrapper.module, old, new)
