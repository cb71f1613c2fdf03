"""Command lines of the form ``NAME=VALUE``, checked: unknown names, wrong types and what is missing cost one line."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from mfx.compose import ConfigError
from mfx.errors import did_you_mean

KINDS = {int: "a whole number", float: "a number", str: "text"}


@dataclass(frozen=True)
class Option:
    """A name that a command knows.

    Attributes
    ----------
    help : str
        One line for ``--help``.
    kind : type
        int, float or str.
    default : value or None
        None where there is none.
    required : bool
        Whether the command cannot do without it.
    """

    help: str
    kind: type = str
    default: Any = None
    required: bool = False


@dataclass(frozen=True)
class Given:
    """What was typed: a value for every option, the options that were really typed, and whether JSON is wanted."""

    values: dict[str, Any]
    typed: frozenset[str]
    as_json: bool

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


class FlagParser(argparse.ArgumentParser):
    """A parser of flags whose complaints are errors of one line."""

    flags: Sequence[str] = ()

    def error(self, message: str) -> NoReturn:
        """Refuse what was typed.

        Raises
        ------
        ConfigError
        """
        wrong = message.partition(": ")[2].split()[:1] if "unrecognized" in message else []
        hint = did_you_mean(wrong[0], self.flags) if wrong else f"See {self.prog} --help."
        raise ConfigError(f"{message[:1].upper()}{message[1:]}.", hint)


def parse(command: str, options: Mapping[str, Option], arguments: Sequence[str], *, json: bool = True) -> Given:
    """Read the arguments of a command; `json` says whether it can print JSON.

    Raises
    ------
    ConfigError
        If one is unknown, typed twice, of a wrong type, or missing.
    """
    values = {name: option.default for name, option in options.items()}
    typed: set[str] = set()
    for argument in arguments:
        if argument == "--json" and json:
            continue
        name, equals, text = argument.partition("=")
        if name not in options:
            raise ConfigError(
                f"{command} does not know '{name}'.", did_you_mean(name, [*options, *(["--json"] if json else [])])
            )
        if not equals:
            raise ConfigError(f"{command}: '{name}' has no value.", f"Write {name}=VALUE.")
        if name in typed:
            raise ConfigError(f"{command}: '{name}' is given twice.", "Give it once.")
        typed.add(name)
        values[name] = _value(command, name, text, options[name].kind)
    for name, option in options.items():
        if option.required and name not in typed:
            raise ConfigError(f"{command} needs {name}=.", f"{option.help} See {command} --help.")
    return Given(values, frozenset(typed), "--json" in arguments)


def wants_help(arguments: Sequence[str]) -> bool:
    """Whether help is asked for."""
    return "--help" in arguments or "-h" in arguments


def print_help(
    command: str,
    what: str,
    options: Mapping[str, Option],
    examples: Sequence[str],
    *,
    json: bool = True,
    flags: Mapping[str, str] | None = None,
) -> None:
    """Print what a command does, its options, flags of its own, and examples."""
    flags = flags or {}
    width = max(map(len, [*options, *flags, "--debug"])) + 1
    print(f"{command}: {what}\n\nOptions:")
    for name, option in options.items():
        default = "" if option.default is None else f" (default: {option.default})"
        print(f"  {name + '=':<{width}}  {option.help}{default}")
    if json:
        print(f"  {'--json':<{width}}  Print JSON on standard output, and nothing else there.")
    for name, use in flags.items():
        print(f"  {name:<{width}}  {use}")
    print(f"  {'--debug':<{width}}  Show the traceback of an error.")
    print("\nExamples:")
    print("\n".join(f"  {line}" for line in examples))


def _value(command: str, name: str, text: str, kind: type) -> Any:
    if not text:
        raise ConfigError(f"{command}: '{name}' has no value.", f"Write {name}=VALUE.")
    try:
        return kind(text)
    except ValueError:
        raise ConfigError(f"{command}: {name}={text} is not {KINDS[kind]}.") from None
