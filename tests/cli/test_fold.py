import json

import numpy as np
import pandas as pd
import pytest

import mfx
from mfx.cli.main import main

NEW = "user_id,item_id,rating\n7,2571,5\n7,589,4.5\n8,1,2\n"
TABLE = ["dataset=table", "dataset.path=new.csv", "dataset.timestamp_column=null"]


@pytest.fixture
def new(in_demo, tmp_path, monkeypatch):
    """Write ratings of new users; what is written beside them goes with the test."""
    (tmp_path / "new.csv").write_text(NEW)
    settings = [setting.replace("new.csv", str(tmp_path / "new.csv")) for setting in TABLE]
    return tmp_path, settings


def test_lists_are_those_of_each_user_alone(new, capsys):
    folder, settings = new
    for name, read in (("lists.csv", pd.read_csv), ("lists.parquet", pd.read_parquet)):
        words = ["fold", "run=demo_genre", f"to={folder / name}", "k=4", "min_ratings=30", *settings, "--json"]
        assert main(words) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["users"], told["ratings"], told["dropped"]) == (2, 3, 0)
        lists = read(folder / name)
        assert list(lists.columns) == ["user_id", "item_id", "score", "rank"]
        for user, profile in ((7, "id:2571=5; id:589=4.5"), (8, "id:1=2")):
            alone = ["recommend", "run=demo_genre", f"ratings={profile}", "k=4", "min_ratings=30", "--json"]
            assert main(alone) == 0
            items = json.loads(capsys.readouterr().out)["items"]
            own = lists[lists["user_id"] == user]
            assert own["item_id"].tolist() == [item["item_id"] for item in items]
            np.testing.assert_allclose(own["score"], [item["score"] for item in items], rtol=1e-5)


def test_unknown_items_are_left_out_only_on_demand(new, capsys):
    folder, settings = new
    with (folder / "new.csv").open("a") as file:
        file.write("8,999999999,4\n")
    words = ["fold", "run=demo_als", f"to={folder / 'lists.csv'}", *settings]
    assert main(words) == 1
    told = capsys.readouterr()
    assert "This als does not know 1 of the rated items, the first is 999999999 (ratings of such items: 1)" in told.err
    assert not (folder / "lists.csv").exists()
    assert main([*words, "unknown_items=drop"]) == 0
    assert "2 new users from 4 ratings (1 of items" in capsys.readouterr().out


def test_ids_are_written_as_they_were_read(new, capsys):
    folder, settings = new
    (folder / "new.csv").write_text("user_id,item_id,rating\n007,2571,5\n7,589,4.5\n8,1,2\n")
    assert main(["fold", "run=demo_als", f"to={folder / 'lists.csv'}", "k=1", *settings, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["users"] == 3
    written = [line.partition(",")[0] for line in (folder / "lists.csv").read_text().splitlines()]
    assert written == ["user_id", "007", "7", "8"]


def test_items_spelled_otherwise_are_found_and_items_of_another_catalogue_refused(new, capsys):
    folder, settings = new
    words = ["fold", "run=demo_als", f"to={folder / 'lists.csv'}", *settings]
    (folder / "new.csv").write_text("user_id,item_id,rating\n7,2571.0,5\n7,B07,4.5\n")
    assert main([*words, "unknown_items=drop"]) == 0
    assert "1 new users from 2 ratings (1 of items" in capsys.readouterr().out
    (folder / "new.csv").write_text("user_id,item_id,rating\n7,tt0133093,5\n")
    assert main([*words, "unknown_items=drop"]) == 1
    told = capsys.readouterr().err
    assert "No item of the new ratings is in this als: ids look like 'tt0133093' in the former and 1 in" in told


def test_data_sets_may_be_presets_of_ones_own(new, capsys):
    folder, _ = new
    (folder / "presets" / "dataset").mkdir(parents=True)
    path = f"path: {folder / 'new.csv'}"
    (folder / "presets" / "dataset" / "new.yaml").write_text(f"defaults: [table]\n{path}\ntimestamp_column: null\n")
    words = ["fold", "run=demo_als", "dataset=new", f"to={folder / 'lists.csv'}"]
    assert main([*words, "--config-dir", str(folder / "presets")]) == 0
    assert "2 new users from 3 ratings" in capsys.readouterr().out
    assert main(words) == 2
    assert "no dataset called 'new'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["dataset=table", "to=a.csv"], "needs run="),
        (["run=demo_als", "dataset=table"], "needs to="),
        (["run=demo_als", "to=a.csv"], "needs dataset="),
        (["run=demo_als", "dataset=table", "to=a.txt"], "neither a .csv nor a .parquet"),
        (["run=demo_als", "dataset=table", "to=a.csv", "k=0"], "at least 1"),
        (["run=demo_als", "dataset=table", "to=a.csv", "unknown_items=keep"], "neither refuse nor drop"),
        (["run=demo_als", "dataset=table", "to=/dev/null/a.csv"], "Make room, or choose another: to=FILE."),
        (["run=demo_als", "dataset=tabel", "to=a.csv"], "Did you mean 'table'?"),
        (["run=demo_als", "dataset=table", "to=a.csv", "engine=rye"], "Did you mean 'ray'?"),
        (["run=demo_als", "dataset=table", "to=a.csv", "model=als"], "does not know 'model'"),
        (["run=demo_als", "dataset=table", "to=a.csv", "--config-dir"], "expected one argument"),
        (["run=demo_als", "dataset=table", "to=a.csv", "--config-dir=nowhere"], "no folder"),
    ],
)
@pytest.mark.usefixtures("in_demo")
def test_mistakes_cost_one_line(capsys, words, part):
    assert main(["fold", *words]) == 2
    told = capsys.readouterr()
    assert part in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""


def test_a_model_without_rows_says_so(new, capsys, monkeypatch):
    folder, settings = new
    monkeypatch.chdir(folder)
    mfx.run("model=popularity", "dataset=synthetic", "dataset.preset=tiny", "tracking=console", "figures=false")
    assert main(["fold", "run=last", "to=a.csv", *settings]) == 1
    assert "popularity has no rows of users to fold in" in capsys.readouterr().err
