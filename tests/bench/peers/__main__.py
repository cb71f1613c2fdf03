"""MFX against its peers, in turn, on the same ratings and threads: `python tests/bench/peers`.

Install the peers first, compiled for this machine and with their flags on record:

    export CFLAGS="-O3 -march=native -frecord-gcc-switches" CXXFLAGS="-O3 -march=native -frecord-gcc-switches"
    pip install --no-binary cmfrec,implicit -e ".[bench]" -e plugins/mfx-ials

About half an hour on two quiet cores. It prints every measurement, keeps them in results.json, and writes the table of
the README from that file.
`python tests/bench/peers --only als_13,lists` takes some of them, `--data "dataset=ml_32m dataset.path=..."` other
ratings, `--table` writes the table alone.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import files, version
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
README = HERE.parents[2] / "README.md"
DATA = "dataset=synthetic dataset.preset=ml_32m dataset.taste=5 dataset.factor_std=0.7"
WHOLE = ["dataset=synthetic", "dataset.preset=ml_32m", "model=genre_als", "split=temporal", "model.epochs=15"]

ALS: dict[str, Any] = {"reg": 20.0, "bias_reg": 5.0}
ALS_64: dict[str, Any] = {"factors": 64, "reg": 40.0, "bias_reg": 5.0}
BPR = {"factors": 64, "learning_rate": 0.01, "reg": 0.01, "epochs": 6, "every": 2}
PAIRS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "als_13": [
        ("mfx_als", {"factors": 13, "epochs": 10, **ALS}),
        ("cmfrec_als", {"factors": 13, "epochs": [4, 8], "cg": False, **ALS}),
        ("cmfrec_als", {"factors": 13, "epochs": [4, 8], "cg": True, **ALS}),
    ],
    "als_64": [
        ("mfx_als", {"epochs": 6, **ALS_64}),
        ("cmfrec_als", {"epochs": [3, 6], "cg": True, **ALS_64}),
    ],
    "als_64_cholesky": [("cmfrec_als", {"epochs": [1, 2], "cg": False, **ALS_64})],
    "ials_64": [
        ("mfx_ials", {"factors": 64, "reg": 10.0, "epochs": 4}),
        ("implicit_ials", {"factors": 64, "reg": 10.0, "epochs": 4}),
    ],
    "bpr_64": [
        ("mfx_bpr", {"negatives": "popularity", **BPR}),  # as implicit draws them
        ("implicit_bpr", BPR),  # at its default learning rate
    ],
    "lists_64": [
        ("mfx_lists", {"factors": 64, "repeats": 1}),
        ("implicit_lists", {"factors": 64, "repeats": 1}),
        ("limits", {"factors": 64, "repeats": 3}),
    ],
    "read": [("mfx_read", {}), ("pandas_read", {}), ("pyarrow_read", {})],
    "growth": [("growth", {"sizes": [1_000_000, 8_000_000, 1 << 40], "ranks": [8, 13, 32, 64, 128]})],
    "solvers": [("solvers", {"size": 8_000_000, "ranks": [16, 32, 64, 128]})],
    "whole": [
        ("whole", {"overrides": [*WHOLE, "refit=false"]}),
        ("whole", {"overrides": WHOLE}),
    ],
    "start": [("start", {})],
}
COMPILED = {"cmfrec": "cmfrec/wrapper_float*.so", "implicit": "implicit/cpu/bpr*.so"}
ONCE = ("als_64_cholesky", "read", "growth", "solvers", "whole", "start")


def _number(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def prepare(overrides: list[str], folder: Path) -> None:
    """Split the ratings at random and write train, test and the users whose lists are scored."""
    import mfx

    settings = dict(word.split("=", 1) for word in overrides)
    name = settings.pop("dataset")
    values = {key.removeprefix("dataset."): _number(v) for key, v in settings.items()}
    ratings = mfx.create("dataset", name, values).load()
    split = mfx.create("split", "random").split(ratings)
    for part, held in (("train", split.train_and_valid), ("test", split.test)):
        for column in ("users", "items", "values", "timestamps"):
            np.save(folder / f"{part}_{column}.npy", getattr(held, column))
    chosen = np.random.default_rng(0).choice(ratings.n_users, min(2000, ratings.n_users), replace=False)
    np.save(folder / "sample.npy", np.sort(chosen))
    np.save(folder / "shape.npy", np.array([ratings.n_users, ratings.n_items]))


def write_csv(folder: Path) -> Path:
    """Write train as a CSV with the columns of MovieLens."""
    import pyarrow as pa
    import pyarrow.csv

    columns = [np.load(folder / f"train_{column}.npy") for column in ("users", "items", "values", "timestamps")]
    path = folder / "ratings.csv"
    pyarrow.csv.write_csv(pa.table(columns, ["user_id", "item_id", "rating", "timestamp"]), path)
    return path


def measure(name: str, settings: dict[str, Any], folder: Path) -> Any:
    """Run one measurement in a process of its own."""
    if name.endswith("_read"):
        path = folder / "ratings.csv"
        settings = {**settings, "path": str(path if path.exists() else write_csv(folder))}
    if name == "mfx_read":
        settings["cache"] = str(folder / "cache")
    command = [sys.executable, str(HERE / "work.py"), name, json.dumps({"data": str(folder), **settings})]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def run(names: list[str], repeats: int, overrides: list[str]) -> None:
    """Take the measurements in turn and keep each as soon as it is there."""
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(overrides, folder)
        for pair in names:
            rounds = []
            for number in range(1 if pair in ONCE else repeats):
                found = {}
                for task, settings in PAIRS[pair]:
                    label = label_of(task, settings)
                    found[label] = measure(task, settings, folder)
                    print(pair, number + 1, label, json.dumps(found[label]), flush=True)
                rounds.append(found)
            kept[pair] = rounds
            kept["machine"] = machine(overrides, folder)
            RESULTS.write_text(json.dumps(kept, indent=1) + "\n")


def label_of(task: str, settings: dict[str, Any]) -> str:
    """Name a measurement within its pair."""
    if "cg" in settings:
        return f"{task}_{'cg' if settings['cg'] else 'cholesky'}"
    if task == "whole":
        return "without refit" if "refit=false" in settings["overrides"] else "with refit"
    return task


def machine(overrides: list[str], folder: Path) -> dict[str, Any]:
    """Say what the figures were taken on."""
    import numba

    names = ("numpy", "scipy", "numba", "implicit", "cmfrec")
    cpu = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    return {
        "python": platform.python_version(),
        "cpu": cpu[0] if cpu else platform.processor(),
        "threads": numba.config.NUMBA_NUM_THREADS,
        "versions": {name: version(name) for name in names},
        "flags": {name: flags(name, module) for name, module in COMPILED.items()},
        "data": " ".join(overrides),
        "ratings": len(np.load(folder / "train_users.npy", mmap_mode="r")),
        "pairs": int(np.load(folder / "shape.npy").prod()),
    }


def flags(package: str, module: str) -> str:
    """Return what a peer was compiled with, as GCC records it in the binary with -frecord-gcc-switches."""
    found = [path for path in files(package) or [] if path.match(module)]
    text = b" ".join(re.findall(rb"GNU [CG][^\0]{20,}", Path(found[0].locate()).read_bytes())) if found else b""
    kept = re.findall(r"-march=\S+|-mtune=\S+|-O\w+|-ffast-math|-fopenmp", text.decode())
    return " ".join(dict.fromkeys(kept)) or "not on record"


def per_epoch(points: list[list[float]]) -> float:
    """Seconds between the first and the last point, for one epoch."""
    return (points[-1][1] - points[0][1]) / (points[-1][0] - points[0][0])


def time_to(points: list[list[float]], target: float, lower_is_better: bool) -> float:
    """Seconds until the quality is reached, by straight lines between points."""
    sign = 1.0 if lower_is_better else -1.0
    before: list[float] | None = None
    for point in points:
        if sign * point[2] <= sign * target:
            if before is None:
                return point[1]
            share = (before[2] - target) / (before[2] - point[2])
            return before[1] + share * (point[1] - before[1])
        before = point
    return float("inf")


def compare(rounds: list[Any], ours: str, peer: str, lower_is_better: bool) -> tuple[str, str, str, str]:
    """Compare two fits: seconds per epoch and to the same quality, the worse of the two best."""
    best = min if lower_is_better else max
    worse = max if lower_is_better else min
    epochs, totals, ratios, targets = [], [], [], []
    for found in rounds:
        mine, other = found[ours]["points"], found[peer]["points"]
        target = worse(best(point[2] for point in points) for points in (mine, other))
        times = [time_to(points, target, lower_is_better) for points in (mine, other)]
        epochs.append((per_epoch(mine), per_epoch(other)))
        totals.append(times)
        targets.append(target)
        ratios.append((epochs[-1][1] / epochs[-1][0], times[1] / times[0]))
    each = " / ".join(f"{statistics.mean(pair[side] for pair in epochs):.2f}" for side in (0, 1))
    total = " / ".join(f"{statistics.mean(pair[side] for pair in totals):.1f}" for side in (0, 1))
    return (
        each,
        spread([r[0] for r in ratios]),
        f"{total} to {statistics.mean(targets):.4f}",
        spread([r[1] for r in ratios]),
    )


def spread(ratios: list[float]) -> str:
    """Write ratios as their range."""
    low, high = min(ratios), max(ratios)
    return f"{low:.1f}x" if f"{low:.1f}" == f"{high:.1f}" else f"{low:.1f}x to {high:.1f}x"


def lines(kept: dict[str, Any]) -> Iterator[str]:
    """Write the table."""
    about = kept["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    yield f"{about['threads']} threads of {about['cpu']}; {versions}; `{about['data']}`, random split."
    compiled = "; ".join(f"{name} with `{text}`" for name, text in about["flags"].items())
    yield f"Peers were compiled on this machine: {compiled}."
    yield ""
    yield "| MFX / peer | seconds an epoch | ratio | seconds to the same quality | ratio |"
    yield "|---|---:|---:|---:|---:|"
    for pair, title, ours, peer, lower in (
        ("als_13", "ALS, 13 factors / cmfrec, Cholesky (rmse)", "mfx_als", "cmfrec_als_cholesky", True),
        ("als_13", "ALS, 13 factors / cmfrec, CG (rmse)", "mfx_als", "cmfrec_als_cg", True),
        ("als_64", "ALS, 64 factors / cmfrec, CG (rmse)", "mfx_als", "cmfrec_als_cg", True),
        ("ials_64", "mfx-ials, 64 factors / implicit, CG (ndcg@10)", "mfx_ials", "implicit_ials", False),
        ("bpr_64", "BPR, 64 factors / implicit (ndcg@10)", "mfx_bpr", "implicit_bpr", False),
    ):
        if pair in kept:
            yield f"| {title} | " + " | ".join(compare(kept[pair], ours, peer, lower)) + " |"
    yield ""
    yield from others(kept)


def others(kept: dict[str, Any]) -> Iterator[str]:
    """Write the lines that are no fits."""
    yield "| what | seconds | peer | seconds | ratio |"
    yield "|---|---:|---|---:|---:|"
    if "lists_64" in kept:
        rounds = kept["lists_64"]
        ours = [found["mfx_lists"]["seconds"][0] for found in rounds]
        for name, peer in (
            ("implicit's recommend", [found["implicit_lists"]["seconds"][0] for found in rounds]),
            ("numpy, the bare product", [statistics.median(found["limits"]["all scores s"]) for found in rounds]),
        ):
            ratios = spread([b / a for a, b in zip(ours, peer, strict=True)])
            yield (
                f"| top 10 of all items for all users, 64 factors | {statistics.mean(ours):.1f} | {name} | "
                f"{statistics.mean(peer):.1f} | {ratios} |"
            )
    if "read" in kept:
        found = kept["read"][0]
        first, second = found["mfx_read"]["seconds"]
        for name, peer in (("pandas", "pandas_read"), ("pandas on Arrow", "pyarrow_read")):
            seconds = found[peer]["seconds"][0]
            ratio = f"{seconds / first:.1f}x"
            yield f"| CSV to ids and both layouts | {first:.1f} | {name} and scipy | {seconds:.1f} | {ratio} |"
        yield f"| the same from the cache | {second:.1f} | | | |"
    if "whole" in kept:
        for label in ("without refit", "with refit"):
            seconds = statistics.mean(found[label]["seconds"] for found in kept["whole"])
            peak = max(found[label]["peak MB"] for found in kept["whole"])
            yield f"| `mfx {' '.join(WHOLE[:3])} ...`, {label}, peak {peak / 1000:.2f} GB | {seconds:.1f} | | | |"
    if "start" in kept:
        cold, warm = kept["start"][0]["start"]["seconds"]
        command = "mfx tracking=console figures=false"
        yield f"| `{command}`, kernels to be compiled | {cold:.1f} | compiled before | {warm:.1f} | |"
    yield ""
    if "growth" in kept:
        found = kept["growth"][0]["growth"]["growth"]
        ranks = sorted({factors for _, factors, _ in found})
        yield "| seconds an epoch of ALS | " + " | ".join(f"{factors} factors" for factors in ranks) + " |"
        yield "|---|" + "---:|" * len(ranks)
        for size in sorted({size for size, _, _ in found}):
            row = {factors: seconds for count, factors, seconds in found if count == size}
            yield f"| {size:,} ratings | " + " | ".join(f"{row[factors]:.2f}" for factors in ranks) + " |"
        yield ""
    if "solvers" in kept:
        yield from by_solver(kept["solvers"][0]["solvers"])
    if "lists_64" in kept and "solvers" in kept:
        yield from limits(kept)


def by_solver(found: dict[str, Any]) -> Iterator[str]:
    """Write what an epoch takes by solves and by conjugate gradients."""
    ranks = sorted({factors for factors, *_ in found["solvers"]})
    cells = {(factors, solver): (seconds, loss) for factors, solver, seconds, loss in found["solvers"]}
    heads = " | ".join(f"{factors} factors" for factors in ranks)
    yield f"| ALS on {found['ratings']:,} ratings, seconds an epoch | {heads} |"
    yield "|---|" + "---:|" * len(ranks)
    for solver in ("cholesky", "cg"):
        yield f"| `model.solver={solver}` | " + " | ".join(f"{cells[r, solver][0]:.2f}" for r in ranks) + " |"
    apart = [abs(cells[r, "cg"][1] / cells[r, "cholesky"][1] - 1.0) for r in ranks]
    yield "| objectives apart after six epochs | " + " | ".join(f"{share:.0e}" for share in apart) + " |"
    yield ""


def limits(kept: dict[str, Any]) -> Iterator[str]:
    """Write what the machine can do, and what share of it the kernels reach."""
    measured = kept["lists_64"][0]["limits"]
    product, copy = (statistics.median(measured[name]) for name in ("product GFLOP/s", "copy GB/s"))
    solved = kept["solvers"][0]["solvers"]
    seconds = next(s for factors, solver, s, _ in solved["solvers"] if (factors, solver) == (64, "cholesky"))
    # Upper triangle of the Gram matrix of 64 factors and the two edges, one multiplication and one addition each.
    reached = 2 * solved["ratings"] * (64 * 65 / 2 + 2 * 64) * 2 / seconds / 1e9
    lists = kept["lists_64"][0]
    scores = kept["machine"]["pairs"] * 64 * 2 / lists["mfx_lists"]["seconds"][0] / 1e9
    yield (
        f"The machine multiplies square matrices at {product:.0f} GFLOP/s and copies {copy:.0f} GB/s (both ways). "
        f"Sums of ALS at 64 factors, solved, run at {reached:.0f} GFLOP/s over a whole epoch, gathering and solving "
        f"included ({reached / product:.0%}); lists at {scores:.0f} GFLOP/s ({scores / product:.0%})."
    )


def write_table() -> None:
    """Put the table into the README, between its marks."""
    text = README.read_text()
    begin, end = "<!-- bench: python tests/bench/peers -->\n", "<!-- end of bench -->"
    head, rest = text.split(begin)
    table = "\n".join(lines(json.loads(RESULTS.read_text())))
    README.write_text(head + begin + table.rstrip() + "\n" + end + rest.split(end)[1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(PAIRS), help="names of measurements, by default all")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--data", default=DATA, help="overrides that choose the ratings")
    parser.add_argument("--table", action="store_true", help="write the table from results.json alone")
    arguments = parser.parse_args()
    if not arguments.table:
        run(arguments.only.split(","), arguments.repeats, shlex.split(arguments.data))
    write_table()
