"""One measurement in a process of its own: `python work.py TASK '{"settings": ...}'` prints one line of JSON.

A child process imports one library only, so no peer lives with another's threads. Points of a fit are
``[epochs, seconds, quality]``; seconds include what the library does before its first epoch and exclude scoring.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

TASKS: dict[str, Any] = {}


def task(function: Any) -> Any:
    """Register a measurement under its name."""
    TASKS[function.__name__] = function
    return function


class Data:
    """Ratings split into train and test, and the users whose lists are scored."""

    def __init__(self, folder: str) -> None:
        self.columns = {file.stem: np.load(file, mmap_mode="r") for file in Path(folder).glob("*.npy")}
        self.n_users, self.n_items = (int(n) for n in self.columns["shape"])

    def part(self, name: str) -> tuple[Any, Any, Any]:
        """Return users, items and values of train or test, in memory."""
        return tuple(np.array(self.columns[f"{name}_{column}"]) for column in ("users", "items", "values"))

    def csr(self, name: str) -> Any:
        """Return a part as a scipy matrix."""
        from scipy.sparse import csr_matrix

        users, items, values = self.part(name)
        indptr = np.concatenate([[0], np.cumsum(np.bincount(users, minlength=self.n_users))])
        return csr_matrix((values, items, indptr), shape=(self.n_users, self.n_items))

    def ratings(self, name: str) -> Any:
        """Return a part as MFX's ratings."""
        from mfx.interfaces import Catalogue, Ratings, RatingScale

        users, items, values = self.part(name)
        catalogue = Catalogue(np.arange(self.n_users), np.arange(self.n_items))
        return Ratings(users, items, values, None, catalogue, RatingScale(0.5, 5.0), "bench")

    def rmse(self, offset: float, user_factors: Any, item_factors: Any, user_bias: Any, item_bias: Any) -> float:
        """Score held-out ratings in float32, in blocks."""
        users, items, values = self.part("test")
        total = 0.0
        for start in range(0, users.size, 1 << 18):
            u, i = users[start : start + (1 << 18)], items[start : start + (1 << 18)]
            guess = np.einsum("nk,nk->n", user_factors[u], item_factors[i]) + user_bias[u] + item_bias[i] + offset
            total += float(np.square(values[start : start + (1 << 18)] - guess, dtype=np.float64).sum())
        return float(np.sqrt(total / users.size))

    def ndcg(self, user_factors: Any, item_factors: Any) -> float:
        """ndcg@10 over all items for a sample of users; train is masked and every held-out rating relevant."""
        chosen = np.array(self.columns["sample"])
        train, test = self.csr("train"), self.csr("test")
        discount = 1.0 / np.log2(np.arange(2, 12))
        found = []
        for start in range(0, chosen.size, 256):
            users = chosen[start : start + 256]
            scores = user_factors[users] @ item_factors.T
            seen = train[users]
            scores[np.repeat(np.arange(users.size), np.diff(seen.indptr)), seen.indices] = -np.inf
            top = np.argpartition(-scores, 10, axis=1)[:, :10]
            top = np.take_along_axis(top, np.argsort(-np.take_along_axis(scores, top, 1), axis=1), 1)
            for row, user in enumerate(users):
                relevant = test.indices[test.indptr[user] : test.indptr[user + 1]]
                if relevant.size:
                    hits = np.isin(top[row], relevant)
                    found.append((hits @ discount) / discount[: min(10, relevant.size)].sum())
        return float(np.mean(found))


@task
def mfx_als(data: Data, factors: int, reg: float, bias_reg: float, epochs: int) -> Any:
    """Fit MFX's ALS and score after every epoch."""
    import mfx

    train = data.ratings("train")
    small = train.take(np.arange(20_000))
    mfx.ALS(factors=factors, epochs=1).fit(small)  # load the compiled kernels, as implicit and cmfrec are compiled
    points: list[list[float]] = []
    state = {"began": time.perf_counter(), "scoring": 0.0}

    def on_epoch(model: Any, epoch: Any) -> bool:
        now = time.perf_counter()
        quality = data.rmse(model.offset_, model.user_factors_, model.item_factors_, model.user_bias_, model.item_bias_)
        points.append([epoch.number, now - state["began"] - state["scoring"], quality])
        state["scoring"] += time.perf_counter() - now
        return False

    mfx.ALS(factors=factors, epochs=epochs, reg=reg, bias_reg=bias_reg).fit(train, on_epoch=on_epoch)
    return {"points": points}


