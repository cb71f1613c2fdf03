"""Row solves against closed forms in float64."""

import functools

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from mfx.solver import least_squares
from mfx.solver.layout import SparseRows
from mfx.solver.least_squares import (
    Prior,
    Profiles,
    Ridge,
    descend_rows,
    gramian,
    solve_rows,
    solve_rows_and_accumulate,
)


def problem(n_factors: int, counts: list[int], n_other: int = 400, seed: int = 0):
    rng = np.random.default_rng(seed)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    indices = np.concatenate([np.sort(rng.choice(n_other, size=c, replace=False)) for c in counts]).astype(np.int32)
    values = rng.normal(3.5, 1.0, size=indices.size).astype(np.float32)
    other = rng.normal(size=(n_other, n_factors + 1)).astype(np.float32)
    return SparseRows(indptr, indices, values), other


def closed_form(rows: SparseRows, other, ridge: Ridge, offset: float, prior: Prior | None):
    """Solve each row's normal equations in float64; return solutions and objective values."""
    solutions, minima = [], []
    for row in range(rows.n_rows):
        part = slice(rows.indptr[row], rows.indptr[row + 1])
        side = other[rows.indices[part]].astype(np.float64)
        design = np.column_stack([side[:, :-1], np.full(len(side), 1.0 if ridge.with_bias else 0.0)])
        target = rows.values[part].astype(np.float64) - offset - side[:, -1]
        scale = max(len(side), 1) if ridge.per_count else 1
        penalty = scale * ridge.weights(other.shape[1] - 1).astype(np.float64)
        pull = (
            np.zeros_like(penalty) if prior is None else prior.of_rows(row, row + 1).weights.ravel().astype(np.float64)
        )
        centre = np.zeros_like(penalty) if prior is None else prior.centres[row].astype(np.float64)
        w = np.linalg.solve(design.T @ design + np.diag(penalty + pull), design.T @ target + pull * centre)
        solutions.append(w)
        minima.append(np.square(target - design @ w).sum() + (penalty * w**2).sum() + (pull * (w - centre) ** 2).sum())
    return np.array(solutions), np.array(minima)


COUNTS = [0, 1, 2, 7, 8, 9, 0, 127, 128, 129, 300, 0]


@pytest.mark.parametrize("n_factors", [0, 1, 3, 6, 7, 13, 20, 33])
@pytest.mark.parametrize("per_count", [False, True])
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("with_prior", [None, "of all", "of each row"])
def test_solutions_and_minima_are_those_of_the_normal_equations(n_factors, per_count, with_bias, with_prior):
    rows, other = problem(n_factors, COUNTS)
    rng = np.random.default_rng(1)
    prior = None
    if with_prior:
        weights = np.full(n_factors + 1, 7.0, dtype=np.float32)
        weights[-1] = 4.0 * (per_count and with_bias)
        if with_prior == "of each row":
            weights = weights * rng.uniform(0.1, 3.0, (rows.n_rows, 1)).astype(np.float32)
        prior = Prior(rng.normal(size=(rows.n_rows, n_factors + 1)).astype(np.float32), weights)
    ridge = Ridge(factors=2.5, bias=1.5, per_count=per_count, with_bias=with_bias)
    out = np.full((rows.n_rows, n_factors + 1), np.nan, dtype=np.float32)
    minima = solve_rows(rows, other, out, ridge, offset=3.5, prior=prior)
    expected, expected_minima = closed_form(rows, other, ridge, 3.5, prior)
    np.testing.assert_allclose(out, expected, rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(minima, expected_minima, rtol=2e-5, atol=1e-4)
    if not with_bias:
        assert (out[:, -1] == 0).all()


@settings(max_examples=50)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=12), st.integers(0, 9), st.integers(0, 10**6))
def test_any_shape_of_rows_agrees_with_the_closed_form(counts, n_factors, seed):
    rows, other = problem(n_factors, counts, n_other=50, seed=seed)
    ridge = Ridge(1.0, 1.0)
    out = np.empty((rows.n_rows, n_factors + 1), dtype=np.float32)
    solve_rows(rows, other, out, ridge, offset=3.0)
    expected, _ = closed_form(rows, other, ridge, 3.0, None)
    np.testing.assert_allclose(out, expected, rtol=1e-3, atol=1e-4)


def test_a_bias_that_rows_do_not_have_has_a_penalty_that_keeps_systems_definite():
    assert Ridge(2.0, 0.5).weights(2).tolist() == [2.0, 2.0, 0.5]
    assert Ridge(2.0, 0.0, with_bias=False).weights(2).tolist() == [2.0, 2.0, 1.0]


