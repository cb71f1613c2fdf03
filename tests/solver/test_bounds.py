"""With NUMBA_BOUNDSCHECK=1 an access outside of an array is an error, in loops on threads and in vector code too.

`.ci/run` runs the tests of the solver and of small models that way; here accesses outside are planted.
"""

import os
import subprocess
import sys

import pytest

PLANTED = """
import sys

import numba
import numpy as np

from mfx.solver.jit import kernel
from mfx.solver.vectors import LANES, STRIP, add_row, make_score_tile, make_tile, prefetch_row, set_row

add_tile, score_tile = make_tile(STRIP, 1), make_score_tile(STRIP, 1)


@kernel(parallel=True)
def parallel(array, place):
    out = np.zeros(4, np.float32)
    for n in numba.prange(4):
        out[n] = array[place, 0]
    return out


@kernel()
def tile(array, count, row, column):
    add_tile(np.float32(1), array, array, count, row, column, array.copy())


@kernel()
def score(array, count, row, column):
    above, least = np.zeros((STRIP, array.shape[1] // LANES), np.uint8), np.zeros((1, STRIP), np.float32)
    score_tile(array, array, count, row, column, least, array.copy(), above)


@kernel()
def rows(array, source, target, column):
    set_row(np.float32(1), array, source, array, target, column)
    add_row(np.float32(1), array, source, array, target, column)
    prefetch_row(array, source)


@kernel()
def ask(array, row):
    prefetch_row(array, row)


last, width = 2 * STRIP - 1, 2 * LANES
array = np.zeros((last + 1, width), np.float32)
inside = {
    parallel: (last,), tile: (last + 1, STRIP, LANES), score: (last + 1, STRIP, LANES), rows: (last, last, LANES),
    ask: (last,),
}
outside = [
    (parallel, last + 1),
    (tile, last + 2, 0, 0), (tile, 1, STRIP + 1, 0), (tile, 1, 0, LANES + 1), (tile, 1, -1, 0), (tile, 1, 0, -LANES),
    (score, last + 2, 0, 0), (score, 1, width - STRIP + 1, 0), (score, 1, 0, LANES + 1), (score, 1, 0, -1),
    (rows, last + 1, 0, 0), (rows, 0, last + 1, 0), (rows, -1, 0, 0), (rows, 0, 0, -LANES), (ask, last + 1), (ask, -1),
]
for function, arguments in inside.items():
    function(array, *arguments)
for function, *arguments in outside:
    try:
        function(array, *arguments)
    except IndexError:
        continue
    sys.exit(f"{function.__name__}{tuple(arguments)} went unseen")
print("all seen")
"""


@pytest.mark.slow
def test_planted_accesses_outside_are_seen(tmp_path):
    (tmp_path / "planted.py").write_text(PLANTED)
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    line = [sys.executable, str(tmp_path / "planted.py")]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "all seen\n", done.stderr
