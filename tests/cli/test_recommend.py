import json

import numpy as np
import pytest

import mfx
from mfx.analysis.advice import Adviser, Request
from mfx.cli.main import main

SEEDS = "ratings=The Matrix=5; Terminator 2=5; Blade Runner=5"


def out(capsys, *arguments, status=0):
    assert main(arguments) == status
    return capsys.readouterr()


def test_a_table_for_people(in_demo, capsys):
    shown = out(capsys, "recommend", "run=demo_genre", "user=1", "k=3").out
    assert shown.startswith("For user 1 · movielens_demo, temporal split, genre_als fitted on train\n")
    assert sum(line.lstrip()[:2] in ("1 ", "2 ", "3 ") for line in shown.splitlines()) == 3
    assert "Drama" in shown


def test_somebody_new_reads_what_was_taken_for_what(in_demo, capsys):
    shown = out(capsys, "recommend", "run=demo_genre", SEEDS, "k=3", "bias_weight=0.05").out
    assert "The Matrix → Matrix, The (1999) [id 2571], rated 5\n" in shown
    assert "Terminator 2 → Terminator 2: Judgment Day (1991) [id 589], rated 5  (not the whole title" in shown
    assert "For somebody new" in shown


def test_json_for_programs_holds_the_same(in_demo, capsys):
    found = json.loads(out(capsys, "recommend", "run=demo_genre", SEEDS, "k=4", "--json").out)
    assert found["user"] is None
    assert [one["item_id"] for one in found["taken"]] == [2571, 589, 541]
    assert [item["rank"] for item in found["items"]] == [1, 2, 3, 4]
    assert set(found["items"][0]) == {"rank", "item_id", "title", "genres", "score", "ratings"}
    by_id = out(capsys, "recommend", "run=demo_genre", "ratings=id:2571=5;id:589=5;id:541=5", "k=4", "--json").out
    assert json.loads(by_id)["items"] == found["items"]


def test_models_of_ratings_list_no_items_that_hardly_anybody_rated(in_demo, capsys):
    for asked in (["recommend", "user=1"], ["recommend", SEEDS], ["similar", "item=id:2571"]):
        command, *rest = asked
        found = json.loads(out(capsys, command, "run=demo_genre", *rest, "k=200", "--json").out)
        assert min(item["ratings"] for item in found["items"]) == found["min_ratings"] == 5
        every = json.loads(out(capsys, command, "run=demo_genre", *rest, "k=10000", "min_ratings=0", "--json").out)
        assert every["left_out"] == 0
        assert found["left_out"] > sum(item["ratings"] < 5 for item in every["items"][:1000]) > 0
    shown = out(capsys, "recommend", "run=demo_genre", "user=1", "k=3").out
    assert f"Left out: {found['left_out']:,} items with fewer than 5 ratings (min_ratings=0 lists them).\n" in shown


def test_ranking_models_list_all_items_and_python_does_too():
    items = np.repeat([1, 2, 3], [6, 5, 4])
    catalogue = mfx.Catalogue(np.arange(6), np.array([1, 2, 3, 4]))
    users = np.concatenate([np.arange(n) for n in (6, 5, 4)])
    train = mfx.Ratings.from_columns(users, items, np.ones(15) + items % 2, catalogue=catalogue)
    for model, left_out in ((mfx.BPR(epochs=1, factors=2), 0), (mfx.ALS(epochs=1, factors=2), 2)):
        answer = Adviser(model.fit(train)).recommend(Request(user=5, k=4))
        assert answer.left_out == left_out
        assert {item.item_id for item in answer.items} == ({2} if left_out else {2, 3, 4})
        assert set(model.recommend([5], 4)["item_id"]) == {2, 3, 4}


def test_a_list_that_is_shorter_says_so(in_demo, capsys):
    shown = out(capsys, "recommend", "run=demo_als", "user=1", "min_ratings=240", "genre=War", "k=50").out
    assert "no more items are allowed" in shown


def test_similar(in_demo, capsys):
    shown = out(capsys, "similar", "run=demo_als", "item=matrix", "min_ratings=50", "k=2").out
    assert shown.startswith("matrix → Matrix, The (1999) [id 2571]\n")
    found = json.loads(out(capsys, "similar", "run=demo_als", "item=id:2571", "k=2", "--json").out)
    assert (found["item_id"], found["title"], len(found["items"])) == (2571, "Matrix, The (1999)", 2)


@pytest.mark.parametrize("command", ["recommend", "similar"])
def test_help(capsys, command):
    shown = out(capsys, command, "--help").out
    assert shown.startswith(f"mfx {command}: ")
    assert "run=" in shown
    assert "Examples:" in shown


@pytest.mark.parametrize(
    ("arguments", "status", "part"),
    [
        (["recommend"], 2, "needs run="),
        (["recommend", "run=last"], 2, "neither user nor ratings"),
        (["recommend", "run=last", "user=1", SEEDS], 2, "both user and ratings"),
        (["recommend", "run=last", "usr=1"], 2, "Did you mean 'user'?"),
        (["recommend", "run=last", "user"], 2, "'user' has no value"),
        (["recommend", "run=last", "user="], 2, "'user' has no value"),
        (["recommend", "run=last", "user=1", "user=2"], 2, "given twice"),
        (["recommend", "run=last", "user=1", "k=ten"], 2, "k=ten is not a whole number"),
        (["recommend", "run=last", "user=1", "k=0"], 2, "at least 1"),
        (["recommend", "run=lst", "user=1"], 1, "Did you mean 'last'?"),
        (["recommend", "run=last", "user=9999"], 1, "There is no user '9999'"),
        (["recommend", "run=last", "ratings=Hamlet=5"], 1, "Hamlet (1996) [id 1411]"),
        (["recommend", "run=last", "ratings=Toy Story=6"], 2, "outside the scale, 0.5 to 5"),
        (["recommend", "run=last", "user=1", "genre=nope"], 2, "There is no genre 'nope'"),
        (["similar", "run=last"], 2, "needs item="),
        (["similar", "run=last", "item=zzzzz"], 1, "There is no item called 'zzzzz'"),
    ],
)
def test_mistakes_cost_one_line(in_demo, capsys, arguments, status, part):
    told = out(capsys, *arguments, status=status)
    assert part in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""