@task
def cmfrec_als(data: Data, factors: int, reg: float, bias_reg: float, epochs: list[int], cg: bool) -> Any:
    """Fit cmfrec's ALS once for each number of epochs: it has no callback."""
    from cmfrec import CMF
    from scipy.sparse import coo_matrix

    users, items, values = data.part("train")
    matrix = coo_matrix((values, (users, items)), shape=(data.n_users, data.n_items))
    points = []
    for count in epochs:
        began = time.perf_counter()
        model = CMF(
            k=factors,
            lambda_=np.array([bias_reg, bias_reg, reg, reg, 0.0, 0.0]),
            method="als",
            use_cg=cg,
            max_cg_steps=3,
            finalize_chol=False,
            niter=count,
            use_float=True,
            nthreads=2,
            precompute_for_predictions=False,
            verbose=False,
            random_state=1,
        ).fit(matrix)
        seconds = time.perf_counter() - began
        quality = data.rmse(model.glob_mean_, model.A_, model.B_, model.user_bias_, model.item_bias_)
        points.append([count, seconds, quality])
    return {"points": points}


@task
def mfx_bpr(data: Data, factors: int, learning_rate: float, reg: float, epochs: int, every: int, negatives: str) -> Any:
    """Fit MFX's BPR and score after some epochs."""
    import mfx

    train = data.ratings("train")
    mfx.create("model", "bpr", {"factors": factors, "epochs": 1, "negatives": negatives, "hardest_of": 1}).fit(
        train.take(np.arange(20_000))
    )
    points: list[list[float]] = []
    state = {"began": time.perf_counter(), "scoring": 0.0}

    def on_epoch(model: Any, epoch: Any) -> bool:
        if epoch.number % every == 0:
            now = time.perf_counter()
            users = np.column_stack([model.user_factors_, np.ones(data.n_users, np.float32)])
            points.append([epoch.number, now - state["began"] - state["scoring"], data.ndcg(users, model.item_table_)])
            state["scoring"] += time.perf_counter() - now
        return False

    settings: dict[str, Any] = {"factors": factors, "epochs": epochs, "learning_rate": learning_rate}
    settings |= {"reg": reg, "bias_reg": reg}
    settings |= {"negatives": negatives, "hardest_of": 1}  # plain BPR, as implicit's
    mfx.create("model", "bpr", settings).fit(train, on_epoch=on_epoch)
    return {"points": points}


@task
def implicit_bpr(data: Data, factors: int, learning_rate: float, reg: float, epochs: int, every: int) -> Any:
    """Fit implicit's BPR and score after some epochs."""
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    matrix = data.csr("train")
    points: list[list[float]] = []
    state = {"began": time.perf_counter(), "scoring": 0.0}
    model = BayesianPersonalizedRanking(
        factors=factors,
        learning_rate=learning_rate,
        regularization=reg,
        iterations=epochs,
        num_threads=2,
        random_state=1,
    )

    def on_epoch(epoch: int, *_: Any) -> None:
        if (epoch + 1) % every == 0:
            now = time.perf_counter()
            quality = data.ndcg(model.user_factors, model.item_factors)
            points.append([epoch + 1, now - state["began"] - state["scoring"], quality])
            state["scoring"] += time.perf_counter() - now

    model.fit(matrix, show_progress=False, callback=on_epoch)
    return {"points": points}


@task
def mfx_ials(data: Data, factors: int, reg: float, epochs: int) -> Any:
    """Fit the plugin mfx-ials with one penalty for all rows and every rating of weight 1 on top of `weight`."""
    from mfx_ials.models import IALS

    train = data.ratings("train")
    IALS(factors=factors, epochs=1).fit(train.take(np.arange(20_000)))
    points: list[list[float]] = []
    state = {"began": time.perf_counter(), "scoring": 0.0}

    def on_epoch(model: Any, epoch: Any) -> bool:
        now = time.perf_counter()
        points.append(
            [epoch.number, now - state["began"] - state["scoring"], data.ndcg(model.user_factors_, model.item_factors_)]
        )
        state["scoring"] += time.perf_counter() - now
        return False

    model = IALS(
        factors=factors, epochs=epochs, reg=reg, reg_exponent=0.0, unobserved_weight=1.0, rating_confidence=1.0
    )
    model.fit(train, on_epoch=on_epoch)
    return {"points": points}