def test_a_row_without_ratings_takes_the_minimiser_of_its_penalties():
    rows, other = problem(4, [0, 3])
    centres = np.ones((2, 5), dtype=np.float32)
    prior = Prior(centres, np.array([6, 6, 6, 6, 0], dtype=np.float32))
    out = np.empty((2, 5), dtype=np.float32)
    solve_rows(rows, other, out, Ridge(2.0, 3.0), prior=prior)
    np.testing.assert_allclose(out[0], [0.75, 0.75, 0.75, 0.75, 0.0], rtol=1e-6)


def test_results_are_bit_identical_for_any_number_of_threads():
    rows, other = problem(13, list(np.random.default_rng(3).integers(0, 60, size=500)))
    profiles = Profiles.of(sparse.csr_array(np.random.default_rng(4).integers(0, 2, size=(500, 3)) * 1.0), own=[1])
    prior = Prior(np.zeros((500, 14), np.float32), np.ones(14, np.float32))
    results = []
    before = numba.get_num_threads()
    try:
        for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
            numba.set_num_threads(threads)
            out = np.empty((500, 14), dtype=np.float32)
            minima, curvature = solve_rows_and_accumulate(
                rows, other, out, Ridge(1.0, 1.0), profiles, offset=3.0, prior=prior
            )
            results.append((out, minima, curvature))
    finally:
        numba.set_num_threads(before)
    for first, second in zip(*results, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_block_solved_alone_gives_the_same_rows_bit_for_bit():
    rows, other = problem(13, [5, 130, 0, 40, 7, 99])
    whole = np.empty((6, 14), dtype=np.float32)
    solve_rows(rows, other, whole, Ridge(1.0, 1.0), offset=3.0)
    cut = slice(rows.indptr[2], rows.indptr[5])
    part = SparseRows(rows.indptr[2:6] - rows.indptr[2], rows.indices[cut], rows.values[cut])
    alone = np.empty((3, 14), dtype=np.float32)
    solve_rows(part, other, alone, Ridge(1.0, 1.0), offset=3.0)
    np.testing.assert_array_equal(alone, whole[2:5])


@pytest.mark.parametrize("count", [0, 1, 3, 200])
def test_without_regularisation_the_solution_is_finite_and_fits_as_well_as_any(count):
    rows, other = problem(8, [count])
    other[:, 1] = other[:, 0]  # two equal columns: singular however many ratings there are
    out = np.empty((1, 9), dtype=np.float32)
    solve_rows(rows, other, out, Ridge(0.0, 0.0))
    assert np.isfinite(out).all()
    design = np.column_stack([other[rows.indices, :-1], np.ones(count)]).astype(np.float64)
    target = rows.values - other[rows.indices, -1].astype(np.float64)
    best = np.linalg.lstsq(design, target, rcond=None)[0] if count else np.zeros(9)
    loss = np.square(target - design @ out[0]).sum()
    assert loss == pytest.approx(np.square(target - design @ best).sum(), rel=1e-3, abs=1e-3)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=9), st.integers(0, 5), st.integers(1, 4), st.data())
def test_curvature_is_the_sum_of_kronecker_products_whichever_features_are_a_rows_own(counts, n_factors, n, data):
    rows, other = problem(n_factors, counts, n_other=50, seed=n)
    weight = st.sampled_from([0.0, 0.5, 1.0, -2.0, 1 / 3])
    one = st.lists(weight, min_size=n, max_size=n)
    features = np.array(data.draw(st.lists(one, min_size=rows.n_rows, max_size=rows.n_rows)))
    own = data.draw(st.lists(st.integers(0, n - 1), unique=True))
    out, plain = np.empty((2, rows.n_rows, n_factors + 1), dtype=np.float32)
    profiles = Profiles.of(sparse.csr_array(features), own)
    _, found = solve_rows_and_accumulate(rows, other, out, Ridge(1.0, 1.0), profiles)
    size = n_factors + 1
    expected = np.zeros((n * size, n * size))
    for row, g in enumerate(features):
        side = other[rows.indices[rows.indptr[row] : rows.indptr[row + 1]], :-1].astype(np.float64)
        x = np.column_stack([side, np.ones(len(side))])
        expected += np.kron(np.outer(g, g), x.T @ x)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)
    np.testing.assert_array_equal(found, found.T)
    solve_rows(rows, other, plain, Ridge(1.0, 1.0))
    np.testing.assert_array_equal(out, plain)


