import json

import pytest

from mfx.sweep.points import random_points
from mfx.sweep.space import Dimension
from mfx.sweep.storage import JOURNAL, StudyError
from mfx.sweep.study import Study

SPACE = [Dimension("model.a", "float", 0.0, 1.0, 0.5), Dimension("model.b", "float", 0.0, 1.0, 0.5)]
POINTS = random_points(SPACE, 1, 50)


def open_study(folder, higher_is_better=False):
    return Study(folder, None, higher_is_better, SPACE)


def complete(study, number, value):
    record = {"status": "complete", "value": value}
    (study.place(number) / "result.json").write_text(json.dumps(record))
    study.tell(number, record)


def test_trials_are_claimed_once_and_only_up_to_the_end(tmp_path):
    one, two = open_study(tmp_path), open_study(tmp_path)
    assert one.claim(2, 5, POINTS.__getitem__) == [0, 1]
    assert two.claim(2, 5, POINTS.__getitem__) == [2, 3]
    assert one.claim(9, 5, POINTS.__getitem__) == [4]
    assert two.claim(9, 5, POINTS.__getitem__) == []
    assert two.others_running()
    assert [dict(trial.params) for trial in two.trials()] == POINTS[:5]


def test_trials_of_a_dead_sweeper_are_taken_over_and_those_of_a_living_one_are_not(tmp_path):
    dead, alive = open_study(tmp_path), open_study(tmp_path)
    dead.claim(2, 9, POINTS.__getitem__)
    alive.claim(1, 9, POINTS.__getitem__)
    complete(dead, 0, 1.0)
    dead.close()
    late = open_study(tmp_path)
    assert late.claim(2, 9, POINTS.__getitem__) == [1, 3]
    assert late.owned_by_other(2)
    assert not late.owned_by_other(0)


def test_trials_of_another_folder_in_the_same_storage_are_refused(tmp_path):
    storage = f"sqlite:///{tmp_path / 'optuna.db'}"
    one = Study(tmp_path / "one" / "study", storage, False, SPACE)
    one.claim(2, 9, POINTS.__getitem__)
    one.refuse_foreign()
    other = Study(tmp_path / "other" / "study", storage, False, SPACE)
    with pytest.raises(StudyError, match=r"holds 2 trials that are not in .*other/study"):
        other.refuse_foreign()


@pytest.mark.parametrize("higher", [False, True])
def test_trials_are_ranked_by_direction_and_ties_by_number(tmp_path, higher):
    study = open_study(tmp_path, higher)
    study.claim(4, 4, POINTS.__getitem__)
    for number, value in enumerate([2.0, 1.0, 3.0, 1.0]):
        complete(study, number, value)
    assert [trial.number for trial in study.ranked()] == ([2, 0, 1, 3] if higher else [1, 3, 0, 2])
    assert [trial.number for trial in study.ranked(2)] == ([0, 1] if higher else [1, 0])


def test_the_setting_that_matters_is_the_important_one(tmp_path):
    study = open_study(tmp_path)
    study.claim(51, 51, POINTS.__getitem__)
    for number, point in enumerate(POINTS):
        complete(study, number, (point["model.b"] - 0.3) ** 2)
    shares = study.importances()
    assert shares["model.b"] > 0.8
    assert sum(shares.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("higher", [False, True])
def test_importances_are_those_of_the_best_trials_and_not_of_the_worst(tmp_path, higher):
    study = open_study(tmp_path, higher)
    study.claim(51, 51, POINTS.__getitem__)
    for number, point in enumerate(POINTS):
        worse = point["model.b"] if point["model.b"] < 0.4 else 10 + point["model.a"]
        complete(study, number, -worse if higher else worse)
    shares = study.importances()
    assert shares["model.b"] > 0.6, "b alone decides among the best, a alone among the worst"


def test_importances_are_equal_where_nothing_is_known(tmp_path):
    assert open_study(tmp_path).importances() == {"model.a": 0.5, "model.b": 0.5}


def test_a_line_that_a_kill_cut_short_is_dropped(tmp_path):
    study = open_study(tmp_path)
    study.claim(3, 9, POINTS.__getitem__)
    study.close()
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"op_code": 4, "wor')
    again = open_study(tmp_path)
    assert again.claim(4, 9, POINTS.__getitem__) == [0, 1, 2, 3]
    assert len(open_study(tmp_path).trials()) == 4