@task
def implicit_ials(data: Data, factors: int, reg: float, epochs: int) -> Any:
    """Fit implicit's ALS at its defaults (three steps of conjugate gradients); confidence 1 + rating, as above."""
    from implicit.cpu.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    matrix = data.csr("train")
    matrix.data = matrix.data + np.float32(2.0)
    points: list[list[float]] = []
    state = {"began": time.perf_counter(), "scoring": 0.0}
    model = AlternatingLeastSquares(
        factors=factors, regularization=reg, iterations=epochs, num_threads=2, random_state=1
    )

    def on_epoch(epoch: int, *_: Any) -> None:
        now = time.perf_counter()
        quality = data.ndcg(model.user_factors, model.item_factors)
        points.append([epoch + 1, now - state["began"] - state["scoring"], quality])
        state["scoring"] += time.perf_counter() - now

    with threadpool_limits(1, user_api="blas"):  # as implicit asks for
        model.fit(matrix, show_progress=False, callback=on_epoch)
    return {"points": points}


def tables(data: Data, factors: int) -> tuple[Any, Any]:
    """Make two random tables, the same in every process."""
    rng = np.random.default_rng(0)
    return tuple(rng.standard_normal((n, factors), dtype=np.float32) for n in (data.n_users, data.n_items))


@task
def mfx_lists(data: Data, factors: int, repeats: int) -> Any:
    """Find the best ten unseen items of all users."""
    from mfx.solver import ScoreProduct, best_of_product

    users, items = tables(data, factors)
    train = data.ratings("train")
    rows = np.arange(data.n_users, dtype=np.int32)
    seen = (train.user_indptr, train.items)
    first = rows[:2000]
    best_of_product(ScoreProduct(users[first], items, np.zeros(first.size, np.float32)), first, 10, seen=seen)
    seconds, check = [], 0
    for _ in range(repeats):
        began = time.perf_counter()
        found, _scores = best_of_product(
            ScoreProduct(users, items, np.zeros(data.n_users, np.float32)), rows, 10, seen=seen
        )
        seconds.append(time.perf_counter() - began)
        check = int(found[:1000].astype(np.int64).sum())
    return {"seconds": seconds, "check": check}


@task
def implicit_lists(data: Data, factors: int, repeats: int) -> Any:
    """Let implicit recommend ten unseen items to all users, in its own batches."""
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    model = BayesianPersonalizedRanking(factors=factors, num_threads=2)
    model.user_factors, model.item_factors = tables(data, factors)
    matrix = data.csr("train")
    rows = np.arange(data.n_users)
    seconds, check = [], 0
    for _ in range(repeats):
        began = time.perf_counter()
        found = model.recommend(rows, matrix, N=10)[0]
        seconds.append(time.perf_counter() - began)
        check = int(found[:1000].astype(np.int64).sum())
    return {"seconds": seconds, "check": check}


@task
def limits(data: Data, factors: int, repeats: int) -> Any:
    """Measure what the machine can do: copying, square products, and the bare product behind all lists."""
    users, items = tables(data, factors)
    square = np.ones((2048, 2048), dtype=np.float32)
    block = np.ones(1 << 28, dtype=np.uint8)
    target = np.empty_like(block)
    copies, squares, scores = [], [], []
    for _ in range(repeats):
        began = time.perf_counter()
        np.copyto(target, block)
        copies.append(2 * block.size / (time.perf_counter() - began) / 1e9)
        began = time.perf_counter()
        for _ in range(8):
            square @ square
        squares.append(8 * 2 * 2048**3 / (time.perf_counter() - began) / 1e9)
        began = time.perf_counter()
        for start in range(0, 16384, 1024):
            users[start : start + 1024] @ items.T
        scores.append((time.perf_counter() - began) * data.n_users / 16384)
    return {"copy GB/s": copies, "product GFLOP/s": squares, "all scores s": scores}


@task
def mfx_read(data: Data, path: str, cache: str) -> Any:
    """Read a CSV into ratings and both sparse layouts, then once more from the cache."""
    import os

    os.environ["MFX_CACHE"] = cache
    import mfx
    from mfx.models.layouts import layouts

    seconds = []
    for _ in range(2):
        began = time.perf_counter()
        table = mfx.create("dataset", "table", {"path": path})
        read = table.load()
        layouts(read)
        seconds.append(time.perf_counter() - began)
    return {"seconds": seconds, "rows": len(read)}


