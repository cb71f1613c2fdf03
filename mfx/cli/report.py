"""`mfx report RUN ... | STUDY`: finished runs, or a study, as one page that needs no network."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from mfx.cli.compare import parse
from mfx.compose import ConfigError

HELP = """\
mfx report RUN [RUN ...] [--json]
mfx report STUDY [--json]

Writes one self-contained HTML page below runs/reports/: question, data, split and audit, numbers on test, differences
between runs on the same split with paired tests, figures, settings, and the command that makes each number again.

RUN and STUDY as in mfx compare --help; the folder of a sweep stands for all of its runs.
"""


def main(arguments: list[str]) -> int:
    """Write the page; return the exit status."""
    if "--help" in arguments or "-h" in arguments:
        print(HELP, end="")
        return 0
    references, _, as_json = parse(arguments, ())
    if not references:
        raise ConfigError("A report of what?", "Name a run, several, or a study: mfx report last. See --help.")
    from mfx.analysis import report
    from mfx.analysis.several import expand, study_of

    runs = list({run.folder: run for reference in references for run in expand(reference)}.values())
    study = study_of(references[0]) if len(references) == 1 else None
    page = report.make(runs, study, shlex.join(["mfx", "report", *references]))
    print(
        json.dumps({"page": str(page), "runs": [str(run.folder) for run in runs]}, indent=2) if as_json else _told(page)
    )
    return 0


def _told(page: Path) -> str:
    return f"Page: {page} ({page.stat().st_size / 1e6:.1f} MB; open it in a browser, it needs no network)"
