import itertools
import math

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfx.solver import grid as grid_module
from mfx.solver import pairwise
from mfx.solver.grid import default_blocks, free_place, group
from mfx.solver.hashing import FOLD_IN, NEGATIVES, key_of, random_bits, to_below
from mfx.solver.pairwise import run_epoch
from mfx.solver.pairwise_fold import fold_in
from mfx.solver.pairwise_kernels import TRIES, aligned, margin, move


def csr(rows):
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return indptr, np.array([i for row in rows for i in sorted(row)], dtype=np.int32)


def start(n_users, n_items, factors, seed=0, scale=0.1):
    rng = np.random.default_rng(seed)
    users = (scale * rng.standard_normal((n_users, factors + 1))).astype(np.float32)
    items = (scale * rng.standard_normal((n_items, factors + 1))).astype(np.float32)
    return users, items


def random_rows(n_users, n_items, share, seed=0):
    rng = np.random.default_rng(seed)
    return [np.flatnonzero(rng.random(n_items) < share).tolist() for _ in range(n_users)]


ROWS = st.integers(1, 30).flatmap(
    lambda n: st.tuples(st.just(n), st.lists(st.sets(st.integers(0, n - 1)), min_size=1, max_size=25))
)
RATES = {"learning_rate": 0.1, "reg": 0.02, "bias_reg": 0.05, "seed": 3}


# One step


def objective(u, vi, vj, reg, bias_reg):
    """Return the triple's objective; rows of items carry their bias last."""
    x = u @ (vi[:-1] - vj[:-1]) + vi[-1] - vj[-1]
    factors = sum(row @ row for row in (u, vi[:-1], vj[:-1]))
    return -math.log1p(math.exp(-x)) - 0.5 * reg * factors - 0.5 * bias_reg * (vi[-1] ** 2 + vj[-1] ** 2)


def test_a_step_follows_the_gradient_of_the_triple():
    rng = np.random.default_rng(1)
    factors, rate, reg, bias_reg = 5, 0.1, 0.3, 0.7
    rows = rng.standard_normal((3, factors + 1)).astype(np.float32)
    rows[0, -1] = 0.0

    users, items, biases = rows[:1, :-1].copy(), rows[1:, :-1].copy(), rows[1:, -1].copy()
    x = margin(users, items, biases, 0, 0, 1)
    pull = np.float32(rate / (1.0 + math.exp(x)))
    move(users, items, biases, 0, 0, 1, pull, np.float32(1 - rate * reg), np.float32(1 - rate * bias_reg))
    stepped = np.column_stack([np.vstack([users, items]), np.concatenate([[0.0], biases])])

    exact, h = rows.astype(np.float64), 1e-5
    gradient = np.zeros_like(exact)
    for place in np.ndindex(*exact.shape):
        if place == (0, factors):
            continue
        up, down = exact.copy(), exact.copy()
        up[place] += h
        down[place] -= h
        value = [objective(r[0, :-1], r[1], r[2], reg, bias_reg) for r in (up, down)]
        gradient[place] = (value[0] - value[1]) / (2 * h)
    np.testing.assert_allclose((stepped - exact) / rate, gradient, atol=3e-6)


@settings(deadline=None)
@given(st.sets(st.integers(10, 30)), st.data())
def test_free_places_are_those_not_taken(taken, data):
    free = [p for p in range(10, 31) if p not in taken]
    if free:
        r = data.draw(st.integers(0, len(free) - 1))
        places = np.array([99, *sorted(taken), 99], dtype=np.int32)
        assert free_place(places, 1, 1 + len(taken), 10, r) == free[r]


# The grid


