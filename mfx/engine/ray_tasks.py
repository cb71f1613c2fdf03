"""Functions as tasks of Ray: called anywhere in the cluster, and called again where a worker died with them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from mfx.errors import MFXError

RETRIES = 20
"""How often a block or part is given to another worker after one died with it."""


@functools.cache
def task(function: Callable[..., Any], returns: int = 1) -> Callable[..., Any]:
    """Make a function that runs in a worker and returns references to its results at once.

    It is made once, since the cluster is sent every new one.
    """
    import ray

    remote = ray.remote(function).options(num_cpus=1, max_retries=RETRIES, num_returns=returns)
    called: Callable[..., Any] = remote.remote
    return called


def put(value: Any) -> Any:
    """Put something into the store; return its reference. In a list it reaches a task as such, for `get`."""
    import ray

    return ray.put(value)


def processors() -> int:
    """Return how many tasks the cluster can do at once now."""
    import ray

    return int(ray.cluster_resources().get("CPU", 1))  # type: ignore[no-untyped-call]


def first_ended(pending: list[Any]) -> Any:
    """Wait until one of several results is there; return its reference."""
    import ray

    ended, _ = ray.wait(pending, num_returns=1, fetch_local=True)
    return ended[0]


def get(references: Any) -> Any:
    """Wait for results.

    Raises
    ------
    MFXError
        As it was raised in a worker.
    """
    import ray

    try:
        return ray.get(references)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, MFXError):
            raise error.cause from None
        raise
