"""A run made again agrees in every digit, and what changed is told: data, split, code, versions, threads, machine."""

import json
from pathlib import Path

import numpy as np
import pytest

import mfx
from mfx.analysis import reproduce
from mfx.analysis.finished_run import RunError, open_run
from mfx.cli.main import main

SETTINGS = ("metrics=[rmse,ndcg@10]", "model=als", "model.factors=3", "model.epochs=4", "seed=5")


@pytest.fixture
def folder(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return mfx.run(*toy.choices, *SETTINGS).directory


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def again(folder):
    return reproduce.reproduce(open_run(folder))


def test_an_untouched_run_agrees_and_nothing_changed(folder, tmp_path, toy):
    tracked = len(toy.ToyTracking.runs)
    found = again(folder)
    assert found.agrees
    assert found.changed == []
    assert all(one.logged for one in found.inputs)
    curves = json.loads((folder / "curves.json").read_text())
    finals = [
        name for name in json.loads((folder / "metrics.json").read_text()) if not name.startswith(("sec", "peak"))
    ]
    assert found.numbers == len(finals) + sum(map(len, curves.values()))
    assert "test/rmse" in finals
    assert len(toy.ToyTracking.runs) == tracked
    assert list(tmp_path.glob("runs/20*/*")) == [folder]
    assert not list((tmp_path / "runs" / "checkpoints").iterdir())


def test_the_seed_of_the_run_counts_and_not_the_default(folder):

    text = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(text.replace("seed: 5", "seed: 6"))
    found = again(folder)
    assert not found.agrees
    assert "split" in found.changed


def test_one_digit_more_or_less_is_a_difference(folder):
    rmse = json.loads((folder / "metrics.json").read_text())["test/rmse"]
    edit(folder / "metrics.json", **{"test/rmse": float(np.nextafter(rmse, 9))})
    found = again(folder)
    assert list(found.differing) == ["test/rmse"]
    assert found.differing["test/rmse"] == (float(np.nextafter(rmse, 9)), rmse)
    assert found.changed == []


def test_a_number_of_one_epoch_and_one_that_is_gone(folder):
    curves = json.loads((folder / "curves.json").read_text())
    value = curves["valid/rmse"][2]
    curves["valid/rmse"][2] += 1e-9
    edit(folder / "curves.json", **curves)
    edit(folder / "metrics.json", **{"test/gone": 1.0})
    assert again(folder).differing == {"valid/rmse epoch 3": (value + 1e-9, value), "test/gone": (1.0, None)}


def test_other_data(folder, toy, monkeypatch):
    real = toy.Toy.load

    def load(self):
        ratings = real(self)
        ratings.values[7] = 6.0 - ratings.values[7]
        return ratings

    monkeypatch.setattr(toy.Toy, "load", load)
    found = again(folder)
    assert not found.agrees
    assert found.changed == ["data", "split"]


@pytest.fixture
def with_genres(tmp_path, monkeypatch):
    """A run of genre_als on a table whose file of items can be written again."""
    monkeypatch.chdir(tmp_path)
    ratings = mfx.testing.planted_ratings()
    ids, items = ratings.catalogue.user_ids[ratings.users], ratings.catalogue.item_ids[ratings.items]
    rows = zip(ids, items, ratings.values, strict=True)
    Path("ratings.csv").write_text("user_id,item_id,rating\n" + "".join(f"{u},{i},{v}\n" for u, i, v in rows))

    def write(genres, title="a title"):
        lines = [f"{item},{title},{genres[n % len(genres)]}\n" for n, item in enumerate(ratings.catalogue.item_ids)]
        Path("items.csv").write_text("item_id,title,genres\n" + "".join(lines))

    write(["Drama", "Comedy"])
    paths = (
        "dataset=table",
        "dataset.path=ratings.csv",
        "dataset.timestamp_column=null",
        "dataset.items_path=items.csv",
    )
    rest = ("split=random", "model=genre_als", "model.epochs=3", "model.factors=2", "metrics=[rmse]")
    return mfx.run(*paths, *rest, "tracking=console", "figures=false").directory, write


def test_other_genres(with_genres, capsys):
    folder, write = with_genres
    write(["Drama", "Horror", "Drama"])
    found = again(folder)
    assert not found.agrees
    assert found.changed == ["catalogue"]
    (catalogue,) = [one for one in found.inputs if one.name == "catalogue"]
    assert list(catalogue.changes) == ["item_features.genres"]
    assert main(["reproduce", str(folder)]) == 1
    assert "What changed: catalogue." in capsys.readouterr().out


def test_other_titles_change_no_number_and_are_told(with_genres):
    folder, write = with_genres
    write(["Drama", "Comedy"], title="another")
    found = again(folder)
    assert found.agrees
    assert found.changed == ["catalogue"]


def test_another_rule_of_the_split(folder, toy, monkeypatch):
    real = toy.ToySplit.split

    def split(self, ratings):
        made = real(self, ratings)
        return mfx.Split(made.valid, made.train, made.test, made.rule)

    monkeypatch.setattr(toy.ToySplit, "split", split)
    found = again(folder)
    assert not found.agrees
    assert found.changed == ["split"]


@pytest.mark.parametrize(
    ("name", "input_", "shown"),
    [
        ("version.numpy", "versions", "numpy"),
        ("python", "versions", "python"),
        ("code.mfx", "code", "mfx"),
        ("code.flow-plugin", "code", "flow-plugin"),
        ("threads", "threads", "threads"),
        ("cpus", "threads", "cpus"),
        ("cpu", "machine", "cpu"),
        ("git_commit", "git", "git_commit"),
    ],
)
def test_what_it_ran_on(folder, name, input_, shown, capsys):
    edit(folder / "environment.json", **{name: "another"})
    assert main(["reproduce", str(folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["agrees"]
    assert found["changed"] == [input_]
    assert found["inputs"][input_]["changes"][shown]["logged"] == "another"


def test_threads_that_really_change_are_told_and_do_not_matter(folder, monkeypatch):
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    found = again(folder)
    assert found.agrees
    assert found.changed == ["threads"]


def test_a_run_that_did_not_log_what_it_ran_on(folder, capsys):
    (folder / "environment.json").unlink()
    edit(folder / "metrics.json", **{"test/rmse": 1.0})
    assert main(["reproduce", str(folder)]) == 1
    told = capsys.readouterr().out
    assert "versions   not logged" in told
    assert "it did not log code, versions, threads, machine, git" in told
    assert "1 of " in told


def test_a_page_for_people(folder, capsys):
    assert main(["reproduce", str(folder)]) == 0
    assert "numbers agree to the last digit" in capsys.readouterr().out
    edit(folder / "metrics.json", **{"test/rmse": 1.0})
    edit(folder / "environment.json", **{"version.numpy": "0.1"})
    assert main(["reproduce", str(folder)]) == 1
    told = capsys.readouterr().out
    assert "numpy: 0.1 -> " in told
    assert "What changed: versions." in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Reproduce which run?"),
        (["a", "b"], "Reproduce which run?"),
        (["last", "pth=x"], "Did you mean 'path'"),
        (["last", "path=x.csv"], "The data set toy has no path"),
    ],
)
def test_mistakes_cost_one_line(folder, capsys, arguments, message):
    assert main(["reproduce", *arguments]) != 0
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_a_setting_that_no_longer_exists(folder):
    text = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(text.replace("factors:", "faktors:"))
    with pytest.raises(RunError, match="cannot be composed again"):
        again(folder)


def test_data_that_moved(tmp_path, monkeypatch, toy):
    monkeypatch.chdir(tmp_path)
    ratings = mfx.create("dataset", "toy").load()
    rows = zip(ratings.users + 1, ratings.items + 1, ratings.values, ratings.timestamps, strict=True)
    table = "user_id,item_id,rating,timestamp\n" + "".join(f"{u},{i},{r},{t}\n" for u, i, r, t in rows)
    (tmp_path / "here.csv").write_text(table)
    run = mfx.run("dataset=table", "dataset.path=here.csv", "split=random", "tracking=console", *SETTINGS)
    (tmp_path / "here.csv").rename(tmp_path / "there.csv")
    with pytest.raises(mfx.MFXError, match=r"here\.csv"):
        again(run.directory)
    assert reproduce.reproduce(open_run(run.directory), "there.csv").agrees


@pytest.mark.slow
def test_code_of_a_plugin_that_was_edited(cli):
    site = cli.folder.parent / "site"
    plugin = (
        "from dataclasses import dataclass\nimport numpy as np\nimport mfx\n\n\n"
        "@mfx.register('model', 'mine')\n@dataclass(kw_only=True)\nclass Mine(mfx.Recommender):\n"
        "    predicts = 'ranking'\n    objective = 'ndcg@10'\n    state_names = ('scores_',)\n\n"
        "    def learn(self, train, on_epoch):\n"
        "        self.scores_ = (train.item_counts**POWER).astype(np.float32)\n\n"
        "    def score_users(self, users):\n        return np.tile(self.scores_, (len(users), 1))\n\n\nPOWER = 0.5\n"
    )
    (site / "mine.py").write_text(plugin)
    (site / "mine-1.0.dist-info").mkdir()
    (site / "mine-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (site / "mine-1.0.dist-info" / "entry_points.txt").write_text("[mfx.plugins]\nmine = mine\n")
    made = cli("dataset=toy", "split=toy_split", "model=mine", "metrics=[ndcg@10]", "tracking=console")
    assert made.returncode == 0, made.stderr
    assert cli("reproduce", "last").returncode == 0
    (site / "mine.py").write_text(plugin.replace("POWER = 0.5", "POWER = -0.5"))
    done = cli("reproduce", "last", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["agrees"], found["changed"]) == (1, False, ["code"])
    assert list(found["inputs"]["code"]["changes"]) == ["mine"]
    assert "test/ndcg@10" in found["differing"]
