"""What more samples and more factors are worth to `bayes_mf`: the README's table of rmse.

    python tests/bench/samples.py

fits it to train of `movielens_demo` for 300 epochs with each number of factors, on two splits, and scores valid and
test after 100 and 300 of them. A sample is scored and forgotten: predictions are averaged here as the model
averages them, so that one fit has all numbers of epochs and needs the memory of one sample.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

import mfx

README = Path(__file__).parents[2] / "README.md"
FACTORS = (8, 16, 32, 64)
EPOCHS = (100, 300)
SPLITS = ("random", "temporal")
PARTS = ("valid", "test")
BURN_IN = 4
"""Samples that the model leaves out by default."""

Curve = dict[str, list[float]]


def curve(split: mfx.Split, factors: int, epochs: tuple[int, ...] = EPOCHS) -> Curve:
    """Fit to train and return the rmse of each part after each number of epochs."""
    parts = {name: getattr(split, name) for name in PARTS}
    sums = {name: np.zeros(len(part)) for name, part in parts.items()}
    found: Curve = {name: [] for name in PARTS}

    def score(model: Any, epoch: Any) -> bool:
        for name, part in parts.items():
            if epoch.number > BURN_IN:
                sums[name] += model.score_pairs(part.users, part.items)
            if epoch.number in epochs:
                errors = sums[name] / (epoch.number - BURN_IN) - part.values
                found[name].append(float(np.sqrt(np.mean(np.square(errors)))))
        return False

    # Samples up to and with the one after burn_in replace each other, so that the model holds the last one only.
    settings = {"factors": factors, "epochs": max(epochs), "burn_in": max(epochs) - 1}
    mfx.create("model", "bayes_mf", settings).fit(split.train, on_epoch=score)
    return found


def table(found: dict[str, dict[int, Curve]]) -> str:
    """Write the table as Markdown."""
    columns = [f"{split}, {part}, {epochs}" for split in found for part in PARTS for epochs in EPOCHS]
    lines = ["| rmse after epochs | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for factors in FACTORS:
        values = [value for split in found.values() for part in PARTS for value in split[factors][part]]
        lines.append(f"| {factors} factors | " + " | ".join(f"{value:.4f}" for value in values) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print the table and put it between its marks in the README."""
    ratings = mfx.create("dataset", "movielens_demo").load()
    found: dict[str, dict[int, Curve]] = {}
    for name in SPLITS:
        split = mfx.create("split", name).split(ratings)
        for factors in FACTORS:
            began = time.monotonic()
            found.setdefault(name, {})[factors] = curve(split, factors)
            print(f"{name}, {factors} factors: {time.monotonic() - began:.0f} s", flush=True)
    print(table(found), end="")
    text = README.read_text(encoding="utf-8")
    begin, end = "<!-- samples: python tests/bench/samples.py -->\n", "<!-- end of samples -->"
    head, mark, rest = text.partition(begin)
    _, closing, tail = rest.partition(end)
    assert mark, "README.md has lost its marks"
    assert closing, "README.md has lost its marks"
    README.write_text(f"{head}{mark}{table(found)}{closing}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
