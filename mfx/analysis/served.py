"""The model that MLflow serves: it answers as `mfx recommend` does.

Imported by the script of a packaged model (see `mfx.tracking.packaged`), and by nothing else: it imports MLflow.
No ``from __future__ import annotations`` here: MLflow reads the types of `predict` as they are.
"""

from pathlib import Path
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModel
from pydantic import BaseModel, ConfigDict, Field, create_model

from mfx.analysis.advice import Adviser, Request
from mfx.errors import MFXError, SettingError
from mfx.models.storage import load


class Settings(BaseModel):
    """What a request may set beside who asks; unknown names are refused."""

    model_config = ConfigDict(extra="forbid")

    ratings: str | None = Field(None, description="Ratings of somebody new: TITLE=RATING; TITLE=RATING.")
    item_ratings: list[float] | None = Field(None, description="Ratings of item_ids, in their order.")
    k: int = Field(10, description="Length of the list.")
    bias_weight: float = Field(1.0, description="Weight of the item bias in the order.")
    min_ratings: int | None = Field(
        None, description="Only items with at least so many ratings; by default 5, or 0 of a model that ranks."
    )
    genre: str | None = Field(None, description="Only items with one of these genres, such as Sci-Fi|Action.")


def types(user_id: type, item_id: type) -> tuple[type[BaseModel], type[BaseModel]]:
    """Make the types of a request and of its answer for raw ids of these types (int or str)."""
    ids: Any = list[item_id]  # type: ignore[valid-type]
    asked = create_model("Request", __base__=Settings, user_id=(user_id | None, None), item_ids=(ids | None, None))  # type: ignore[arg-type]
    item = create_model(
        "Item", rank=(int, ...), item_id=(item_id, ...), title=(str, ...), genres=(list[str], ...), score=(float, ...),
        ratings=(int, ...),
    )  # fmt: skip
    taken = create_model(
        "Taken", text=(str, ...), item_id=(item_id, ...), title=(str, ...), rating=(float, ...), exact=(bool, ...)
    )
    items: Any = list[item]  # type: ignore[valid-type]
    takens: Any = list[taken]  # type: ignore[valid-type]
    return asked, create_model(
        "Answer", items=(items, ...), min_ratings=(int, ...), left_out=(int, ...), taken=(takens, ...)
    )


def served(folder: Path) -> PythonModel:
    """Make the served model of a folder that `Recommender.save` wrote."""
    model = load(folder)
    adviser = Adviser(model)
    kinds = [int if ids.dtype.kind in "iu" else str for ids in (model.catalogue_.user_ids, model.catalogue_.item_ids)]
    asked, answered = types(*kinds)

    class Served(PythonModel):  # type: ignore[misc, unused-ignore]
        """Answers a list of requests, in order."""

        def predict(self, model_input: list[asked], params: dict[str, Any] | None = None) -> list[answered]:  # type: ignore[valid-type, override]
            """Return for each request its list of items, and what its ratings were taken to be of."""
            return [answer(adviser, one.model_dump()) for one in model_input]  # type: ignore[attr-defined]

    return Served()


def answer(adviser: Adviser, asked: dict[str, Any]) -> dict[str, Any]:
    """Answer one request; whatever is wrong with it becomes an error that MLflow's server answers with status 400."""
    try:
        return adviser.recommend(_request(asked)).as_json()
    except MFXError as error:
        raise MlflowException.invalid_parameter_value(str(error)) from error


def _request(asked: dict[str, Any]) -> Request:
    ids, values = asked["item_ids"], asked["item_ratings"]
    if (ids is None) != (values is None):
        raise SettingError("item_ids and item_ratings belong together.", "Give both, or ratings='TITLE=RATING; ...'.")
    pairs: list[tuple[str, float]] | None = None
    if ids is not None and values is not None:
        if asked["ratings"] is not None:
            raise SettingError("Both ratings and item_ids are given.", "Give one of them.")
        if len(ids) != len(values) or not ids:
            raise SettingError(
                f"There are {len(ids)} item_ids and {len(values)} item_ratings.", "Give one rating an id."
            )
        pairs = [(f"id:{raw}", value) for raw, value in zip(ids, values, strict=True)]
    kept = {name: asked[name] for name in ("k", "bias_weight", "min_ratings", "genre")}
    return Request(user=asked["user_id"], ratings=pairs if pairs is not None else asked["ratings"], **kept)
