"""What MLflow knows of runs whose folders were not found."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mfx.tracking.store import locate

PAGE = 1000
MIN_PREFIX = 4
"""Characters from which the beginning of a run id counts as one."""


@dataclass(frozen=True)
class Tracked:
    """A run as MLflow keeps it.

    Attributes
    ----------
    artifacts : pathlib.Path or None
        Folder of its files; None where a server keeps them.
    """

    run_id: str
    name: str
    status: str
    tags: Mapping[str, str]
    artifacts: Path | None


def look_up(wanted: str) -> list[Tracked]:
    """Return MLflow's runs with this name, this id or this beginning of it; none where there is no store yet.

    Raises
    ------
    TrackingError
        If the store cannot be opened.
    """
    store = locate()
    if store.database is not None and not store.database.exists():
        return []
    store.check()
    from mfx.tracking.mlflow_client import open_client, told

    client = open_client(store)
    found: list[Tracked] = []
    with told(store, f"looking for run '{wanted}'"):
        experiments = [one.experiment_id for one in client.search_experiments()]
        for condition in _conditions(wanted):
            token = None
            while True:
                page = client.search_runs(experiments, condition, max_results=PAGE, page_token=token)
                for run in page:
                    about, place = run.info, _folder(run.info.artifact_uri or "")
                    found.append(Tracked(about.run_id, about.run_name, about.status, dict(run.data.tags), place))
                token = page.token
                if not token:
                    break
    return list({one.run_id: one for one in found}.values())


def _conditions(wanted: str) -> Iterator[str]:
    """Yield filters in MLflow's language: reading every run of a large store would take minutes."""
    quote = next((mark for mark in "'\"" if mark not in wanted), None)
    if quote is not None:
        yield f"attributes.run_name = {quote}{wanted}{quote}"
    if re.fullmatch(f"[0-9a-f]{{{MIN_PREFIX},32}}", wanted):
        yield f"attributes.run_id LIKE '{wanted}%'"


def _folder(address: str) -> Path | None:
    parts = urlsplit(address)
    return Path(url2pathname(parts.path)) if parts.scheme in ("", "file") else None
