"""A cluster that is this process: tasks are done at once, and references are what they refer to."""

import pytest

from mfx.engine import ray_parts, ray_rows, ray_tasks, ray_tiles


class Reference:
    def __init__(self, value):
        self.value = value


def put(value):
    return Reference(value)


def get(references):
    return [one.value for one in references] if isinstance(references, list) else references.value


def task(function, returns=1):
    def call(*arguments):
        found = function(*(one.value if isinstance(one, Reference) else one for one in arguments))
        return Reference(found) if returns == 1 else [Reference(one) for one in found]

    return call


@pytest.fixture
def here(monkeypatch):
    """Do what is handed to workers in this process, results in reverse order."""
    for module in (ray_parts, ray_rows, ray_tasks, ray_tiles):
        for name, function in (("put", put), ("get", get), ("task", task)):
            monkeypatch.setattr(module, name, function)
    for module in (ray_rows, ray_tiles):
        monkeypatch.setattr(module, "first_ended", lambda pending: pending[-1])
        monkeypatch.setattr(module, "processors", lambda: 3)
