"""Saved models that were tampered with, and requests to the model that is served."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from surfaces import Surface, checked

import mfx
from mfx.errors import MFXError, ModelError
from mfx.testing import planted_ratings

KINDS = ("als", "genre_als", "bayes_mf", "bpr", "bias", "popularity")
WITH_FACTORS = ("als", "genre_als", "bayes_mf", "bpr")


@functools.cache
def saved(kind: str) -> Path:
    """Save a small fitted model once."""
    folder = Path(tempfile.mkdtemp(prefix="mfx-saved-")) / kind
    settings = {"factors": 3} if kind in WITH_FACTORS else {}
    epochs = {} if kind == "popularity" else {"epochs": 2}
    mfx.create("model", kind, {**settings, **epochs}).fit(planted_ratings()).save(folder)
    return folder


@functools.cache
def arrays(kind: str) -> dict[str, Any]:
    """Read its arrays."""
    with np.load(saved(kind) / "arrays.npz") as archive:
        return {name: archive[name] for name in archive.files}


STRANGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10),
    st.sampled_from([2**70, math.nan, math.inf, "", "als", "__class__", [], {}, [1], {"a": 1}]),
    st.text(max_size=5),
)
CHANGES = [
    "shape",
    "dtype",
    "nan",
    "inf",
    "huge",
    "negative",
    "beyond",
    "empty",
    "more",
    "object",
    "gone",
    "text",
    "scalar",
    "reversed",
    "fortran",
]


@st.composite
def tampered(draw: Any) -> dict[str, Any]:
    """Draw what is done to a saved model; arrays are changed with a digest that fits, as by somebody who means it."""
    kind = draw(st.sampled_from(KINDS))
    how = draw(st.sampled_from(["array"] * 6 + ["json", "json", "json", "bytes", "bytes", "text", "gone", "pickle"]))
    drawn: dict[str, Any] = {"kind": kind, "how": how}
    if how == "array":
        drawn |= {"name": draw(st.sampled_from(sorted(arrays(kind)))), "change": draw(st.sampled_from(CHANGES))}
        drawn |= {"at": draw(st.floats(0, 1)), "value": draw(st.integers(-5, 10**6))}
    elif how == "json":
        place = draw(
            st.sampled_from(
                [
                    "format",
                    "model",
                    "settings",
                    "scale",
                    "arrays",
                    "settings.factors",
                    "settings.epochs",
                    "settings.wrong",
                    "settings.reg",
                    "scale.0",
                    "new",
                ]
            )
        )
        drawn |= {"place": place, "value": draw(STRANGE), "delete": draw(st.sampled_from([False, False, True]))}
    elif how in ("bytes", "text", "gone"):
        drawn |= {
            "file": draw(st.sampled_from(["model.json", "arrays.npz"])),
            "at": draw(st.floats(0, 1)),
            "cut": draw(st.booleans()),
        }
        drawn["content"] = draw(st.binary(max_size=40))
    return drawn


def tamper(drawn: dict[str, Any], folder: Path) -> None:
    """Copy the saved model and change the copy."""
    shutil.copytree(saved(drawn["kind"]), folder)
    about = json.loads((folder / "model.json").read_text())
    if drawn["how"] in ("array", "pickle"):
        changed = dict(arrays(drawn["kind"]))
        if drawn["how"] == "pickle":
            changed["state/evil"] = np.array([{"a": 1}], dtype=object)
        else:
            _change(changed, drawn)
        np.savez(folder / "arrays.npz", **changed)  # with pickles, where there is an object
        about["arrays"] = hashlib.sha256((folder / "arrays.npz").read_bytes()).hexdigest()
    elif drawn["how"] == "json":
        first, _, second = drawn["place"].partition(".")
        inside, key = (about, first) if not second else (about[first], int(second) if second.isdecimal() else second)
        if drawn["delete"] and not isinstance(inside, list):
            inside.pop(key, None)
        else:
            inside[key] = drawn["value"]
    (folder / "model.json").write_text(json.dumps(about))
    if drawn["how"] in ("bytes", "text", "gone"):
        path = folder / drawn["file"]
        content = path.read_bytes()
        at = min(int(drawn["at"] * len(content)), len(content) - 1)
        if drawn["how"] == "gone":
            path.unlink()
        elif drawn["how"] == "text":
            path.write_bytes(drawn["content"])
        else:
            path.write_bytes(
                content[:at] if drawn["cut"] else content[:at] + bytes([content[at] ^ 0xA5]) + content[at + 1 :]
            )


def _change(changed: dict[str, Any], drawn: dict[str, Any]) -> None:
    name, change = drawn["name"], drawn["change"]
    array = np.array(changed[name])
    flat = array.reshape(-1)
    at = min(int(drawn["at"] * flat.size), flat.size - 1)
    number = array.dtype.kind in "iuf" and flat.size > 0
    if change == "gone":
        del changed[name]
        return
    if change == "shape":
        array = array.reshape(1, -1)
    elif change == "dtype":
        array = array.astype({"f": np.float64, "i": np.int16, "u": np.int64}.get(array.dtype.kind, np.float32))
    elif change in ("nan", "inf", "huge") and number and array.dtype.kind == "f":
        flat[at] = {"nan": np.nan, "inf": -np.inf, "huge": 3e38}[change]
    elif change == "negative" and number and array.dtype.kind != "u":
        flat[at] = -drawn["value"] - 1
    elif change == "beyond" and number:
        flat[at] = np.iinfo(array.dtype).max if array.dtype.kind in "iu" else 1e30
    elif change == "empty":
        array = array[:0] if array.ndim else flat[:0]
    elif change == "more":
        array = np.concatenate([array, array]) if array.ndim else array
    elif change == "object":
        array = array.astype(object)
    elif change == "text":
        array = np.array(["a"] * array.size)
    elif change == "scalar":
        array = np.array(7)
    elif change == "reversed" and array.ndim:
        array = array[::-1]
    elif change == "fortran":
        array = np.asfortranarray(array)
    changed[name] = array


def try_model(drawn: dict[str, Any], folder: Path) -> str:
    """Load the model; where it loads, whatever it is asked is answered with numbers, or refused."""
    tamper(drawn, folder / "model")
    try:
        model = mfx.Recommender.load(folder / "model")
    except MFXError as error:
        return checked(error)
    assert drawn["how"] not in ("gone", "pickle"), "a model was loaded that cannot be"
    if drawn["how"] == "bytes":
        assert drawn["file"] != "arrays.npz", "damaged arrays were loaded"
    used = model.catalogue_
    try:
        ask(model)
    except ModelError as error:
        return checked(error)
    finite = all(np.isfinite(array).all() for array in model.state().values())
    assert finite, "a state that is not finite was loaded, and nobody minded"
    assert used.user_ids.size > 0
    return "right"


def ask(model: Any) -> None:
    """Ask everything that people ask."""
    catalogue = model.catalogue_
    listed = model.recommend(k=3)
    assert np.isfinite(listed["score"]).all()
    assert set(listed["item_id"]) <= set(catalogue.item_ids.tolist())
    scores = model.score_users(np.arange(catalogue.n_users, dtype=np.int32))
    assert scores.shape == (catalogue.n_users, catalogue.n_items)
    assert np.isfinite(scores).all()
    predicted = model.predict(catalogue.user_ids[:2], catalogue.item_ids[0])
    assert np.isfinite(predicted).all()
    folded = model.fold_in(catalogue.item_ids[:2], [5.0, 1.0])
    assert np.isfinite(folded.scores).all()
    if model.name in WITH_FACTORS:
        assert np.isfinite(model.similar_items(catalogue.item_ids[0], k=2)["score"]).all()


# Requests

FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "user_id": st.one_of(st.integers(95, 150), STRANGE),
    "k": st.one_of(st.integers(-2, 60), STRANGE),
    "bias_weight": st.one_of(st.floats(), STRANGE),
    "min_ratings": st.one_of(st.integers(-2, 60), STRANGE),
    "genre": st.one_of(st.sampled_from(["Action", "Drama|Comedy", "|", ""]), STRANGE),
    "ratings": st.one_of(
        st.sampled_from(
            [
                "id:1000=5",
                "id:1000=5; id:1001=1",
                "id:1000=nan",
                "x=3",
                ";",
                "=",
                "id:=5",
                "id:1000=1e39",
                "id:1000=5;id:1000=4",
            ]
        ),
        STRANGE,
    ),
    "item_ids": st.one_of(st.lists(st.integers(990, 1040), max_size=4), st.lists(STRANGE, max_size=2), STRANGE),
    "item_ratings": st.one_of(st.lists(st.floats(allow_nan=True), max_size=4), st.lists(STRANGE, max_size=2), STRANGE),
    "wrong": STRANGE,
}
REQUESTS = st.one_of(
    st.lists(st.fixed_dictionaries({}, optional=FIELDS), max_size=2),
    st.fixed_dictionaries(
        {"user_id": st.integers(100, 139)},
        optional={name: FIELDS[name] for name in ("k", "bias_weight", "min_ratings", "genre")},
    ).map(lambda one: [one]),
    STRANGE,
    st.lists(STRANGE, max_size=2),
)


@functools.cache
def server() -> Any:
    """Load a packaged model as MLflow's server does."""
    import mlflow.pyfunc

    from mfx.tracking.packaged import package

    folder = Path(tempfile.mkdtemp(prefix="mfx-served-")) / "model"
    shutil.copytree(saved("genre_als"), folder)
    package(folder)
    return mlflow.pyfunc.load_model(str(folder))


