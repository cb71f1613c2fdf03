"""How errors are told: one line on standard error, and an exit status."""

from __future__ import annotations

import sys

USAGE, FAILURE, INTERRUPTED = 2, 1, 130


def complain(error: Exception, debug: bool) -> int:
    """Print an error as one line on standard error, after its traceback with `debug`; return the exit status."""
    from mfx.errors import MetricError, MFXError, SettingError, UnknownName, of_system

    if debug:
        import traceback

        traceback.print_exception(error)
    error = of_system(error) or error
    if not isinstance(error, MFXError):
        reason = " ".join(str(error).split())
        hint = "" if debug else " (a defect of MFX or of a plugin; --debug shows where)"
        print(f"mfx: {type(error).__name__}: {reason}{hint}", file=sys.stderr)
        return FAILURE
    print(f"mfx: {' '.join(str(error).split())}", file=sys.stderr)
    wrong_usage = isinstance(error, SettingError | UnknownName | MetricError) or type(error).__name__ == "ConfigError"
    return USAGE if wrong_usage else FAILURE
