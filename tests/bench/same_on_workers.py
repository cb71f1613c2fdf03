"""Whether fits on workers come to what one process comes to.

    python tests/bench/same_on_workers.py [dataset=NAME dataset.SETTING=VALUE ...]

Partitions the data set, fits `bias`, `als`, `genre_als` and `bpr` on it with `engine=local`, then on the parts with
`engine=ray` and 1, 2 and 4 workers, and prints how far apart the factors and the metrics are, and whether the split is
the same to the row.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

MODELS = ("bias", "als", "genre_als", "bpr")
WORKERS = (1, 2, 4)
CHOICES = ["model.epochs=8", "metrics=[rmse,mae,ndcg@10,recall@10]", "tracking=console", "figures=false", "seed=5"]


def factors_apart(one: Any, other: Any) -> float:
    """Return the largest difference of the arrays of two fitted models, relative to the largest number of an array."""
    largest = 0.0
    for name in one.model.state_names:
        a, b = (np.asarray(getattr(result.model, name), dtype=np.float64) for result in (one, other))
        if a.any() or b.any():
            largest = max(largest, float(np.abs(a - b).max() / np.abs(a).max()))
    return largest


def metrics_apart(one: Any, other: Any) -> float:
    """Return the largest difference of metrics."""
    names = [name for name in one.metrics if name.startswith(("valid/", "test/"))]
    return max(abs(one.metrics[name] - other.metrics[name]) for name in names)


def splits_are_the_same(data: list[str], there: list[str], split: str) -> bool:
    """Say whether every row of train, valid and test is the same, on the cluster of this process."""
    from mfx import compose
    from mfx.engine.ray_tasks import get

    local, ray = (compose.build(compose.compose([*words, f"split={split}"])) for words in (data, there))
    expected = local.splitter.split(local.dataset.load())
    found = ray.engine.split(ray.splitter, ray.engine.load(ray.dataset))
    for which in ("train", "valid", "test"):
        here, there = getattr(expected, which), get(getattr(found, which).parts)
        for number, name in enumerate(("users", "items", "values", "timestamps")):
            if not np.array_equal(getattr(here, name), np.concatenate([part[number] for part in there])):
                return False
    return True


def main(data: list[str]) -> None:
    """Print a line for each number of workers and model."""
    import mfx
    from mfx import compose
    from mfx.data.partitioned import partition
    from mfx.engine.ray_engine import RayEngine

    with tempfile.TemporaryDirectory(prefix="mfx-same-") as folder:
        parts = f"{folder}/parts"
        source = compose.build(compose.compose(data)).dataset.load()
        count = partition(source, Path(parts), 7)
        print(f"{len(source):,} ratings in {count} parts")
        there = ["dataset=partitioned", f"dataset.path={parts}", "engine=ray"]
        expected = {}
        for split in ("temporal", "random"):
            for model in MODELS:
                choices = [f"split={split}", f"model={model}", f"hydra.run.dir={folder}/{split}-{model}", *CHOICES]
                expected[split, model] = mfx.run(*data, *choices)
        for workers in WORKERS:
            with RayEngine(workers=workers).working():
                for split in ("temporal", "random"):
                    same = splits_are_the_same(data, there, split)
                    for model in MODELS:
                        place = f"{folder}/{split}-{model}-{workers}"
                        choices = [f"split={split}", f"model={model}", f"hydra.run.dir={place}", *CHOICES]
                        found = mfx.run(*there, *choices)
                        one = expected[split, model]
                        print(
                            f"workers: {workers}, {split}: split {'the same' if same else 'ANOTHER'}; {model}: "
                            f"factors apart by {factors_apart(one, found):.1e}, "
                            f"metrics by {metrics_apart(one, found):.1e}",
                            flush=True,
                        )


if __name__ == "__main__":
    main(sys.argv[1:] or ["dataset=movielens_demo"])
