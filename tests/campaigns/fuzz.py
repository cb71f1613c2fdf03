"""Bad input at every door: each ends in a one-line error or in a right result.

    python tests/campaigns/fuzz.py [inputs=2000] [surface=csv] [seed=1]

tries that many generated inputs at each surface (`surfaces*.py`), and writes ``results/fuzz.json``. What hypothesis
finds is shrunk and printed. A small share runs with the other tests (`test_fuzz.py`).
"""

from __future__ import annotations

import collections
import logging
import shutil
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import hypothesis
from campaign import arguments, keep
from hypothesis import HealthCheck, Phase, given, settings
from surfaces import Surface, in_time
from surfaces_all import SURFACES


def run(surface: Surface, inputs: int, seed: int | None = None) -> dict[str, int]:
    """Try inputs; return how many ended how. Raises what the first bad end raises, for the smallest such input."""
    ends: collections.Counter[str] = collections.Counter()
    surface.warm()
    scratch = Path(tempfile.mkdtemp(prefix="mfx-fuzz-"))
    phases = [Phase.explicit, Phase.generate, Phase.shrink]

    @settings(
        max_examples=inputs,
        database=None,
        deadline=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(surface.inputs())
    def attempt(drawn: Any) -> None:
        folder = scratch / "one"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        with in_time(), warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            ends[surface.attempt(drawn, folder)] += 1
        outside = [path.name for path in scratch.iterdir() if path != folder]
        assert not outside, f"files were written outside of their folder: {outside}"

    try:
        (attempt if seed is None else hypothesis.seed(seed)(attempt))()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return dict(ends)


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # what is left out on request is told for each file
    given_ = arguments(inputs=2000, seed=1, surface="all")
    chosen = [one for one in SURFACES if given_["surface"] in ("all", one.name)]
    assert chosen, f"surfaces: {', '.join(one.name for one in SURFACES)}"
    failed = False
    for one in chosen:
        began = time.perf_counter()
        try:
            ends = run(one, given_["inputs"], given_["seed"])
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            failed = True
            words = " ".join(str(error).split())[:200]
            keep("fuzz", {one.name: {"what": one.what, "failed": f"{type(error).__name__}: {words}"}})
            print(f"{one.name}: FAILED: {type(error).__name__}: {error}", flush=True)
            for each in [error, *getattr(error, "exceptions", [])]:
                print(f"{type(each).__name__}: {each}", *getattr(each, "__notes__", []), sep="\n  ")
            continue
        seconds = time.perf_counter() - began
        keep(
            "fuzz",
            {one.name: {"what": one.what, "inputs": sum(ends.values()), "ends": ends, "seconds": round(seconds)}},
        )
        print(f"{one.name}: {sum(ends.values())} inputs: {ends}, {seconds:.0f} s", flush=True)
    sys.exit(failed)