@settings(max_examples=60, deadline=None)
@given(ROWS, st.sampled_from([1, 2, 4, 8]), st.integers(0, 5))
def test_every_positive_lies_in_its_own_cell_once(sized_rows, blocks, epoch):
    n_items, rows = sized_rows
    indptr, indices = csr(rows)
    grid = group(indptr, indices, n_items, blocks, 7, epoch)

    assert sorted(grid.users.tolist()) == list(range(len(rows)))
    assert sorted(grid.items.tolist()) == list(range(n_items))
    assert grid.cells.starts.shape == (blocks, blocks + 1)
    seen = []
    for a in range(blocks):
        for b in range(blocks):
            stop = grid.cells.starts[a, b]
            for s in range(grid.user_starts[a], grid.user_starts[a + 1]):
                begin, stop = stop, stop + grid.cells.counts[b, s]
                places = grid.cells.places[begin:stop]
                assert (np.diff(places) > 0).all()
                assert ((places >= grid.item_starts[b]) & (places < grid.item_starts[b + 1])).all()
                seen += [(int(grid.users[s]), int(grid.items[p])) for p in places]
            assert stop == grid.cells.starts[a, b + 1]
    assert sorted(seen) == [(u, i) for u, row in enumerate(rows) for i in sorted(row)]


def test_blocks_are_dealt_evenly_and_anew_each_epoch():
    indptr, indices = csr(random_rows(101, 333, 0.1))
    grids = [group(indptr, indices, 333, 4, seed, epoch) for seed, epoch in ((1, 0), (1, 1), (2, 0))]
    for grid in grids:
        assert set(np.diff(grid.user_starts).tolist()) <= {25, 26}
        assert set(np.diff(grid.item_starts).tolist()) <= {83, 84}
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (grids[one].users != grids[other].users).any()
        assert (grids[one].items != grids[other].items).any()


def test_any_two_items_meet_in_one_block_in_about_one_epoch_of_as_many_as_there_are_blocks():
    indptr, indices = csr([[0]])
    epochs, blocks, n = 400, 4, 16
    met = np.zeros((n, n))
    for epoch in range(epochs):
        grid = group(indptr, indices, n, blocks, 1, epoch)
        block = np.empty(n, dtype=int)
        block[grid.items] = np.repeat(np.arange(blocks), np.diff(grid.item_starts))
        met += block[:, None] == block
    share = met[np.triu_indices(n, 1)] / epochs
    assert abs(share.mean() - 3 / 15) < 1e-9  # each item has three others in its block of four
    assert share.min() > 0.1
    assert share.max() < 0.3


@pytest.mark.parametrize(("users", "items", "blocks"), [(1, 1, 1), (3, 10_000, 1), (10_000, 60, 1), (610, 9742, 16)])
def test_default_blocks_depend_on_the_sizes(users, items, blocks):
    assert default_blocks(users, items) == blocks


def test_default_blocks_are_bounded():
    assert default_blocks(10**6, 10**6) == grid_module.MOST_BLOCKS


# The epoch


def reference_draw(key, numbers, block, free):
    """Return an item that is free: one of any in `block`, up to TRIES times, then one of the free ones."""
    for _ in range(TRIES):
        j = block[int(to_below(np.uint64(random_bits(key, np.uint64(next(numbers)))), np.uint64(len(block))))]
        if j in free:
            return j
    return free[int(to_below(np.uint64(random_bits(key, np.uint64(next(numbers)))), np.uint64(len(free))))]


