import numpy as np
import pytest

from mfx.analysis.profile import parse, take
from mfx.analysis.titles import TitleIndex, UnknownItem, normal_names, normal_title
from mfx.errors import SettingError
from mfx.interfaces import Catalogue, RatingScale

TITLES = {
    3: "Matrix, The (1999)",
    5: "Matrix Reloaded, The (2003)",
    8: "Terminator 2: Judgment Day (1991)",
    9: "Terminator, The (1984)",
    20: "Hamlet (1996)",
    21: "Hamlet (1948)",
    30: "Rocky II (1979)",
    31: "City of Lost Children, The (Cité des enfants perdus, La) (1995)",
    40: "300 (2007)",
    50: "Schindler's List (1993)",
    51: "Seven (a.k.a. Se7en) (1995)",
    52: "Fast & Furious (2009)",
    60: "Blade Runner (1982)",
    70: "",
    80: "E.T. the Extra-Terrestrial (1982)",
    81: "And God Created Woman (Et Dieu... créa la femme) (1956)",
    300: "Quiz Show (1994)",
    400: "Unrelated (2001)",
}
COUNTS = {20: 5, 21: 50}


def index(titles=TITLES):
    ids = np.array(sorted(titles))
    counts = np.array([COUNTS.get(raw, 1) for raw in ids.tolist()], dtype=np.int64)
    return TitleIndex(Catalogue(np.arange(2), ids, np.array([titles[raw] for raw in ids.tolist()])), counts), ids


def found(text):
    titles, ids = index()
    match = titles.find(text)
    return int(ids[match.index]), match.exact


@pytest.mark.parametrize(
    ("text", "item", "exact"),
    [
        ("Matrix, The (1999)", 3, True),
        ("The Matrix", 3, True),
        ("the MATRIX", 3, True),
        ("matrix", 3, True),
        ("  The Matrix (1999) ", 3, True),
        ("Matrix Reloaded", 5, True),
        ("id:3", 3, True),
        ("ID: 3", 3, True),
        ("3", 3, True),
        ("Terminator", 9, True),
        ("Terminator 2", 8, False),
        ("judgment day", 8, False),
        ("day judgment", 8, False),
        ("Hamlet (1948)", 21, True),
        ("Rocky 2", 30, True),
        ("La cite des enfants perdus", 31, True),
        ("schindlers list", 50, True),
        ("Schindler’s List", 50, True),
        ("Se7en", 51, True),
        ("fast and furious", 52, True),
        ("Blade Runer", 60, False),
        ("Shindler's List", 50, False),
        ("chindler", 50, False),
        ("Terminatr 2", 8, False),
        ("Terminatr", 9, False),
        ("The Matrix 1999", 3, True),
        ("Hamlet, 1948", 21, True),
        ("Hamlet (1948", 21, True),
        ("ET", 80, False),
        ("e.t.", 80, False),
    ],
)
def test_what_people_write_finds_the_item(text, item, exact):
    assert found(text) == (item, exact)


def test_several_of_one_name_are_listed_with_years_and_ids_the_best_known_first():
    with pytest.raises(UnknownItem) as error:
        found("Hamlet")
    assert error.value.message == "'Hamlet' may mean 2 items: Hamlet (1948) [id 21]; Hamlet (1996) [id 20]."
    assert "id:21" in error.value.hint


def test_a_number_that_is_an_id_and_a_title_is_not_guessed():
    with pytest.raises(UnknownItem, match=r"300 \(2007\) \[id 40\]; Quiz Show \(1994\) \[id 300\]"):
        found("300")
    assert found("id:300") == (300, True)
    assert found("300 (2007)") == (40, True)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("The Matrix (1998)", "Close: Matrix, The (1999) [id 3]"),
        ("Terminater Too", "Close: "),
        ("Rocy 3", "Close: Rocky II (1979)"),
        ("Matrix 1998", "Close: Matrix, The (1999) [id 3]"),
        ("zzzz", "Write a part of the title"),
        ("id:77", "Ids of items go from 3 to 400"),
        ("id:abc", "Ids of items go from 3 to 400"),
        ("", "Write its title"),
        ("(1999)", "title"),
    ],
)
def test_what_nothing_fits_is_said_with_what_is_close(text, part):
    with pytest.raises(UnknownItem) as error:
        found(text)
    assert part in error.value.hint
    assert "\n" not in str(error.value)


def test_items_without_titles_are_found_by_id_alone():
    titles = TitleIndex(Catalogue(np.arange(2), np.array(["a1", "b2"])), np.ones(2, np.int64))
    assert titles.find("b2").index == 1
    assert titles.find("id:a1").index == 0
    with pytest.raises(UnknownItem, match="no titles"):
        titles.find("The Matrix")
    assert titles.label(0) == "id a1"


def test_normal_forms():
    assert normal_title("Lord of the Rings: The Two Towers, The (2002)") == ("lord of the rings the two towers", "2002")
    assert normal_title("A (1965)") == ("a", "1965")
    assert normal_names("Sagan om ringen (The Lord (of))") != []
    assert normal_names("") == []


def test_ratings_are_split_at_semicolons_and_the_last_equals_sign():
    assert parse(" The Matrix = 5 ;E=mc2=4.5; id:3=1;") == [("The Matrix", 5.0), ("E=mc2", 4.5), ("id:3", 1.0)]


@pytest.mark.parametrize("text", ["", " ; ", "Matrix", "Matrix=", "=5", "Matrix=five"])
def test_malformed_ratings_are_named(text):
    with pytest.raises(SettingError, match="ratings: "):
        parse(text)


@pytest.mark.parametrize("pairs", [[("Matrix", 9.0)], [("Matrix", float("nan"))], [("Matrix", 4.0), ("id:3", 5.0)]])
def test_ratings_off_the_scale_or_twice_are_refused(pairs):
    titles, _ = index()
    catalogue = titles._catalogue
    with pytest.raises(SettingError, match=r"outside the scale|Rate it once"):
        take(titles, catalogue, RatingScale(0.5, 5.0), pairs)