def try_request(request: Any, folder: Path) -> str:
    """Ask the served model; it answers with lists of numbers, or refuses with an error that becomes a status 400."""
    from mlflow.exceptions import MlflowException

    model = server()
    try:
        answers = model.predict(request)
    except MlflowException as error:
        if error.get_http_status_code() != 400:
            raise
        return "refused"
    assert isinstance(request, list)
    assert len(answers) == len(request)
    for asked, answer in zip(request, answers, strict=True):
        items = answer["items"] if isinstance(answer, dict) else answer.items
        told = [one if isinstance(one, dict) else one.model_dump() for one in items]
        assert [one["rank"] for one in told] == list(range(1, len(told) + 1))
        assert all(math.isfinite(one["score"]) for one in told)
        assert len(told) <= int(asked.get("k") or 10)
        assert len({one["item_id"] for one in told}) == len(told)
    json.dumps([a if isinstance(a, dict) else a.model_dump() for a in answers], allow_nan=False)
    return "right"


def warm() -> None:
    """Ask every model once."""
    for kind in KINDS:
        ask(mfx.Recommender.load(saved(kind)))


MODELS = Surface(
    "models",
    "saved models that were tampered with (arrays with a digest that fits, JSON, bytes)",
    tampered,
    try_model,
    warm,
)
SERVED = Surface("served", "requests to the served model", lambda: REQUESTS, try_request, server)