def test_profiles_hold_each_combination_once():
    features = np.array([[0.5, 0.5, 9.0], [1.0, 0.0, 8.0], [0.5, 0.5, 7.0], [0.0, 0.0, 6.0]])
    found = Profiles.of(sparse.csr_array(features), own=[2])
    assert found.of_row.tolist() == [0, 1, 0, 2]
    assert found.order.tolist() == [0, 2, 1, 3]
    assert found.indptr.tolist() == [0, 2, 3, 3]
    assert found.indices.tolist() == [0, 1, 0]
    assert found.weights.tolist() == [0.5, 0.5, 1.0]
    assert found.own.ravel().tolist() == [9.0, 8.0, 7.0, 6.0]
    assert Profiles.of(sparse.csr_array(features)).of_row.tolist() == [0, 1, 2, 3]


def test_rows_of_a_profile_stay_in_their_order():
    kinds = np.random.default_rng(5).integers(0, 3, 2000)
    found = Profiles.of(sparse.csr_array(np.eye(3)[kinds]))
    for part in (found, found.of_rows(100, 1900)):
        np.testing.assert_array_equal(part.order, np.argsort(part.of_row, kind="stable"))


def test_blocks_are_many_enough_for_the_threads_of_any_machine_and_grow_with_the_ratings():
    def blocks(n_rows, per_row):
        indptr = per_row * np.arange(n_rows + 1)
        rows = SparseRows(indptr, np.zeros(0, np.int32), np.zeros(0, np.float32))
        return least_squares._blocks(rows, np.zeros((1, 5), np.float32)).size - 1

    assert [blocks(0, 1), blocks(10, 1), blocks(1000, 1), blocks(1000, 655)] == [1, 10, 64, 64 + 9]


@pytest.mark.parametrize(("n_features", "n_factors", "sums"), [(2, 20, 16), (50, 20, 7), (200, 20, 2), (1, 0, 16)])
def test_partial_sums_of_the_curvature_take_at_most_64_megabytes_or_are_two(monkeypatch, n_features, n_factors, sums):
    seen = []
    monkeypatch.setattr(least_squares, "solve_profiles", lambda *given: seen.append((given[0].size, given[10].shape)))
    rows, other = problem(n_factors, [1, 2, 3])
    features = sparse.csr_array(np.eye(3, n_features))
    solve_rows_and_accumulate(rows, other, np.empty((3, n_factors + 1), np.float32), Ridge(1.0, 1.0),
                              Profiles.of(features))  # fmt: skip
    size = n_features * (n_factors + 1)
    assert seen == [(sums + 1, (sums, size, size))]


@pytest.mark.parametrize(("n_rows", "blocks"), [(10, 1), (2047, 1), (2048, 2), (5000, 4), (40_000, 16)])
def test_gram_matrices_are_summed_in_blocks_of_rows_that_no_number_of_threads_sets(monkeypatch, n_rows, blocks):
    seen = []
    monkeypatch.setattr(least_squares, "sum_outer", lambda table, bounds, partial: seen.append(bounds.tolist()))
    gramian(np.zeros((n_rows, 3), np.float32))
    assert seen == [np.linspace(0, n_rows, blocks + 1).astype(int).tolist()]


def test_arrays_of_the_right_type_are_not_copied():
    rows, other = problem(3, COUNTS)
    scales, base = np.ones(rows.n_rows, np.float32), np.eye(4, dtype=np.float32)
    noise = np.zeros((rows.n_rows, 4), np.float32)
    made = least_squares._problem(rows, other, Ridge(1.0, 1.0), 0.0, None, None, base, scales)
    assert any(one is scales for one in made)
    assert any(one is base for one in made)
    assert least_squares._checked_noise(noise, noise) is noise


