import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mfx.analysis.paired import PerUser, differences, holm, signed_rank
from mfx.errors import MetricError


def mean_metric(values):
    return PerUser(np.asarray(values, dtype=float), np.ones(len(values)))


def test_holm_by_hand():
    found = holm(np.array([0.01, 0.04, np.nan, 0.03, 0.5]))
    np.testing.assert_allclose(found, [0.04, 0.09, np.nan, 0.09, 0.5])
    assert holm(np.array([np.nan])).size == 1


@given(arrays.arrays(float, st.integers(1, 12), elements=st.floats(0, 1)))
def test_holm_lies_between_no_correction_and_bonferroni_and_keeps_the_order(p):
    found = holm(p)
    assert (found >= p).all()
    assert (found <= np.minimum(p * p.size, 1.0) + 1e-15).all()
    assert (np.diff(found[np.argsort(p, kind="stable")]) >= 0).all()


def test_the_rank_test_is_that_of_scipy_without_users_who_do_not_differ():
    rng = np.random.default_rng(1)
    moved = rng.normal(0.2, 1.0, 80)
    p = scipy.stats.wilcoxon(moved, alternative="two-sided").pvalue
    assert signed_rank(np.concatenate([moved, np.zeros(30)])) == (pytest.approx(p), 1)
    assert signed_rank(-moved) == (pytest.approx(p), -1)
    assert signed_rank(np.zeros(20)) == (1.0, 0)


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution():
    rng = np.random.default_rng(2)
    one, other = rng.normal(0.3, 1.0, 2000), rng.normal(0.0, 1.0, 2000)
    (found,) = differences([([mean_metric(one)], [mean_metric(other)])], seed=3)
    error = np.std(one - other, ddof=1) / np.sqrt(2000)
    assert found.value == pytest.approx(np.mean(one - other))
    assert found.low == pytest.approx(found.value - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(found.value + 1.96 * error, abs=0.15 * error)
    assert found.certain


def test_the_root_of_pooled_squares_is_resampled_by_user():
    """A user with very many ratings counts by them in the metric, and makes its interval wide."""
    rng = np.random.default_rng(4)
    counts = np.ones(200)
    counts[0] = 1000
    squares = [rng.gamma(1.0, 1.0, 200) * counts for _ in range(2)]
    one, other = (PerUser(square, counts, root=True) for square in squares)
    (found,) = differences([([one], [other])], seed=0)
    assert found.value == pytest.approx(np.sqrt(squares[0].sum() / 1199) - np.sqrt(squares[1].sum() / 1199))
    even = [PerUser(square / counts, np.ones(200), root=True) for square in squares]
    (narrow,) = differences([(even[:1], even[1:])], seed=0)
    assert found.high - found.low > 2 * (narrow.high - narrow.low)


def test_chance_is_called_a_difference_rarely():
    rng = np.random.default_rng(5)
    pairs = [([mean_metric(rng.normal(size=60))], [mean_metric(rng.normal(size=60))]) for _ in range(40)]
    found = differences(pairs, seed=6, resamples=500)
    assert sum(one.certain for one in found) <= 1
    assert sum(one.p < 0.05 for one in found) <= 7


def test_a_mean_that_few_users_carry_against_the_ranks_is_no_certain_difference():
    values = np.concatenate([np.full(90, -0.1), np.full(10, 5.0)])
    (found,) = differences([([mean_metric(values)], [mean_metric(np.zeros(100))])], seed=0)
    assert found.low > 0
    assert found.p_corrected < 0.001
    assert found.ranks == -1
    assert not found.certain


def test_same_seed_same_interval():
    rng = np.random.default_rng(7)
    pair = ([mean_metric(rng.normal(size=50))], [mean_metric(rng.normal(size=50))])
    first, second = differences([pair], seed=1), differences([pair], seed=1)
    assert first == second
    assert differences([pair], seed=2) != first


def test_users_without_a_value_do_not_count():
    values, counts = np.zeros(40), np.zeros(40)
    counts[:20], values[:20] = 1.0, np.arange(20)
    one, other = PerUser(values, counts), PerUser(values * 2, counts)
    (found,) = differences([([other], [one])], seed=0)
    assert (found.users, found.value) == (20, np.arange(20).mean())


def test_too_few_users_have_no_interval():
    (found,) = differences([([mean_metric([1.0, 2.0])], [mean_metric([0.0, 0.0])])], seed=0)
    assert found.value == 1.5
    assert np.isnan([found.low, found.high, found.p, found.p_corrected]).all()
    assert not found.certain


def test_other_users_are_refused():
    with pytest.raises(MetricError, match="different users"):
        differences([([mean_metric([1.0, 2.0])], [PerUser(np.ones(2), np.array([1.0, 0.0]))])], seed=0)
    with pytest.raises(MetricError, match="different users"):
        differences([([mean_metric([1.0, 2.0])], [])], seed=0)


def fitted(rng, appeal, fits, luck):
    """Fits of one model: users share its quality, each fit has luck of its own that all users share."""
    return [mean_metric(appeal + rng.normal(0, luck) + rng.normal(0, 0.3, appeal.size)) for _ in range(fits)]


def test_luck_of_a_fit_is_taken_for_a_model_unless_there_are_several_fits():
    rng = np.random.default_rng(8)
    claimed = {1: 0, 5: 0}
    for fits in claimed:
        for number in range(40):
            appeal = rng.normal(3.0, 1.0, 400)
            pair = (fitted(rng, appeal, fits, 0.1), fitted(rng, appeal, fits, 0.1))
            (found,) = differences([pair], seed=number, resamples=300)
            claimed[fits] += found.certain
    assert claimed[1] >= 15
    assert claimed[5] <= 6


def test_a_model_that_is_better_in_all_its_fits_is_found():
    rng = np.random.default_rng(9)
    appeal = rng.normal(3.0, 1.0, 400)
    (found,) = differences([(fitted(rng, appeal + 0.3, 4, 0.05), fitted(rng, appeal, 3, 0.05))], seed=0)
    assert found.certain
    assert found.value == pytest.approx(0.3, abs=0.15)


def test_the_interval_of_several_fits_is_as_wide_as_that_of_their_mean():
    rng = np.random.default_rng(10)
    # Hardly any difference between users: what varies is the fit.
    levels = rng.normal(0, 1.0, 6)
    draws = [mean_metric(np.full(50, level)) for level in levels]
    (found,) = differences([(draws, [mean_metric(np.zeros(50))])], seed=0, resamples=4000)
    error = np.std(levels, ddof=1) / np.sqrt(6)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.15)