@task
def pandas_read(data: Data, path: str) -> Any:
    """Do the same with pandas and scipy: read, number users and items, both sparse layouts."""
    import pandas as pd
    from scipy.sparse import coo_matrix

    began = time.perf_counter()
    frame = pd.read_csv(path)
    users, _ = pd.factorize(frame["user_id"], sort=True)
    items, _ = pd.factorize(frame["item_id"], sort=True)
    matrix = coo_matrix((frame["rating"].to_numpy(np.float32), (users, items)))
    rows, columns = matrix.tocsr(), matrix.tocsc()
    return {"seconds": [time.perf_counter() - began], "rows": int(rows.nnz), "columns": int(columns.nnz)}


@task
def pyarrow_read(data: Data, path: str) -> Any:
    """The same with pandas on Arrow's reader."""
    import pandas as pd
    from scipy.sparse import coo_matrix

    began = time.perf_counter()
    frame = pd.read_csv(path, engine="pyarrow")
    users, _ = pd.factorize(frame["user_id"], sort=True)
    items, _ = pd.factorize(frame["item_id"], sort=True)
    matrix = coo_matrix((frame["rating"].to_numpy(np.float32), (users, items)))
    rows, columns = matrix.tocsr(), matrix.tocsc()
    return {"seconds": [time.perf_counter() - began], "rows": int(rows.nnz), "columns": int(columns.nnz)}


@task
def growth(data: Data, sizes: list[int], ranks: list[int]) -> Any:
    """Seconds per epoch of MFX's ALS for the first users that hold so many ratings, and for several ranks."""
    import mfx

    train = data.ratings("train")
    found = []
    for size in sizes:
        users = int(np.searchsorted(train.user_indptr, size, side="right")) - 1
        part = train.take(np.arange(train.user_indptr[users]))
        for factors in ranks:
            times: list[float] = []

            def on_epoch(model: Any, epoch: Any, times: list[float] = times) -> bool:
                times.append(time.perf_counter())
                return False

            mfx.ALS(factors=factors, epochs=3).fit(part, on_epoch=on_epoch)
            found.append([len(part), factors, float(min(np.diff(times)))])
    return {"growth": found}


@task
def solvers(data: Data, size: int, ranks: list[int]) -> Any:
    """Seconds per epoch of ALS by solves and by conjugate gradients, and the objective that each comes to."""
    import mfx

    train = data.ratings("train")
    part = train.take(np.arange(train.user_indptr[np.searchsorted(train.user_indptr, size, side="right") - 1]))
    found = []
    for factors in ranks:
        for solver in ("cholesky", "cg"):
            times: list[float] = []
            losses: list[float] = []

            def on_epoch(model: Any, epoch: Any, times: list[float] = times, losses: list[float] = losses) -> bool:
                times.append(time.perf_counter())
                losses.append(epoch.losses["objective"])
                return epoch.number == 6

            mfx.ALS(factors=factors, reg=40.0, bias_reg=5.0, epochs=7, solver=solver).fit(part, on_epoch=on_epoch)
            found.append([factors, solver, float(np.median(np.diff(times))), losses[-1]])
    return {"ratings": len(part), "solvers": found}


@task
def whole(data: Data, overrides: list[str]) -> Any:
    """Run the command from its first import to its last metric, data cached: seconds and peak memory."""
    import resource
    import subprocess
    import tempfile

    import mfx

    dataset, *settings = [word for word in overrides if word.startswith("dataset")]
    chosen = dict(word.removeprefix("dataset.").split("=", 1) for word in settings)
    mfx.create("dataset", dataset.removeprefix("dataset="), chosen).load()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "mfx", *overrides], cwd=folder, capture_output=True, text=True)
        seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(done.stderr)
    stages = [line for line in done.stdout.splitlines() if line.startswith("Seconds:")]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6
    return {"seconds": seconds, "peak MB": peak, "stages": stages}


@task
def start(data: Data) -> Any:
    """Run the default command with an empty and then with a filled cache of compiled kernels."""
    import os
    import subprocess
    import tempfile

    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": f"{folder}/kernels"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # sources are compiled once, as anywhere
        for _ in range(2):
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "mfx", "tracking=console", "figures=false"],
                cwd=folder,
                env=environment,
                capture_output=True,
                check=True,
            )
            seconds.append(time.perf_counter() - began)
    return {"seconds": seconds}


if __name__ == "__main__":
    chosen = json.loads(sys.argv[2])
    found = TASKS[sys.argv[1]](Data(chosen.pop("data")), **chosen)
    print(json.dumps(found))