@pytest.mark.parametrize("n_factors", [1, 6, 13, 33])
@pytest.mark.parametrize("with_bias", [False, True])
def test_confidences_base_and_scales_are_those_of_the_normal_equations(n_factors, with_bias):
    rows, other = problem(n_factors, COUNTS)
    rng = np.random.default_rng(2)
    confidence = rng.uniform(0.0, 5.0, size=rows.values.size).astype(np.float32)
    scales = rng.uniform(0.5, 9.0, size=rows.n_rows).astype(np.float32)
    ridge = Ridge(factors=2.5, bias=1.5, with_bias=with_bias)
    base = gramian(other, 0.3)
    out = np.full((rows.n_rows, n_factors + 1), np.nan, dtype=np.float32)
    minima = solve_rows(rows, other, out, ridge, offset=3.0, confidence=confidence, base=base, scales=scales)
    factors = other[:, :-1].astype(np.float64)
    for row in range(rows.n_rows):
        part = slice(rows.indptr[row], rows.indptr[row + 1])
        side, weight = other[rows.indices[part]].astype(np.float64), confidence[part].astype(np.float64)
        design = np.column_stack([side[:, :-1], np.full(len(side), float(with_bias))])
        target = rows.values[part] - 3.0 - side[:, -1]
        penalty = scales[row] * ridge.weights(n_factors).astype(np.float64)
        unobserved = np.zeros((n_factors + 1, n_factors + 1))
        unobserved[:-1, :-1] = 0.3 * factors.T @ factors
        system = design.T @ (weight[:, None] * design) + unobserved + np.diag(penalty)
        w = np.linalg.solve(system, design.T @ (weight * target))
        np.testing.assert_allclose(out[row], w, rtol=2e-4, atol=2e-5)
        least = (weight * (target - design @ w) ** 2).sum() + w @ unobserved @ w + (penalty * w**2).sum()
        assert minima[row] == pytest.approx(least, rel=2e-5, abs=1e-3)


@pytest.mark.parametrize("function", [solve_rows, functools.partial(descend_rows, steps=60)])
def test_a_base_may_couple_factors_and_bias(function):
    rows, other = problem(4, COUNTS)
    root = np.random.default_rng(3).normal(size=(9, 5))
    base = (root.T @ root).astype(np.float32)
    out = np.zeros((rows.n_rows, 5), dtype=np.float32)
    minima = function(rows, other, out, Ridge(2.0, 1.0), offset=3.0, base=base)
    for row in range(rows.n_rows):
        part = slice(rows.indptr[row], rows.indptr[row + 1])
        side = other[rows.indices[part]].astype(np.float64)
        design = np.column_stack([side[:, :-1], np.ones(len(side))])
        target = rows.values[part] - 3.0 - side[:, -1]
        system = design.T @ design + base + np.diag([2.0, 2.0, 2.0, 2.0, 1.0])
        w = np.linalg.solve(system, design.T @ target)
        np.testing.assert_allclose(out[row], w, rtol=1e-3, atol=1e-4)
        assert minima[row] == pytest.approx(target @ target - w @ design.T @ target, rel=1e-4, abs=1e-3)


def test_confidences_of_one_and_an_empty_base_change_nothing():
    rows, other = problem(7, COUNTS)
    plain, weighed = (np.empty((rows.n_rows, 8), dtype=np.float32) for _ in range(2))
    solve_rows(rows, other, plain, Ridge(2.0, 1.0, per_count=True))
    solve_rows(
        rows,
        other,
        weighed,
        Ridge(2.0, 1.0),
        confidence=np.ones_like(rows.values),
        base=np.zeros((8, 8), dtype=np.float32),
        scales=np.maximum(rows.counts, 1).astype(np.float32),
    )
    np.testing.assert_allclose(weighed, plain, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("n_rows", [0, 3, 5000])
def test_the_gramian_is_that_of_the_factors_whatever_the_threads(n_rows):
    table = np.random.default_rng(3).normal(size=(n_rows, 14)).astype(np.float32)
    found = gramian(table, 0.5)
    expected = np.zeros((14, 14))
    expected[:-1, :-1] = 0.5 * table[:, :-1].astype(np.float64).T @ table[:, :-1]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-2)
    np.testing.assert_allclose(gramian(table), 2 * found, rtol=1e-6)
    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        np.testing.assert_array_equal(gramian(table, 0.5), found)
    finally:
        numba.set_num_threads(threads)


def test_arrays_of_a_wrong_shape_are_refused():
    rows, other = problem(3, COUNTS)
    out = np.empty((rows.n_rows, 4), dtype=np.float32)
    for wrong in (
        {"confidence": np.ones(3)},
        {"base": np.ones((3, 3))},
        {"scales": np.ones(3)},
        {"noise": np.ones((2, 4))},
    ):
        with pytest.raises(ValueError, match=f"^{next(iter(wrong))} has shape"):
            solve_rows(rows, other, out, Ridge(1.0, 1.0), **wrong)
    with pytest.raises(ValueError, match="scales"):
        solve_rows(rows, other, out, Ridge(1.0, 1.0, per_count=True), scales=np.ones(rows.n_rows))
