"""Errors of Hydra and OmegaConf, told in one line that a person can act on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from mfx.errors import MFXError, SettingError, UnknownName, did_you_mean


class ConfigError(MFXError):
    """A configuration cannot be composed: a malformed override, file or choice."""


def explain(error: BaseException) -> MFXError | None:
    """Translate an error raised while composing; None if it is not Hydra's or OmegaConf's.

    Parameters
    ----------
    error : BaseException
        As caught; the errors that caused it are looked through, the most telling one wins.
    """
    from hydra.errors import HydraException, MissingConfigException, OverrideParseException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    chain = list(_chain(error))
    for cause in chain:
        if isinstance(cause, MFXError):
            return cause
    for cause in chain:
        if isinstance(cause, MissingConfigException):
            return _missing(cause, _place(chain))
        if isinstance(cause, OverrideParseException):
            return ConfigError(
                f"'{cause.override}' is not an override that can be read.",
                "Write name=value, such as model.factors=20, or a command (see mfx --help); quote values with special "
                "characters: 'name=\"a b\"'.",
            )
        if isinstance(cause, YAMLError):
            return ConfigError(f"A configuration file is not valid YAML: {_one_line(cause)}.", "Correct the file.")
    place = _place(chain)
    for cause in chain:
        if isinstance(cause, OmegaConfBaseException) and cause.full_key:
            return _omegaconf(cause, place)
    for cause in chain:
        if isinstance(cause, HydraException | OmegaConfBaseException) and str(cause):
            return _hydra(cause)
    if isinstance(error, ValueError) and str(error).startswith("Config group override"):
        return ConfigError("A config group was set to something that is no name.", "Write GROUP=NAME; see mfx list.")
    if _raised_by_hydra(error):
        return ConfigError(
            f"Hydra cannot compose this ({type(error).__name__}: {_one_line(error)}).",
            "Write GROUP=NAME and name=value; see mfx list.",
        )
    return None


def _raised_by_hydra(error: BaseException) -> bool:
    """Whether an error comes out of the code of Hydra, which meets some malformed overrides with whatever happens."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    name = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__"))
    return name.partition(".")[0] in ("hydra", "omegaconf", "antlr4")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _one_line(error: BaseException) -> str:
    return re.sub(r"\s+", " ", str(error)).strip().rstrip(".")


def _place(chain: list[BaseException]) -> str:
    """Name the configuration file that Hydra blames, as in ``In 'model/mine': ...``."""
    for cause in chain:
        if found := re.match(r"In '([^']+)'", str(cause)):
            return f" (in {found.group(1)}.yaml)"
    return ""


def _missing(error: Any, place: str) -> MFXError:
    name = error.missing_cfg_file
    if not isinstance(name, str):
        return ConfigError(_one_line(error) + ".")
    group, _, choice = name.rpartition("/")
    if not group:
        return UnknownName(f"There is no configuration file '{name}.yaml'.", "Check --config-name and --config-dir.")
    if error.options:
        return UnknownName(f"There is no {group} called '{choice}'.", did_you_mean(choice, error.options))
    return UnknownName(f"There is no {group} called '{choice}'{place}.", f"See mfx list {group}.")


def _omegaconf(error: Any, place: str) -> MFXError:
    from omegaconf import errors

    key = str(error.full_key)
    text = str(error).partition("\n")[0]
    parent, _, last = key.rpartition(".")
    if last == "_target_":
        return target_refused(parent)
    if isinstance(error, errors.InterpolationResolutionError | errors.InterpolationKeyError):
        return SettingError(f"{key}{place} refers to something that is not there: {text}.", "Check the ${...}.")
    if isinstance(error, errors.ConfigKeyError | errors.ConfigAttributeError):
        node = error.parent_node
        known = [str(name) for name in node] if node is not None and hasattr(node, "keys") else []
        known = [name for name in known if name != "hydra"]
        if parent:
            return SettingError(f"'{parent}' has no setting '{last}'{place}.", did_you_mean(last, known))
        return SettingError(f"There is no setting or group '{last}'{place}.", did_you_mean(last, known))
    if isinstance(error, errors.MissingMandatoryValue):
        return missing_value(key)
    if isinstance(error, errors.ValidationError):
        return SettingError(f"{key}{place}: {_wrong_type(text)}.")
    return SettingError(f"{key}{place}: {_one_line(Exception(text))}.")


_TYPES = {"Float": "a number", "Integer": "a whole number", "Boolean": "true or false", "String": "text"}


def _wrong_type(text: str) -> str:
    found = re.match(r"Value (.*) of type '.*' could not be converted to (\w+)", text)
    if found and found.group(2) in _TYPES:
        return f"{found.group(1)} is not {_TYPES[found.group(2)]}"
    if "is not a ListConfig, list or tuple" in text:
        return "a list is expected, written [a,b]"
    if "is not Optional" in text:
        return "a value is needed, null is not one"
    return text.rstrip(".")


def _hydra(error: BaseException) -> MFXError:
    text = str(error)
    if found := re.match(r"Ambiguous value for argument '(.*)'", text):
        return ConfigError(f"'{found.group(1)}' gives several values.", "Add -m to run all of them; a list is [a,b].")
    if found := re.match(r"Sweep parameters '(.*)' requires --multirun", text):
        return ConfigError(f"'{found.group(1)}' gives several values.", "Add -m to run all of them.")
    if found := re.match(r"(\S+) appears more than once in the final defaults list", text):
        return ConfigError(f"'{found.group(1)}' is chosen twice.", f"Write {found.group(1)}=NAME, without a plus sign.")
    return ConfigError(_one_line(error) + ".")


def target_refused(where: str) -> MFXError:
    """Say that a component's node holds ``_target_``."""
    return SettingError(
        f"'{where}' holds _target_, which is never followed.",
        "Components are found by name; register the class with @mfx.register and set name.",
    )


def missing_value(key: str) -> MFXError:
    """Say that a value is left open (``???``)."""
    return SettingError(f"{key} has no value yet (???).", f"Give one: {key}=VALUE.")
