import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mfx.analysis.paired import PerUser, differences, holm, p_values
from mfx.errors import MetricError


def mean_metric(values):
    return PerUser(np.asarray(values, dtype=float), np.ones(len(values)))


def same_for_all(levels, users=20):
    """Fits that give every user the same value."""
    return [mean_metric(np.full(users, level)) for level in levels]


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


def test_with_one_fit_of_each_model_a_mean_has_the_t_test_over_users():
    rng = np.random.default_rng(1)
    one, other = rng.normal(0.2, 1.0, 60), rng.normal(0.0, 1.0, 60)
    (found,) = differences([([mean_metric(one)], [mean_metric(other)])])
    known = scipy.stats.ttest_rel(one, other)
    interval = known.confidence_interval(0.95)
    assert found.p == pytest.approx(known.pvalue, rel=1e-5)
    assert (found.low, found.high) == (pytest.approx(interval.low), pytest.approx(interval.high))
    assert found.value == pytest.approx(np.mean(one - other))


def test_fits_whose_users_agree_are_tested_as_fits():
    """If all users share the luck of a fit, there is one number a fit: a single sample of five has four degrees."""
    levels = np.random.default_rng(2).normal(0.3, 0.4, 5)
    (found,) = differences([(same_for_all(levels), same_for_all([0.0]))])
    known = scipy.stats.ttest_1samp(levels, 0.0)
    interval = known.confidence_interval(0.95)
    assert found.p == pytest.approx(known.pvalue, rel=1e-5)
    assert (found.low, found.high) == (pytest.approx(interval.low), pytest.approx(interval.high))


def test_each_part_of_the_variance_has_a_t_quantile_of_its_own():
    rng = np.random.default_rng(3)
    one, other = [[mean_metric(rng.normal(level, 1.0, 30)) for level in rng.normal(size=n)] for n in (2, 4)]
    (found,) = differences([(one, other)])
    users = np.mean([fit.totals for fit in one], axis=0) - np.mean([fit.totals for fit in other], axis=0)
    parts = [(np.var(users, ddof=1) / 30, 29)]
    parts += [(np.var([fit.totals.mean() for fit in side], ddof=1) / len(side), len(side) - 1) for side in (one, other)]
    half = np.sqrt(sum(scipy.stats.t.ppf(0.975, df) ** 2 * variance for variance, df in parts))
    assert (found.high - found.low) / 2 == pytest.approx(half)
    edge = np.sqrt(sum(scipy.stats.t.ppf(1 - found.p / 2, df) ** 2 * variance for variance, df in parts))
    assert edge == pytest.approx(abs(found.value), rel=1e-4)


def test_p_goes_down_to_a_floor_and_is_one_if_nothing_differs():
    values, variances, freedom = np.array([0.0, 1e-12, 1.0]), np.zeros((3, 3)), np.ones((3, 3))
    np.testing.assert_allclose(p_values(values, variances, freedom), [1, 1, 1e-16], rtol=1e-4)


def test_a_user_with_very_many_ratings_makes_a_pooled_metric_uncertain():
    """Such a user counts by the ratings in the metric; the interval is wide, and few users have a large t quantile."""
    rng = np.random.default_rng(4)
    counts = np.ones(200)
    counts[0] = 1000
    squares = [rng.gamma(1.0, 1.0, 200) * counts for _ in range(2)]
    one, other = (PerUser(square, counts, root=True) for square in squares)
    (found,) = differences([([one], [other])])
    assert found.value == pytest.approx(np.sqrt(squares[0].sum() / 1199) - np.sqrt(squares[1].sum() / 1199))
    even = [PerUser(square / counts, np.ones(200), root=True) for square in squares]
    (narrow,) = differences([(even[:1], even[1:])])
    assert found.high - found.low > 20 * (narrow.high - narrow.low)


def test_the_interval_of_a_root_is_that_of_the_delta_method():
    rng = np.random.default_rng(5)
    counts = rng.integers(1, 20, 500).astype(float)
    one, other = (PerUser(counts * rng.gamma(2.0, 0.5, 500), counts, root=True) for _ in range(2))
    (found,) = differences([([one], [other])])
    slopes = [
        (fit.totals - fit.totals.sum() / counts.sum() * counts) / counts.mean() / (2 * fit.value())
        for fit in (one, other)
    ]
    error = np.std(slopes[0] - slopes[1], ddof=1) / np.sqrt(500)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * error, rel=0.03)


def test_users_without_a_value_do_not_count():
    values, counts = np.zeros(40), np.zeros(40)
    counts[:20], values[:20] = 1.0, np.arange(20)
    one, other = PerUser(values, counts), PerUser(values * 2, counts)
    (found,) = differences([([other], [one])])
    assert (found.users, found.value) == (20, np.arange(20).mean())


def test_too_few_users_have_no_interval():
    (found,) = differences([([mean_metric([1.0, 2.0])], [mean_metric([0.0, 0.0])])])
    assert found.value == 1.5
    assert np.isnan([found.low, found.high, found.p, found.p_corrected]).all()
    assert not found.certain


def test_other_users_are_refused():
    with pytest.raises(MetricError, match="different users"):
        differences([([mean_metric([1.0, 2.0])], [PerUser(np.ones(2), np.array([1.0, 0.0]))])])
    with pytest.raises(MetricError, match="different users"):
        differences([([mean_metric([1.0, 2.0])], [])])


def test_fits_that_are_equal_have_no_luck():
    """A model without random numbers has the same fit with every seed, and is tested over users alone."""
    rng = np.random.default_rng(6)
    one, other = mean_metric(rng.normal(0.5, 1.0, 80)), mean_metric(rng.normal(0.0, 1.0, 80))
    alone, several = (differences([([one] * n, [other] * n)])[0] for n in (1, 3))
    assert several.p == pytest.approx(alone.p, rel=1e-6)
    assert several.high - several.low == pytest.approx(alone.high - alone.low)


def test_a_model_that_is_better_in_all_its_fits_is_found():
    rng = np.random.default_rng(9)
    appeal = rng.normal(3.0, 1.0, 400)

    def fits(level, number):
        return [mean_metric(appeal + level + rng.normal(0, 0.03) + rng.normal(0, 0.3, 400)) for _ in range(number)]

    (found,) = differences([(fits(0.3, 4), fits(0.0, 4))])
    assert found.certain
    assert found.value == pytest.approx(0.3, abs=0.1)
