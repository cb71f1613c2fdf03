"""`mfx compare` seldom claims a difference between equal models, and finds one between others: a small share."""

import claims
import numpy as np
import pytest

from mfx.analysis.paired import differences


@pytest.mark.parametrize(("fits", "power"), [((2, 2), 0.02), ((3, 3), 0.15), ((5, 5), 0.4), ((10, 10), 0.6)])
def test_equal_models_are_called_different_at_most_as_often_as_said(fits, power):
    """And a model that is better by five times the standard deviation of luck is found, the more fits the oftener."""
    shape = claims.Shape(fits=fits, users=50, luck=(0.02, 0.02), slices=1)
    assert claimed(shape, 1000, 0.0) <= claims.allowed(1000) == 66
    assert claimed(shape, 200, 0.1) >= 200 * power


def claimed(shape, comparisons, better):
    rng = np.random.default_rng(0)
    pairs = [claims.draw(rng, shape, better)[0] for _ in range(comparisons)]
    return sum(one.p < 0.05 for one in differences(pairs))


@pytest.mark.parametrize("fits", [(2, 2), (5, 5)])
def test_of_equal_models_few_differ_on_any_slice(fits):
    shape = claims.Shape(fits=fits, users=50, luck=(0.05, 0.05), taste=0.02, noise=0.02)
    found = claims.claims(shape, 150, seed=0)
    assert found["slices"] <= claims.allowed(150)
    assert found["whole"] <= claims.allowed(150)
