"""What side information is worth, and whether it is the information: one table of test errors.

    python tests/bench/side_information.py [--optimum] [CHOICE ...]

Choices are those of `mfx` for the data, such as ``dataset=ml_latest_small dataset.path=ml-latest-small.zip``; by
default the data set is movielens_demo. On three splits (five random draws, temporal, five draws of cold items) it does
what a run does: stop on valid, refit on train and valid, score test once. `als` has its penalties and factors chosen
on valid, on each draw anew; `genre_als` is at its defaults. Below them stand models of the genres alone: the true
ones, those of another item drawn at random, and one constant feature in their place.

With ``--optimum`` the table is that of fits on train that nothing stops, on three draws of cold items: test errors
after 10 to 300 epochs, by what each rating adds to the pull of an item's bias (`bias_reg_per_rating`), with the genres
alone and with the default features.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

import mfx
from mfx.models.early_stopping import EarlyStopping

SEEDS = (1, 2, 3, 4, 5)
SPLITS: Mapping[str, tuple[int, ...]] = {"random": SEEDS, "temporal": (1, 2, 3), "cold_items": SEEDS}
GRID = {"factors": (13, 20, 40), "reg": (6.0, 9.0, 12.0, 18.0), "bias_reg": (2.0, 4.0)}
FEW = 10
"""Items with fewer ratings in train and valid have few."""
ALONE = {"genres": ["constant", "genres"], "constant": ["constant"]}
TUNED = "als, tuned on valid"
EPOCHS = (10, 30, 100, 300)
PER_RATING = {"genres alone": (ALONE["genres"], (0.0, 0.1, 0.3, 1.0)), "default features": (None, (0.0, 0.3))}
"""Features, and what each rating adds to the pull of an item's bias."""

Errors = Mapping[str, float]


def permuted(ratings: mfx.Ratings, seed: int) -> mfx.Ratings:
    """Give every item the genres of another one, drawn at random."""
    genres = ratings.catalogue.item_features["genres"]
    order = np.random.default_rng(seed).permutation(len(genres))
    ends = list(itertools.pairwise(genres.indptr))
    rows = [[genres.names[j] for j in genres.indices[slice(*ends[i])]] for i in order]
    features = {**ratings.catalogue.item_features, "genres": mfx.Features.from_lists(rows)}
    return replace(ratings, catalogue=replace(ratings.catalogue, item_features=features))


def rmse(model: Any, part: mfx.Ratings, chosen: Any = slice(None)) -> float:
    """Return the root mean squared error on the chosen ratings of a part."""
    predicted = model.score_pairs(part.users, part.items)[chosen].astype(np.float64)
    return float(np.sqrt(np.mean(np.square(predicted - part.values[chosen]))))


def best_epoch(split: mfx.Split, name: str, settings: Mapping[str, Any]) -> tuple[float, int]:
    """Fit on train; return the best rmse on valid and its epoch."""
    watch = EarlyStopping().watch(lambda model: rmse(model, split.valid), higher_is_better=False)
    mfx.create("model", name, settings).fit(split.train, on_epoch=watch)
    return watch.best_score, watch.best_epoch


def on_test(split: mfx.Split, name: str, settings: Iterable[Mapping[str, Any]]) -> Errors:
    """Take the settings that are best on valid, refit on train and valid, score test once."""
    tried = [(*best_epoch(split, name, one), one) for one in settings]
    _, epochs, chosen = min(tried, key=lambda trial: trial[0])
    history = split.train_and_valid
    model = mfx.create("model", name, {**chosen, "epochs": epochs}).fit(history)
    counts = history.item_counts[split.test.items]
    groups = {"all": counts >= 0, f"below {FEW}": counts < FEW, f"{FEW} and more": counts >= FEW}
    return {group: rmse(model, split.test, own) for group, own in groups.items() if own.any()}


