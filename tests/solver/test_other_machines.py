"""The kernels as they are compiled for machines with narrower vectors than this one may have."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FILES = ("test_vectors.py", "test_gram.py", "test_cholesky.py", "test_least_squares.py", "test_retrieval.py")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("features", ["", "+avx,+avx2,+fma"], ids=["plain", "avx2"])
def test_kernels_hold_with_eight_lanes(features, tmp_path):
    environment = {
        **os.environ,
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": features,
        "NUMBA_CACHE_DIR": str(tmp_path / "kernels"),
    }
    asked = [sys.executable, "-c", "from mfx.solver.vectors import LANES; print(LANES)"]
    assert subprocess.run(asked, env=environment, capture_output=True, text=True, check=True).stdout == "8\n"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(str(HERE / name) for name in FILES)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=HERE.parents[1])
    assert done.returncode == 0, done.stdout[-3000:]
