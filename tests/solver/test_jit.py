"""What all kernels have in common."""

import numba
import numpy as np
import pytest

from mfx.solver.jit import kernel


def divide(a, b):
    return a / b


def test_nan_and_infinity_keep_their_meaning_and_divisions_by_zero_are_those_of_numpy():
    divided = kernel()(divide)
    assert np.isinf(divided(1.0, 0.0))
    assert np.isnan(divided(0.0, 0.0))
    assert divided.targetoptions["fastmath"] == {"contract", "reassoc", "nsz", "arcp"}


@pytest.mark.parametrize("parallel", [False, True])
def test_kernels_let_other_threads_go_on_and_are_parallel_where_bounds_are_not_checked(parallel, monkeypatch):
    given = []
    monkeypatch.setattr(numba, "njit", lambda **options: given.append(options) or (lambda function: function))
    for checked in (0, 1):
        monkeypatch.setattr(numba.config, "BOUNDSCHECK", checked)
        kernel(parallel=parallel)(divide)
    assert [one["parallel"] for one in given] == [parallel, False]
    assert all(one["nogil"] and one["cache"] for one in given)