def variants(seed: int) -> dict[str, tuple[str, list[dict[str, Any]], Callable[[mfx.Ratings], mfx.Ratings]]]:
    """Return name, settings and what is done to the ratings, by the label in the table."""

    def same(ratings: mfx.Ratings) -> mfx.Ratings:
        return ratings

    def shuffled(ratings: mfx.Ratings) -> mfx.Ratings:
        return permuted(ratings, seed)

    grid = [dict(zip(GRID, point, strict=True)) for point in itertools.product(*GRID.values())]
    alone = {label: [{"seed": seed, "item_features": blocks}] for label, blocks in ALONE.items()}
    return {
        "bias": ("bias", [{"seed": seed}], same),
        TUNED: ("als", [{"seed": seed, **point} for point in grid], same),
        "genre_als": ("genre_als", [{"seed": seed}], same),
        "genre_als, genres permuted": ("genre_als", [{"seed": seed}], shuffled),
        "genres alone": ("genre_als", alone["genres"], same),
        "genres alone, permuted": ("genre_als", alone["genres"], shuffled),
        "one constant feature": ("genre_als", alone["constant"], same),
    }


def measure(ratings: mfx.Ratings, split_name: str, seed: int, labels: Iterable[str] | None = None) -> dict[str, Errors]:
    """Return the test errors of the variants on one draw of a split, by label and group of items."""
    splitter = mfx.create("split", split_name, {} if split_name == "temporal" else {"seed": seed})
    found = {}
    for label, (name, settings, change) in variants(seed).items():
        if labels is None or label in labels:
            found[label] = on_test(splitter.split(change(ratings)), name, settings)
    return found


def table(split_name: str, draws: list[dict[str, Errors]]) -> str:
    """Write means over the draws, and standard deviations of the differences to the first line, as Markdown."""
    groups = list(draws[0]["bias"])
    lines = [f"| rmse, {split_name}, {len(draws)} draws | " + " | ".join(f"items: {group}" for group in groups) + " |"]
    lines.append("|---|" + "---:|" * len(groups))
    for label in draws[0]:
        cells = []
        for group in groups:
            values = np.array([draw[label][group] for draw in draws])
            spread = np.std(values - [draw["bias"][group] for draw in draws], ddof=1)
            cells.append(f"{values.mean():.4f} ±{spread:.4f}")
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def curve(split: mfx.Split, name: str, settings: Mapping[str, Any], epochs: Iterable[int] = EPOCHS) -> list[float]:
    """Fit on train; return the errors on test after so many epochs."""
    found, at = [], sorted(epochs)

    def on_epoch(model: Any, epoch: mfx.Epoch) -> bool:
        if epoch.number in at:
            found.append(rmse(model, split.test))
        return False

    mfx.create("model", name, {**settings, "epochs": at[-1]}).fit(split.train, on_epoch=on_epoch)
    return found


def optimum(ratings: mfx.Ratings, seeds: Iterable[int] = SEEDS[:3]) -> str:
    """Write mean errors on cold items, and their standard deviations over the draws, as Markdown."""
    splits = [mfx.create("split", "cold_items", {"seed": seed}).split(ratings) for seed in seeds]
    lines = ["| rmse, cold_items, epochs | " + " | ".join(f"{number:,}" for number in EPOCHS) + " |"]
    lines.append("|---|" + "---:|" * len(EPOCHS))
    rows: dict[str, tuple[str, dict[str, Any]]] = {"bias": ("bias", {})}
    for label, (blocks, weights) in PER_RATING.items():
        for weight in weights:
            rows[f"{label}, {weight:g} a rating"] = (
                "genre_als",
                {"item_features": blocks, "bias_reg_per_rating": weight},
            )
    for label, (name, settings) in rows.items():
        curves = np.array([curve(split, name, settings) for split in splits])
        cells = [
            f"{mean:.4f} ±{spread:.4f}" for mean, spread in zip(curves.mean(0), curves.std(0, ddof=1), strict=True)
        ]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main(choices: list[str]) -> None:
    """Measure on the data that the choices name, and print the tables."""
    from mfx import compose

    to_optimum = "--optimum" in choices
    choices = [choice for choice in choices if choice != "--optimum"]
    plan = compose.build(compose.compose([*choices, "tracking=console"]))
    ratings = plan.dataset.load()
    if to_optimum:
        print(optimum(ratings))
        return
    print(f"{ratings.name}: {len(ratings):,} ratings; mean rmse, ± the spread over draws of what is won over bias.\n")
    for split_name, seeds in SPLITS.items():
        print(table(split_name, [measure(ratings, split_name, seed) for seed in seeds]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
