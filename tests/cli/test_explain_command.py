import json
from pathlib import Path

import pytest

from mfx.cli.main import main


def out(capsys, *arguments, status=0):
    assert main(["explain", *arguments]) == status
    return capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["user=1", "k=2"], "Scores of user 1"),
        (["user=1", "genres=scifi|Horror"], "A new item, Sci-Fi + Horror, for user 1"),
        (["what=polarising", "k=3"], "Most polarising items, items with at least 50 ratings"),
        (["what=genre_map"], "Genres in the space of factors, rows of the genre map W"),
        (["ratings=Alien (1979)=5"], "Alien (1979) → Alien (1979) [id 1214], rated 5"),
    ],
)
def test_tables_for_people_and_files(in_demo, capsys, arguments, part):
    shown = out(capsys, "run=demo_genre", *arguments).out
    assert part in shown
    files = [Path(word) for word in shown.split() if word.endswith((".csv", ".png"))]
    assert len(files) >= 2
    assert all(path.is_file() and path.parent.name == "explanations" for path in files)


def test_without_more_said_it_explains_what_needs_no_user(in_demo, capsys):
    found = json.loads(out(capsys, "run=demo_als", "--json").out)
    assert len(found["polarising"]["rows"]) == 10
    assert {row["genre"] for row in found["genre_map"]["rows"]} >= {"Sci-Fi", "Drama"}
    assert all(Path(path).is_file() for path in found["genre_map"]["files"])


@pytest.mark.parametrize(
    ("arguments", "status", "part"),
    [
        ([], 2, "needs run="),
        (["run=demo_genre", "what=score"], 2, "Did you mean 'scores'?"),
        (["run=demo_genre", "what=polarising", "user=1"], 2, "has no use for user="),
        (["run=demo_genre", "seed=2", "user=1"], 2, "has no use for seed="),
        (["run=demo_genre", "what=new_item", "user=1"], 2, "needs genres="),
        (["run=demo_genre", "genres=Drama"], 2, "neither user nor ratings"),
        (["run=demo_genre", "user=1", "genres=Dramma"], 2, "Did you mean 'Drama'?"),
        (["run=demo_als", "user=1", "genres=Drama"], 1, "als knows nothing of items without ratings"),
        (["run=demo_als", "user=12345"], 1, "There is no user '12345'"),
    ],
)
def test_mistakes_cost_one_line(in_demo, capsys, arguments, status, part):
    told = out(capsys, *arguments, status=status)
    assert part in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""
