"""A saved model as an MLflow pyfunc: the files that ``mlflow models serve`` needs, beside the model's own.

The package is code, not a pickle: a script of three lines that reads the folder it lies in.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from mfx.errors import TrackingError
from mfx.files import atomic_file, scratch_folder, write_text
from mfx.tracking.mlflow_client import keep_quiet

MLMODEL = "MLmodel"
SCRIPT = "served.py"
_CODE = '''\
"""Read by MLflow when the model is loaded; the model's numbers lie beside it."""

from pathlib import Path

from mlflow.models import set_model

from mfx.analysis.served import served

set_model(served(Path(__file__).parent))
'''
_NEVER = '; python_version < "3"'


def package(folder: Path) -> None:
    """Turn a folder that `mfx.Recommender.save` wrote into an MLflow model, with signature and input example.

    The model is read again and answers the example, so a package that was written can be served.

    Raises
    ------
    TrackingError
        If the folder holds no saved model, or MLflow cannot package it.
    """
    if not (folder / "model.json").is_file():
        raise TrackingError(f"{folder} holds no saved model.", "Give the folder that holds model.json.")
    keep_quiet()
    import mlflow.pyfunc

    (folder / MLMODEL).unlink(missing_ok=True)
    write_text(folder / SCRIPT, _CODE)
    needs = [f"{name}=={importlib.metadata.version(name)}" for name in ("mfx", "mlflow")]
    with scratch_folder() as scratch:
        draft = scratch / "model"
        try:
            mlflow.pyfunc.save_model(
                str(draft),
                python_model=str(folder / SCRIPT),
                input_example=[example(folder)],
                # With requirements as they are MLflow would look through every installed package, for 0.6 s.
                conda_env=_environment([need + _NEVER for need in needs]),
            )
        except Exception as error:  # MLflow raises many types
            (folder / SCRIPT).unlink(missing_ok=True)
            text = " ".join(str(error).split())[:300]
            raise TrackingError(f"MLflow cannot package the model in {folder}: {text}") from error
        write_text(draft / "requirements.txt", "\n".join(needs) + "\n")
        write_text(draft / "conda.yaml", json.dumps(_environment(needs), indent=2) + "\n")  # JSON is YAML
        for name in (*(path.name for path in draft.iterdir() if path.name not in (MLMODEL, SCRIPT)), MLMODEL):
            with atomic_file(folder / name) as temporary:
                shutil.copyfile(draft / name, temporary)


def example(folder: Path) -> dict[str, Any]:
    """Make a request that the model can answer: five items for its first user."""
    with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
        if not arrays["seen/items"].size:  # who rated what lies with the parts of a data set
            item = arrays["items/ids"][0].item() if "items/ids" in arrays.files else _first_text(arrays, "items")
            return {"item_ids": [item], "item_ratings": [5.0], "k": 5}
        if "users/ids" in arrays.files:
            return {"user_id": int(arrays["users/ids"][0]), "k": 5}
        return {"user_id": _first_text(arrays, "users"), "k": 5}


def _first_text(arrays: Any, key: str) -> str:
    return bytes(arrays[f"{key}/text"][: arrays[f"{key}/ends"][0]]).decode()


def _environment(needs: list[str]) -> dict[str, Any]:
    return {"name": "mfx", "dependencies": [f"python={platform.python_version()}", "pip", {"pip": needs}]}