def reference_epoch(
    users, items, indptr, indices, *, learning_rate, reg, bias_reg, seed, epoch, blocks, hardest_of=1, popular=False
):
    """One epoch in float64, triple by triple, with lists; the same draws as the kernel."""
    users, items = users.astype(np.float64), items.astype(np.float64)
    grid = group(indptr, indices, len(items), blocks, seed, epoch)
    key, total, losses = key_of(seed, epoch, NEGATIVES), indices.size, []
    for diagonal in range(blocks):
        for a in range(blocks):
            b = (a + diagonal) % blocks
            block = grid.items[grid.item_starts[b] : grid.item_starts[b + 1]].tolist()
            t = int(grid.cells.starts[a, b])
            offered = grid.items[grid.cells.places[t : grid.cells.starts[a, b + 1]]].tolist() if popular else block
            for s in range(grid.user_starts[a], grid.user_starts[a + 1]):
                u = grid.users[s]
                row = set(indices[indptr[u] : indptr[u + 1]].tolist())
                mine, free = [i for i in block if i in row], [i for i in block if i not in row]
                for place, i in enumerate(mine):
                    if not free:
                        continue
                    numbers = itertools.count(t + place, total)
                    drawn = [reference_draw(key, numbers, offered, free) for _ in range(hardest_of)]
                    j = max(drawn, key=lambda i: users[u, :-1] @ items[i, :-1] + items[i, -1])
                    p, q, w = users[u, :-1].copy(), items[i].copy(), items[j].copy()
                    x = p @ (q[:-1] - w[:-1]) + q[-1] - w[-1]
                    losses.append(math.log1p(math.exp(-x)))
                    g = 1.0 / (1.0 + math.exp(x))
                    users[u, :-1] += learning_rate * (g * (q - w)[:-1] - reg * p)
                    items[i, :-1] += learning_rate * (g * p - reg * q[:-1])
                    items[j, :-1] += learning_rate * (-g * p - reg * w[:-1])
                    items[i, -1] += learning_rate * (g - bias_reg * q[-1])
                    items[j, -1] += learning_rate * (-g - bias_reg * w[-1])
                t += len(mine)
    return users, items, sum(losses) / max(len(losses), 1)


@pytest.mark.parametrize("popular", [False, True])
@pytest.mark.parametrize("hardest_of", [1, 2, 5])
@pytest.mark.parametrize(("factors", "blocks", "share"), [(3, 1, 0.3), (16, 2, 0.5), (17, 4, 0.9)])
def test_an_epoch_equals_its_reference_in_double_precision(factors, blocks, share, hardest_of, popular):
    options = {"blocks": blocks, "hardest_of": hardest_of, "popular": popular, **RATES}
    indptr, indices = csr([*random_rows(20, 24, share), [], list(range(24))])
    users, items = start(22, 24, factors)
    expected_users, expected_items, expected_loss = users, items, 0.0
    for epoch in range(3):
        expected_users, expected_items, expected_loss = reference_epoch(
            expected_users, expected_items, indptr, indices, epoch=epoch, **options
        )
        loss = run_epoch(users, items, indptr, indices, epoch=epoch, **options)
    np.testing.assert_allclose(users, expected_users, atol=1e-5)
    np.testing.assert_allclose(items, expected_items, atol=1e-5)
    assert loss == pytest.approx(expected_loss, abs=1e-5)


def test_of_negatives_that_score_alike_the_first_drawn_is_taken():
    options = {"blocks": 1, "hardest_of": 4, **RATES, "reg": 0.0}
    indptr, indices = csr([[u] for u in range(6)])
    users, items = np.zeros((6, 3), np.float32), np.zeros((40, 3), np.float32)
    users[:, 0] = 1.0  # and no item has a factor or a bias that tells it from another
    expected_users, expected_items, _ = reference_epoch(users, items, indptr, indices, epoch=0, **options)
    run_epoch(users, items, indptr, indices, epoch=0, **options)
    np.testing.assert_allclose(items, expected_items, atol=1e-6)
    np.testing.assert_allclose(users, expected_users, atol=1e-6)


def test_the_result_is_the_same_bit_for_bit_with_any_number_of_threads(monkeypatch):
    monkeypatch.setattr(pairwise, "_WORTH_THREADS", 0)
    indptr, indices = csr(random_rows(300, 200, 0.1))
    results, most = [], numba.config.NUMBA_NUM_THREADS
    before = numba.get_num_threads()
    try:
        for threads in (1, most):
            numba.set_num_threads(threads)
            users, items = start(300, 200, 13)
            losses = [
                run_epoch(users, items, indptr, indices, epoch=e, blocks=8, hardest_of=1 + e, **RATES) for e in range(3)
            ]
            folded = fold_in(items, indptr, indices, learning_rate=0.05, reg=0.01, epochs=5, seed=1, hardest_of=3)
            results.append((users.tobytes(), items.tobytes(), folded.tobytes(), losses))
    finally:
        numba.set_num_threads(before)
    if most == 1:
        pytest.skip("this machine gives numba one thread only")
    assert results[0] == results[1]


