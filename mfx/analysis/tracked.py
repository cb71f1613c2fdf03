"""What MLflow knows of runs whose folders were not found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mfx.tracking.store import locate

PAGE = 1000


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
        token = None
        while True:
            page = client.search_runs(experiments, max_results=PAGE, page_token=token)
            for run in page:
                about = run.info
                if wanted == about.run_name or about.run_id.startswith(wanted):
                    place = _folder(about.artifact_uri or "")
                    found.append(Tracked(about.run_id, about.run_name, about.status, dict(run.data.tags), place))
            token = page.token
            if not token:
                return found


def _folder(address: str) -> Path | None:
    parts = urlsplit(address)
    return Path(url2pathname(parts.path)) if parts.scheme in ("", "file") else None
