"""A plugin with a component of every kind but models, and a named experiment that uses all of them, as installed."""

import json
import shutil
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[1] / "testing" / "example"


@pytest.fixture
def example(cli):
    """Run `mfx` where the example is installed."""
    site = cli.folder.parent / "site"
    shutil.copytree(EXAMPLE / "mfx_example", site / "mfx_example")
    info = site / "mfx_example-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: mfx-example\nVersion: 0.1.0\nRequires-Dist: mfx<1,>=0.1\n"
    )
    (info / "entry_points.txt").write_text("[mfx.plugins]\nexample = mfx_example.components\n")
    return cli


def test_an_experiment_takes_data_split_metric_and_tracker_from_a_plugin(example):
    done = example("experiment=clubs", "model.epochs=3", "figures=false", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    (path,) = (example.folder / "lines").glob("*.jsonl")
    told = [json.loads(line) for line in path.read_text().splitlines()]
    assert told[-1] == {"status": "done"}
    assert {told[0]["params"][f"{kind}.name"] for kind in ("dataset", "split", "tracking")} == {
        "clubs",
        "latest",
        "lines",
    }
    logged = {}
    for line in told:
        logged |= line.get("metrics", {})
    assert {name: logged[name] for name in found} == found
    assert {"test/rmse", "test/hit_share@3"} <= set(found)
    assert (path.with_suffix("") / "metrics.json").is_file()


def test_all_of_it_is_listed_and_found(example):
    listed = example("list", "--json")
    names = {(one["kind"], one["name"]) for one in json.loads(listed.stdout)["components"]}
    assert {("dataset", "clubs"), ("split", "latest"), ("metric", "hit_share"), ("tracking", "lines")} <= names
    what = "dataset clubs, split latest, metric hit_share, tracking lines; 1 configuration file\n"
    assert f"ok  example: mfx-example 0.1.0, mfx_example.components: {what}" in example("doctor").stdout
