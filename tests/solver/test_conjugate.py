"""Steps of conjugate gradients against the solves that they stand in for."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_least_squares import closed_form, problem

from mfx.solver.layout import SparseRows
from mfx.solver.least_squares import Prior, Ridge, descend_rows, gramian, solve_rows

COUNTS = [0, 1, 2, 7, 128, 129, 300, 0]


def start(rows, other, seed=5):
    return np.random.default_rng(seed).normal(size=(rows.n_rows, other.shape[1])).astype(np.float32)


@pytest.mark.parametrize("n_factors", [0, 1, 7, 13, 33, 64])
@pytest.mark.parametrize("per_count", [False, True])
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("with_prior", [None, "of all", "of each row"])
def test_many_steps_reach_the_solution_of_the_normal_equations(n_factors, per_count, with_bias, with_prior):
    rows, other = problem(n_factors, COUNTS)
    prior = None
    if with_prior:
        weights = np.full(n_factors + 1, 7.0, dtype=np.float32)
        weights[-1] = 0.0
        if with_prior == "of each row":
            weights = weights * np.linspace(0.1, 3.0, rows.n_rows, dtype=np.float32)[:, None]
        prior = Prior(start(rows, other, 1), weights)
    ridge = Ridge(factors=2.5, bias=1.5, per_count=per_count, with_bias=with_bias)
    out = start(rows, other)
    objectives = descend_rows(rows, other, out, ridge, steps=200, offset=3.5, prior=prior)
    expected, minima = closed_form(rows, other, ridge, 3.5, prior)
    np.testing.assert_allclose(out, expected, rtol=2e-4, atol=5e-5)
    np.testing.assert_allclose(objectives, minima, rtol=1e-4, atol=1e-2)
    if not with_bias:
        assert (out[:, -1] == 0).all()


def test_rows_longer_than_what_is_kept_at_hand_reach_the_solution_too():
    rows, other = problem(13, [6000, 3, 4096, 4097], n_other=7000)
    out = start(rows, other)
    descend_rows(rows, other, out, Ridge(2.0, 1.0), steps=100, offset=3.5)
    expected, _ = closed_form(rows, other, Ridge(2.0, 1.0), 3.5, None)
    np.testing.assert_allclose(out, expected, rtol=1e-3, atol=1e-4)


def test_confidence_base_and_scales_mean_what_they_mean_to_the_solve():
    rows, other = problem(20, COUNTS)
    rng = np.random.default_rng(2)
    terms = {
        "confidence": rng.uniform(0.0, 3.0, size=rows.values.size).astype(np.float32),
        "base": gramian(other, 0.3),
        "scales": rng.uniform(0.5, 2.0, size=rows.n_rows).astype(np.float32),
    }
    out, solved = start(rows, other), start(rows, other)
    objectives = descend_rows(rows, other, out, Ridge(2.0, 1.0), steps=200, offset=0.5, **terms)
    minima = solve_rows(rows, other, solved, Ridge(2.0, 1.0), offset=0.5, **terms)
    np.testing.assert_allclose(out, solved, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(objectives, minima, rtol=1e-4, atol=1e-2)
    with pytest.raises(ValueError, match="scales has shape"):
        descend_rows(rows, other, out, Ridge(2.0, 1.0), scales=terms["scales"][1:])


@pytest.mark.parametrize("with_bias", [False, True])
def test_as_many_steps_as_there_are_columns_are_enough(with_bias):
    """That is what makes directions conjugate; steepest descent is far away still."""
    rows, other = problem(5, [40, 90, 7])
    other[:, :-1] *= np.float32(2.0) ** np.arange(5, dtype=np.float32)[None, :] + np.float32(1.0)
    other[:, 1] += other[:, 0]
    rng = np.random.default_rng(1)
    terms = {
        "confidence": rng.uniform(0.5, 3.0, size=rows.values.size).astype(np.float32),
        "base": gramian(other, 0.1),
        "prior": Prior(start(rows, other, 2), np.append(np.full(5, 4.0), float(with_bias)).astype(np.float32)),
    }
    ridge = Ridge(2.0, 1.0, with_bias=with_bias)
    solved, moved, short = (start(rows, other) for _ in range(3))
    minima = solve_rows(rows, other, solved, ridge, offset=3.0, **terms)
    reached = descend_rows(rows, other, moved, ridge, steps=5 + with_bias, offset=3.0, **terms)
    almost = descend_rows(rows, other, short, ridge, steps=2, offset=3.0, **terms)
    np.testing.assert_allclose(reached, minima, rtol=2e-3)
    assert (almost > 1.01 * minima).any()


def test_one_step_solves_a_row_whose_columns_do_not_mix():
    """Steps are preconditioned by the diagonal, so that here the first one is the solution, whatever the weights."""
    other = np.zeros((6, 4), dtype=np.float32)
    other[[0, 2, 4], [0, 1, 2]], other[[1, 3, 5], [0, 1, 2]] = [1.0, 2.0, 5.0], [-1.0, -2.0, -5.0]
    values = np.array([3.0, 1.0, 4.0, 1.0, 5.0, 2.0], dtype=np.float32)
    rows = SparseRows(np.array([0, 6]), np.arange(6, dtype=np.int32), values)
    confidence = np.repeat(np.array([9.0, 4.0, 0.25], dtype=np.float32), 2)
    prior = Prior(np.full((1, 4), 0.5, dtype=np.float32), np.array([3.0, 1.0, 7.0, 2.0], dtype=np.float32))
    terms = {"confidence": confidence, "prior": prior, "base": np.diag([1.0, 6.0, 2.0, 3.0]).astype(np.float32)}
    out, solved = np.zeros((2, 1, 4), dtype=np.float32)
    descend_rows(rows, other, out, Ridge(2.0, 5.0), steps=1, **terms)
    solve_rows(rows, other, solved, Ridge(2.0, 5.0), **terms)
    np.testing.assert_allclose(out, solved, rtol=1e-5)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=8), st.integers(0, 9), st.integers(0, 10**6))
def test_no_step_raises_the_objective(counts, n_factors, seed):
    rows, other = problem(n_factors, counts, n_other=50, seed=seed)
    reached = []
    for steps in range(5):
        out = start(rows, other)
        reached.append(descend_rows(rows, other, out, Ridge(1.0, 1.0), steps=steps, offset=3.0))
    falls = np.diff(reached, axis=0)
    assert (falls <= 1e-5 * np.abs(reached[0])).all()
    _, minima = closed_form(rows, other, Ridge(1.0, 1.0), 3.0, None)
    assert (reached[-1] >= minima - 1e-5 * np.abs(reached[0])).all()


def test_three_steps_are_made_by_default_and_nothing_is_added_to_predictions():
    rows, other = problem(20, COUNTS)
    plain, told = start(rows, other), start(rows, other)
    descend_rows(rows, other, plain, Ridge(1.0, 1.0))
    descend_rows(rows, other, told, Ridge(1.0, 1.0), steps=3, offset=0.0)
    np.testing.assert_array_equal(plain, told)


def test_a_row_at_its_minimum_stays_there():
    rows, other = problem(40, COUNTS)
    out = start(rows, other)
    solve_rows(rows, other, out, Ridge(3.0, 1.0), offset=3.5)
    before = out.copy()
    descend_rows(rows, other, out, Ridge(3.0, 1.0), steps=3, offset=3.5)
    np.testing.assert_allclose(out, before, rtol=1e-3, atol=1e-4)


def test_threads_and_blocks_do_not_matter():
    rows, other = problem(40, list(np.random.default_rng(3).integers(0, 60, size=500)))
    results = []
    before = numba.get_num_threads()
    try:
        for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
            numba.set_num_threads(threads)
            out = start(rows, other)
            results.append((out, descend_rows(rows, other, out, Ridge(1.0, 1.0), offset=3.0)))
    finally:
        numba.set_num_threads(before)
    for first, second in zip(*results, strict=True):
        np.testing.assert_array_equal(first, second)
    cut = slice(rows.indptr[100], rows.indptr[200])
    part = SparseRows(rows.indptr[100:201] - rows.indptr[100], rows.indices[cut], rows.values[cut])
    alone = np.ascontiguousarray(start(rows, other)[100:200])
    descend_rows(part, other, alone, Ridge(1.0, 1.0), offset=3.0)
    np.testing.assert_array_equal(alone, results[0][0][100:200])


def test_a_direction_along_which_the_objective_falls_without_end_is_not_followed():
    rows, other = problem(3, [2])
    out = start(rows, other)
    before, base = out.copy(), np.diag([-1e4] * 4).astype(np.float32)
    objectives = descend_rows(rows, other, out, Ridge(1.0, 1.0), steps=5, base=base)
    np.testing.assert_array_equal(out, before)
    np.testing.assert_allclose(objectives, descend_rows(rows, other, out, Ridge(1.0, 1.0), steps=0, base=base))
    assert objectives[0] < -1e3


def test_nothing_is_left_of_rows_without_data_or_penalty():
    rows, other = problem(4, [0, 3])
    out = start(rows, other)
    objectives = descend_rows(rows, other, out, Ridge(0.0, 0.0), steps=50)
    assert np.isfinite(out).all()
    assert objectives[0] == 0.0


def test_a_direction_without_data_and_penalty_stays_and_the_others_move():
    rows, other = problem(3, [40])
    other[:, 1] = 0.0
    out = start(rows, other)
    before = out[0, 1]
    objectives = descend_rows(rows, other, out, Ridge(0.0, 0.0), steps=50, offset=3.0)
    assert out[0, 1] == before
    seen = other[rows.indices].astype(np.float64)
    design = np.column_stack([seen[:, [0, 2]], np.ones(40)])
    target = rows.values - 3.0 - seen[:, -1]
    best, *_ = np.linalg.lstsq(design, target, rcond=None)
    np.testing.assert_allclose(out[0, [0, 2, 3]], best, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(objectives[0], np.square(target - design @ best).sum(), rtol=1e-4)