@pytest.mark.parametrize(("rows", "width"), [(1, 16), (5, 48)])
def test_rows_that_are_worked_on_start_on_cache_lines(rows, width):
    for _ in range(20):
        made = aligned(rows, width)
        assert made.shape == (rows, width)
        assert made.ctypes.data % 64 == 0


def test_small_epochs_are_done_by_one_thread(monkeypatch):
    seen = []
    monkeypatch.setattr(pairwise, "group", lambda *given: seen.append(numba.get_num_threads()) or group(*given))
    users, items = start(2, 3, 2)
    run_epoch(users, items, *csr([[0], [1]]), epoch=0, **RATES)
    monkeypatch.setattr(pairwise, "_WORTH_THREADS", 4)  # two positives times two factors
    run_epoch(users, items, *csr([[0], [1]]), epoch=0, **RATES)
    assert seen == [1, numba.get_num_threads()]


def test_small_epochs_hand_the_threads_back():
    before = numba.get_num_threads()
    users, items = start(2, 3, 2)
    run_epoch(users, items, *csr([[0], [1]]), epoch=0, **RATES)
    assert numba.get_num_threads() == before


def test_the_seed_and_the_epoch_change_the_result():
    indptr, indices = csr(random_rows(30, 40, 0.2))
    results = set()
    for seed, epoch in ((1, 0), (1, 1), (2, 0)):
        users, items = start(30, 40, 4)
        run_epoch(users, items, indptr, indices, **{**RATES, "seed": seed}, epoch=epoch)
        results.add(items.tobytes())
    assert len(results) == 3


@pytest.mark.parametrize("row", [[], [0, 1, 2, 3, 4]])
def test_a_user_without_anything_to_compare_is_left_as_it_was(row):
    users, items = start(1, 5, 3)
    users_before, items_before = users.copy(), items.copy()
    assert run_epoch(users, items, *csr([row]), epoch=0, **RATES) == 0.0
    np.testing.assert_array_equal(users, users_before)
    np.testing.assert_array_equal(items, items_before)


def test_one_item_alone_is_no_ranking():
    users, items = start(2, 1, 3)
    assert run_epoch(users, items, *csr([[0], []]), epoch=0, **RATES) == 0.0


def test_the_last_column_of_users_is_left_alone():
    users, items = start(20, 30, 3)
    before = users.copy()
    run_epoch(users, items, *csr(random_rows(20, 30, 0.3)), epoch=0, **RATES)
    np.testing.assert_array_equal(users[:, -1], before[:, -1])
    assert (users[:, :-1] != before[:, :-1]).any()


def test_steep_losses_are_summed_exactly():
    # One positive far below every negative: x = -1000 is beyond exp's range, the loss is 1000 all the same.
    users, items = np.zeros((1, 2), np.float32), np.zeros((4, 2), np.float32)
    items[0, -1] = -1000.0
    loss = run_epoch(users, items, *csr([[0]]), epoch=0, **RATES)
    assert loss == pytest.approx(1000.0)


def test_many_losses_are_summed_exactly():
    # All margins are 0 before the first step and stay nearly so: the mean loss is ln 2 to the learning rate.
    users, items = np.zeros((50, 3), np.float32), np.zeros((400, 3), np.float32)
    loss = run_epoch(
        users, items, *csr(random_rows(50, 400, 0.4)), learning_rate=1e-7, reg=0.0, bias_reg=0.0, seed=1, epoch=0
    )
    assert loss == pytest.approx(math.log(2.0), abs=1e-4)


def test_divergence_shows_in_the_loss():
    users, items = start(20, 30, 3)
    items[:, 0] = np.inf
    assert not math.isfinite(run_epoch(users, items, *csr(random_rows(20, 30, 0.3)), epoch=0, **RATES))


