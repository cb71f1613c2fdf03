"""Tables with times below a second, in every form that readers know, beside an oracle that counts in whole numbers."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import assume
from hypothesis import strategies as st
from surfaces import Surface, checked

from mfx import registry
from mfx.data import careful, delimited, parquet
from mfx.data.partitioned import Partitioned
from mfx.data.streaming import partition_dataset
from mfx.errors import MFXError

NANO = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
EPOCH = datetime.datetime(1970, 1, 1)


def year(number: int) -> int:
    """Return the nanosecond at which a year begins."""
    return (datetime.datetime(number, 1, 1) - EPOCH) // datetime.timedelta(seconds=1) * 10**9


EDGES = [year(n) for n in (2, 1000, 1678, 2262, 2500, 9999)]
END = year(9999) + 365 * 86_400 * 10**9
MOMENTS = st.one_of(
    *[st.tuples(st.sampled_from([*NANO.values(), 10**10]), st.integers(0, 2 * 10**9))] * 6,
    st.tuples(st.just(1), st.tuples(st.sampled_from([*EDGES, END, 0]), st.integers(-2, 2)).map(sum)),
    st.tuples(st.sampled_from(list(NANO.values())), st.integers(-(10**9), 10**9)),
)
"""A step in nanoseconds, and how many of them lie between a moment and 1970, or 2017 where they are many."""


@st.composite
def tables(draw: Any) -> dict[str, Any]:
    """Draw moments of one user in nanoseconds, how they are written, and how the file is read."""
    form = draw(st.sampled_from(["text"] * 3 + ["text in parquet", "int64", "timestamp", "float64"]))
    unit = draw(st.sampled_from(["s", "ms", "us", "ns", "iso"] if "text" in form else list(NANO)))
    size = draw(st.integers(1, 7))
    moments = []
    for step, count in draw(st.lists(MOMENTS, min_size=size, max_size=size)):
        moments.append(step * count + (1_500_000_000 * 10**9 if 0 < step * count < 2 * 10**9 else 0))
    if draw(st.booleans()):  # coarse enough for one unit
        step = draw(st.sampled_from(list(NANO.values())))
        moments = [moment // step * step for moment in moments]
    return {
        "form": form,
        "unit": unit,
        "moments": moments,
        "finer": draw(st.sampled_from([False] * 9 + [True])),
        "zeros": draw(st.integers(0, 3)),
        "items": draw(st.lists(st.integers(1, 9), min_size=size, max_size=size, unique=draw(st.booleans()))),
        "policy": draw(st.sampled_from(["refuse", "refuse", "drop"])),
        "small": draw(st.booleans()),
    }


def in_text(moment: int, unit: str, zeros: int) -> str:
    """Write a moment exactly, with some zeros more than are needed."""
    per = 10**9 if unit == "iso" else NANO[unit]
    digits = len(str(per)) - 1
    whole, rest = divmod(moment, per) if unit == "iso" else divmod(abs(moment), per)
    fraction = (f"{rest:0{digits}d}".rstrip("0") if digits else "") + "0" * zeros
    if unit == "iso":
        text = (EPOCH + datetime.timedelta(seconds=whole)).isoformat(" ")
    else:
        text = ("-" if moment < 0 else "") + str(whole)
    return f"{text}.{fraction}" if fraction else text


def write(drawn: dict[str, Any], folder: Path) -> tuple[Path, list[int | None]]:
    """Write the file; returns it and the moments that are in it, None for one finer than a nanosecond."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    form, unit, moments = drawn["form"], drawn["unit"], list(drawn["moments"])
    meant: list[int | None] = list(moments)
    values: Any
    if "text" in form:
        assume(unit != "iso" or all(year(2) <= moment < END for moment in moments))
        values = [in_text(moment, unit, drawn["zeros"]) for moment in moments]
        if drawn["finer"]:
            values[-1] = in_text(moments[-1], unit, 0)
            digits = len(values[-1].partition(".")[2])
            needed = 9 if unit == "iso" else len(str(NANO[unit])) - 1
            values[-1] += ("" if digits else ".") + "0" * (needed - digits) + "1"
            meant[-1] = None
    elif form == "float64":  # in seconds, to the microsecond, which a float holds
        meant = [moment // 1000 * 1000 for moment in moments]
        values = [moment // 1000 / 10**6 for moment in moments]
        assume(all(abs(moment) < 9 * 10**18 for moment in moments))
    else:
        values = [moment // NANO[unit] for moment in moments]
        meant = [value * NANO[unit] for value in values]
        assume(all(abs(value) < 2**63 for value in values))
        values = pa.array(values, pa.timestamp(unit) if form == "timestamp" else pa.int64())
    rows = range(len(moments))
    if form == "text":
        path = folder / "r.csv"
        lines = [f"7,{drawn['items'][row]},{1 + row / 2},{values[row]}\n" for row in rows]
        path.write_text("user_id,item_id,rating,timestamp\n" + "".join(lines))
    else:
        path = folder / "r.parquet"
        columns = {"user_id": [7] * len(moments), "item_id": drawn["items"], "rating": [1 + row / 2 for row in rows]}
        pq.write_table(pa.table({**columns, "timestamp": values}), path)
    return path, meant


def holds(moment: int | None) -> bool:
    """Whether some unit holds a moment."""
    if moment is None or not year(1000) <= moment < END:
        return False
    return moment % 1000 == 0 or year(1678) <= moment < year(2262)


def expected(drawn: dict[str, Any], meant: list[int | None]) -> tuple[str, dict[int, tuple[int, float]]] | list[int]:
    """Return the unit and for each item its last moment and rating; or the rows of which a refusal names one."""
    bad = [row for row, moment in enumerate(meant) if not holds(moment)]
    usable = {row: moment for row, moment in enumerate(meant) if moment is not None and row not in bad}
    unit = next(unit for unit, per in NANO.items() if all(moment % per == 0 for moment in usable.values()))
    far = [row for row, moment in usable.items() if unit == "ns" and not year(1678) <= moment < year(2262)]
    if far or not usable or (bad and drawn["policy"] == "refuse"):
        return [*far[:1], *bad[:1]]
    last: dict[int, tuple[int, float]] = {}
    for row, moment in usable.items():
        item = drawn["items"][row]
        last[item] = max(last.get(item, (-(10**30), 0.0)), (moment, 1 + row / 2))
    return unit, last


def try_times(drawn: dict[str, Any], folder: Path) -> str:
    """Read the file whole and in pieces, and compare moments, unit and the order in time with the oracle's."""
    path, meant = write(drawn, folder)
    wanted = expected(drawn, meant)
    settings = {"path": str(path), "cache": False, "duplicates": "keep_last", "on_bad_rows": drawn["policy"]}
    settings["timestamp_unit"] = "s" if drawn["form"] == "float64" else drawn["unit"]
    dataset = registry.create("dataset", "table", settings)
    small = drawn["small"]
    with (
        mock.patch.object(delimited, "_BLOCK", 48 if small else delimited._BLOCK),
        mock.patch.object(careful, "_PIECE", 2 if small else careful._PIECE),
        mock.patch.object(parquet, "_PIECE", 2 if small else parquet._PIECE),
    ):
        refusal = None
        try:
            ratings = dataset.load()
        except MFXError as error:
            refusal = error
        if refusal is not None:
            assert not isinstance(wanted, tuple), f"{meant} was refused: {refusal}"
            places = [f"row {row + 1}" if path.suffix == ".parquet" else f"line {row + 2}" for row in wanted]
            assert any(place in str(refusal) for place in places), f"none of {places} is named: {refusal}"
            return checked(refusal)
        assert isinstance(wanted, tuple), f"{meant} was read as {ratings.timestamps.tolist()} {ratings.time_unit}"
        partition_dataset(dataset, folder / "parts", 2, lambda *_: None)
    unit, last = wanted
    for read in (ratings, Partitioned(path=str(folder / "parts")).load()):
        items = read.catalogue.item_ids[read.items].tolist()
        moments = [int(count) * NANO[read.time_unit] for count in read.timestamps]
        found = dict(zip(items, zip(moments, read.values.tolist(), strict=True), strict=True))
        assert (read.time_unit, found) == (unit, last), f"{read.time_unit} {found} was read, {unit} {last} written"
    assert read.fingerprint == ratings.fingerprint
    if len(last) > 2:
        split = registry.create("split", "leave_last_out", {}).split(ratings)
        tested = int(ratings.catalogue.item_ids[split.test.items[0]])
        assert tested == max(last, key=lambda item: (last[item][0], item)), "another rating than the last one is tested"
    return "right"


TIMES_BELOW_A_SECOND = Surface(
    "times", "times below a second (text, numbers, ISO 8601 and typed columns; whole and in pieces)", tables, try_times
)