# Learning


def two_communities(hidden):
    """Even users have the first ten items, odd users the others, each but one that is hidden from it."""
    rows = [[i for i in range(10 * (u % 2), 10 * (u % 2) + 10) if i != hidden(u)] for u in range(40)]
    return csr(rows)


def hidden_item(u):
    return 10 * (u % 2) + (u // 2) % 10


def test_planted_communities_are_found_and_the_loss_falls():
    indptr, indices = two_communities(hidden_item)
    users, items = start(40, 20, 4)
    rates = {"learning_rate": 0.1, "reg": 0.01, "bias_reg": 0.01, "seed": 1}
    losses = [run_epoch(users, items, indptr, indices, epoch=e, blocks=2, **rates) for e in range(80)]
    assert losses[-1] < 0.1 < 0.6 < losses[0]
    for u in range(40):
        scores = items[:, :-1] @ users[u, :-1] + items[:, -1]
        scores[indices[indptr[u] : indptr[u + 1]]] = -np.inf
        assert scores.argmax() == hidden_item(u)

    folded = fold_in(items, *csr([[0, 1, 2], [15, 16]]), learning_rate=0.1, reg=0.01, epochs=50, seed=1)
    scores = folded[:, :-1] @ items[:, :-1].T + items[:, -1]
    assert set(np.argsort(-scores[0])[:10]) == set(range(10))
    assert set(np.argsort(-scores[1])[:10]) == set(range(10, 20))


def test_biases_learn_popularity():
    indptr, indices = csr([[0, 1 + u % 9] for u in range(60)])
    users, items = np.zeros((60, 3), np.float32), np.zeros((20, 3), np.float32)
    for epoch in range(20):
        run_epoch(users, items, indptr, indices, epoch=epoch, **RATES)
    assert items[:, -1].argmax() == 0
    assert items[1:10, -1].min() > items[10:, -1].max()


def test_reg_shrinks_factors_and_bias_reg_biases():
    indptr, indices = csr(random_rows(40, 30, 0.2))

    def norms(reg, bias_reg):
        users, items = start(40, 30, 4)
        for epoch in range(15):
            run_epoch(users, items, indptr, indices, learning_rate=0.1, reg=reg, bias_reg=bias_reg, seed=1, epoch=epoch)
        return np.linalg.norm(items[:, :-1]), np.linalg.norm(items[:, -1])

    plain, small_factors, small_biases = norms(0.0, 0.0), norms(0.5, 0.0), norms(0.0, 0.5)
    assert small_factors[0] < 0.5 * plain[0]
    assert small_biases[1] < 0.8 * plain[1]


# Folding in


def test_a_folded_row_depends_on_its_positives_only():
    _, items = start(1, 50, 6)
    rates = {"learning_rate": 0.05, "reg": 0.01, "epochs": 10, "seed": 4}
    alone = fold_in(items, *csr([[3, 8, 21]]), **rates)
    among = fold_in(items, *csr([[1], [], [3, 8, 21], list(range(50))]), **rates)
    np.testing.assert_array_equal(alone[0], among[2])
    np.testing.assert_array_equal(among[[1, 3]], 0.0)
    assert alone.shape == (1, 7)
    assert alone[0, -1] == 0.0
    assert (alone != fold_in(items, *csr([[3, 8, 21]]), **{**rates, "seed": 5})).any()


def reference_fold(items, positives, *, learning_rate, reg, epochs, seed, counts=None, hardest_of=1):
    """Return the factors of one new user in float64, triple by triple; the same draws as the kernel."""
    key, numbers, row = key_of(seed, FOLD_IN), itertools.count(), np.zeros(items.shape[1] - 1)
    free = [j for j in range(len(items)) if j not in positives]

    def below(n):
        return int(to_below(np.uint64(random_bits(key, np.uint64(next(numbers)))), np.uint64(n)))

    def draw():
        offered = [] if counts is None else np.repeat(np.arange(len(items)), counts).tolist()
        for _ in range(TRIES if offered else 0):
            if (j := offered[below(len(offered))]) in free:
                return j
        return free[below(len(free))]

    for epoch in range(epochs):
        rate = learning_rate * (1.0 - epoch / epochs)
        for i in positives:
            drawn = [draw() for _ in range(hardest_of)]
            j = max(drawn, key=lambda j: row @ items[j, :-1] + items[j, -1])
            step = items[i].astype(np.float64) - items[j]
            row = (1.0 - rate * reg) * row + rate / (1.0 + math.exp(row @ step[:-1] + step[-1])) * step[:-1]
    return row


@pytest.mark.parametrize("hardest_of", [1, 2, 3])
@pytest.mark.parametrize("counts", [None, [0, 9, 1, 0, 4, 4, 30, 0, 2, 0]])
@pytest.mark.parametrize("biases", [0.0, 1.0])  # without them all scores are equal at first
def test_folding_in_equals_its_reference_in_double_precision(counts, hardest_of, biases):
    items = np.random.default_rng(4).standard_normal((10, 4)).astype(np.float32)
    items[:, -1] *= np.float32(biases)
    positives = [[1], [0, 6, 9], [1, 2, 4, 5, 6, 8], [3, 7], [0, 1, 2, 3, 4, 5, 6, 7, 9]]
    options = {"learning_rate": 0.2, "reg": 0.3, "epochs": 7, "seed": 5, "hardest_of": hardest_of}
    counts = None if counts is None else np.array(counts)
    found = fold_in(items, *csr(positives), counts=counts, **options)
    for row, own in zip(found, positives, strict=True):
        np.testing.assert_allclose(row[:-1], reference_fold(items, own, counts=counts, **options), atol=1e-5)


def test_folding_in_nears_the_optimum_of_the_expected_objective():
    rng = np.random.default_rng(2)
    items = rng.standard_normal((12, 4)).astype(np.float32)
    positives, reg = [1, 5, 6], 0.1
    negatives = [j for j in range(12) if j not in positives]
    # Newton's method on the mean over all (i, j): a concave function of the row.
    d = np.array([items[i] - items[j] for i in positives for j in negatives], dtype=np.float64)
    u = np.zeros(3)
    for _ in range(50):
        g = 1.0 / (1.0 + np.exp(d[:, :-1] @ u + d[:, -1]))
        hessian = (d[:, :-1] * (g * (1 - g))[:, None]).T @ d[:, :-1] / len(d) + reg * np.eye(3)
        u += np.linalg.solve(hessian, (d[:, :-1] * g[:, None]).mean(axis=0) - reg * u)
    row = fold_in(items, *csr([positives]), learning_rate=0.05, reg=reg, epochs=4000, seed=1)[0, :-1]
    np.testing.assert_allclose(row, u, atol=0.05)


def drawn_as_negatives(rows, n_items, **options):
    """Count how often each item was a negative of one epoch: tiny steps from zero leave the counts in the biases."""
    users, items = np.zeros((len(rows), 2), np.float32), np.zeros((n_items, 2), np.float32)
    indptr, indices = csr(rows)
    rate = 1e-6
    run_epoch(users, items, indptr, indices, learning_rate=rate, reg=0.0, bias_reg=0.0, seed=3, epoch=0, **options)
    positives = np.bincount(indices, minlength=n_items)
    return np.rint(positives - items[:, 1] / (rate / 2)).astype(int)


def test_the_loss_of_many_triples_is_their_mean():
    """Their product overflows several times over, and is turned into a sum before it does."""
    users, items = np.zeros((300, 3), np.float32), np.zeros((40, 3), np.float32)
    rates = {"learning_rate": 1e-9, "reg": 0.0, "bias_reg": 0.0, "seed": 1}
    loss = run_epoch(users, items, *csr(random_rows(300, 40, 0.4)), epoch=0, blocks=1, **rates)
    assert loss == pytest.approx(math.log(2.0), rel=1e-6)


def test_negatives_by_popularity_are_drawn_as_often_as_they_are_positives():
    rng = np.random.default_rng(0)
    weights = 1.0 / (np.arange(40) + 1.0)
    rows = [sorted(rng.choice(40, 4, replace=False, p=weights / weights.sum())) for _ in range(3000)]
    positives = np.bincount(np.concatenate(rows), minlength=40)
    uniform = drawn_as_negatives(rows, 40, blocks=1)
    popular = drawn_as_negatives(rows, 40, blocks=1, popular=True)
    assert [uniform.sum(), popular.sum()] == pytest.approx([12000, 12000], abs=40)
    # Among those who do not have it, an item is drawn in proportion to its positives.
    others = 3000 - positives
    expected = positives * others / (positives * others).sum() * 12000
    assert np.abs(popular - expected).max() < 6 * np.sqrt(expected.max())
    assert np.corrcoef(uniform, others)[0, 1] > 0.9
    assert np.corrcoef(popular, expected)[0, 1] > 0.98


def test_popular_negatives_depend_neither_on_threads_nor_fail_where_a_user_has_all_that_is_popular():
    rows = random_rows(60, 50, 0.2)
    tables = []
    for threads in (1, numba.config.NUMBA_NUM_THREADS):
        numba.set_num_threads(threads)
        users, items = np.full((60, 5), 0.1, np.float32), np.full((50, 5), 0.1, np.float32)
        for epoch in range(3):
            run_epoch(users, items, *csr(rows), epoch=epoch, blocks=4, popular=True, **RATES)
        tables.append(items)
    np.testing.assert_array_equal(*tables)
    users, items = np.full((2, 2), 0.1, np.float32), np.full((3, 2), 0.1, np.float32)
    assert run_epoch(users, items, *csr([[0, 1], [0, 1]]), epoch=0, blocks=1, popular=True, **RATES) > 0.0
    assert items[2, 1] < 0.0  # the one item that nobody has is all that is left to compare with


def test_the_hardest_of_many_draws_is_the_item_at_the_top():
    items = np.zeros((30, 3), np.float32)
    items[7, -1], items[3, -1] = 1.0, 2.0
    rates = {"learning_rate": 1e-4, "reg": 0.0, "bias_reg": 0.0, "seed": 1}
    users, moved = np.zeros((1, 3), np.float32), items.copy()
    run_epoch(users, moved, *csr([[3]]), epoch=0, blocks=1, hardest_of=300, **rates)
    assert np.flatnonzero(moved[:, -1] != items[:, -1]).tolist() == [3, 7]
    tastes = np.zeros((30, 3), np.float32)
    tastes[[3, 7, 9], :2] = [[1, 0], [0.9, 0], [0, 1]]
    plain, hard = (
        fold_in(tastes, *csr([[3]]), learning_rate=0.1, reg=0.0, epochs=50, seed=1, hardest_of=n)[0] for n in (1, 300)
    )
    assert plain[0] > 5 * hard[0] > 0.0  # who is compared with 7 only learns from what tells it from 3


def test_fold_in_can_draw_by_popularity():
    rng = np.random.default_rng(1)
    items = rng.normal(size=(30, 4)).astype(np.float32)
    counts = np.zeros(30, dtype=np.int64)
    counts[[7, 9]] = 5, 1
    rates = {"learning_rate": 0.05, "reg": 0.0, "epochs": 200, "seed": 1}
    row = fold_in(items, *csr([[3]]), counts=counts, **rates)[0]
    assert row @ items[3] > row @ items[7]
    assert (row != fold_in(items, *csr([[3]]), **rates)[0]).any()
    # Whoever has all that can be drawn is compared with the rest.
    assert np.isfinite(fold_in(items, *csr([[7, 9]]), counts=counts, **rates)).all()
    # Shares decide, also of more ratings than 32 bits count.
    np.testing.assert_array_equal(fold_in(items, *csr([[3]]), counts=counts * 2**31, **rates)[0], row)
