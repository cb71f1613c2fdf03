import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import mfx
from mfx.analysis import compare_files, report
from mfx.analysis.compare import compare
from mfx.analysis.finished_run import FinishedRun, RunError
from mfx.analysis.paired import differences
from mfx.analysis.protocol import ONE_MODEL
from mfx.analysis.same_split import label
from mfx.analysis.slices import half_of_the_ratings
from mfx.cli.main import main
from mfx.testing import planted_ratings

QUIET = ("tracking=console", "figures=false", "metrics=[rmse,ndcg@10]")
RUNS = {
    "bias": ("model=bias", *QUIET),
    "als": ("model=als", *QUIET),
    "als again": ("model=als", "seed=7", *QUIET),
    "bpr": ("model=bpr", "model.epochs=3", *QUIET),
    "random": ("model=bias", "split=random", *QUIET),
    "seven, split 42": ("model=bias", "split=random", "run_name=seven_42", "seed=7", "split.seed=42", *QUIET),
    "seven": ("model=bias", "split=random", "run_name=seven", "seed=7", *QUIET),
    "liked": ("model=als", "run_name=liked", "seed=3", "evaluation.relevance_threshold=4", *QUIET),
    "graded": ("model=als", "run_name=graded", "seed=4", "evaluation.ndcg.gain=rating", "objective=ndcg@10", *QUIET),
    "sampled": ("model=als", "run_name=sampled_als", "evaluation.candidates=50", *QUIET),
    "sampled bias": ("model=bias", "run_name=sampled_bias", "evaluation.candidates=50", *QUIET),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with finished runs on real ratings."""
    folder, before = tmp_path_factory.mktemp("work"), Path.cwd()
    os.chdir(folder)
    try:
        made = {name: FinishedRun(mfx.run(*overrides).directory) for name, overrides in RUNS.items()}
    finally:
        os.chdir(before)
    return folder, made


@pytest.fixture
def runs(place, monkeypatch):
    folder, made = place
    monkeypatch.chdir(folder)
    return made


def the_test(outcome, metric, where=""):
    (found,) = [one for one in (*outcome.tests, *outcome.slice_tests) if (one.metric, one.where) == (metric, where)]
    return found


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Runs of models on a table of ratings, whose file of items is written anew before each."""
    monkeypatch.chdir(tmp_path)
    ratings = planted_ratings(80, 40, unrated=0)
    users, items = ratings.catalogue.user_ids[ratings.users], ratings.catalogue.item_ids[ratings.items]
    times = np.random.default_rng(0).permutation(len(ratings))
    rows = zip(users, items, ratings.values, times, strict=True)
    text = "".join(f"{user},{item},{value},{time}\n" for user, item, value, time in rows)
    Path("ratings.csv").write_text("user_id,item_id,rating,timestamp\n" + text)

    def run(model, item_ids, genre):
        lines = [f"{item},Title {item},{genre if item % 3 else 'Other'}\n" for item in item_ids]
        Path("items.csv").write_text("item_id,title,genres\n" + "".join(lines))
        where = ("dataset=table", "dataset.path=ratings.csv")
        quick = ("split=temporal", "model.epochs=3", "run_name=" + model)
        return FinishedRun(mfx.run(*where, "dataset.items_path=items.csv", *quick, f"model={model}", *QUIET).directory)

    rated = ratings.catalogue.item_ids.tolist()
    return run, rated, sorted([*rated, *range(1001, 1081, 4)])


def test_runs_on_equal_rows_are_compared_whatever_catalogue_they_had(table):
    run, rated, more = table
    als, bias = run("als", rated, "Drama"), run("bias", rated, "Drama")
    expected = compare([als, bias])
    assert expected.notes == []
    again = run("bias", more, "Comedy")  # the file of items of the other runs is gone
    assert als.fingerprints["split"] == again.fingerprints["split"]
    assert als.fingerprints["rows"] == again.fingerprints["rows"]
    for order in ([als, again], [again, als]):
        found = compare([FinishedRun(one.folder) for one in order])
        for one, scores in zip(order, found.scores, strict=True):
            recorded = {name: one.metrics[f"test/{name}"] for name in ("rmse", "ndcg@10")}
            assert scores.values == pytest.approx(recorded, rel=1e-6), "each model ranks the items that it knows"
        for where in ("", "tail items", "head items", "light users", "heavy users"):
            same, one = the_test(expected, "rmse", where), the_test(found, "rmse", where)
            assert abs(one.difference.value) == pytest.approx(abs(same.difference.value), rel=1e-6)
            assert one.difference.users == same.difference.users
        assert [name for name in found.slices if name in ("Drama", "Comedy")] == [
            "Drama" if order[0] is als else "Comedy"
        ], "genres are those of the first run"
        (note,) = found.notes
        assert f"has {len(rated if order[1] is als else more)} items" in note
    assert ONE_MODEL not in compare([bias, again]).notes, "another catalogue is another model, not another seed"
    assert ONE_MODEL in compare([bias, run("bias", rated, "Drama")]).notes
    found = the_test(compare([als, again]), "rmse", "Drama")
    assert found.difference.value == pytest.approx(the_test(expected, "rmse", "Drama").difference.value, rel=1e-6)


def test_als_is_better_than_bias_and_bias_worse_than_als(runs):
    better = the_test(compare([runs["bias"], runs["als"]]), "rmse")
    assert better.better is True
    assert better.difference.high < 0
    worse = the_test(compare([runs["als"], runs["bias"]]), "rmse")
    assert worse.better is False
    assert worse.difference.value == -better.difference.value


def test_no_difference_between_two_seeds_of_one_model(runs):
    outcome = compare([runs["als"], runs["als again"]], metrics=["rmse"])
    assert outcome.labels == ["als_temporal seed=42", "als_temporal seed=7"]
    assert outcome.settings == {"seed": ["42", "7"]}
    assert [one.run for one in (*outcome.tests, *outcome.slice_tests) if one.better is not None] == []
    assert the_test(outcome, "rmse").difference.value != 0
    assert [note for note in outcome.notes if "fits of one model with other seeds" in note] == outcome.notes


def test_runs_of_several_seeds_are_fits_of_one_model(runs):
    outcome = compare([runs["bias"], runs["als"], runs["als again"]], metrics=["rmse"])
    assert outcome.models == {"bias_temporal": [0], "als_temporal (2 seeds)": [1, 2]}
    assert {one.run for one in (*outcome.tests, *outcome.slice_tests)} == {"als_temporal (2 seeds)"}
    of_bias, *of_als = (one.values["rmse"] for one in outcome.scores)
    found = the_test(outcome, "rmse")
    assert found.better is True
    assert found.difference.value == pytest.approx(sum(of_als) / 2 - of_bias)
    assert outcome.as_json()["runs"][2]["model"] == "als_temporal (2 seeds)"
    assert any("Users of test and fits of a model count as drawn at random" in line for line in outcome.protocol)
    assert any(line.startswith("One fit only of bias_temporal: ") for line in outcome.protocol)


def test_of_rankings_higher_is_better(runs):
    found = the_test(compare([runs["als"], runs["bpr"]]), "ndcg@10")
    assert (found.better, found.verdict) == (True, "better")
    assert found.difference.value > 0
    found = the_test(compare([runs["bpr"], runs["als"]]), "ndcg@10")
    assert (found.better, found.verdict) == (False, "worse")


def test_slices_are_cut_by_what_was_known_before_test(runs):
    outcome, split = compare([runs["bias"], runs["als"]], metrics=["rmse"]), runs["bias"].split
    by = {part: half_of_the_ratings(getattr(split, part).item_counts) for part in ("train_and_valid", "test")}
    ratings = {part: int(head[split.test.items].sum()) for part, head in by.items()}
    assert outcome.slices["head items"]["ratings"] == ratings["train_and_valid"] != ratings["test"]


def test_a_model_with_one_fit_is_named(runs):
    (line,) = [line for line in compare([runs["bias"], runs["als"]]).protocol if "One fit only" in line]
    assert line.startswith("One fit only of bias_temporal, als_temporal: ")
    assert "seed=1,2,3,4,5." in line


@pytest.mark.parametrize(
    ("other", "differing"),
    [
        ("liked", {"evaluation.relevance_threshold": ["null", "4.0"]}),
        ("graded", {"evaluation.ndcg.gain": ["binary", "rating"], "objective": ["rmse", "ndcg@10"]}),
    ],
)
def test_runs_that_differ_in_evaluation_are_no_fits_of_one_model(runs, other, differing):
    outcome = compare([runs["als"], runs[other]])
    assert outcome.settings == {**differing, "seed": ["42", outcome.settings["seed"][1]]}
    assert not any("fits of one model" in note for note in outcome.notes)
    (note,) = outcome.notes
    for name, values in differing.items():
        assert not name.startswith("evaluation") or f"{name}={values[1]} ({values[0]})" in note
    assert "as all are scored here" in note or "by which all are scored here" in note
    together = compare([runs["als"], runs["als again"], runs[other]])
    assert [len(places) for places in together.models.values()] == [2, 1]


def test_all_runs_are_scored_by_the_settings_of_the_first(runs):
    """Also metrics that only another run reports, or that are asked for by name."""
    first = compare([runs["graded"], runs["als"]], metrics=["ndcg@10", "ndcg@5"])
    assert {metric.gain for metric in first.metrics.values()} == {"rating"}
    assert first.scores[0].values["ndcg@10"] == pytest.approx(runs["graded"].metrics["test/ndcg@10"])
    assert first.scores[1].values["ndcg@10"] != pytest.approx(runs["als"].metrics["test/ndcg@10"])


def test_one_split_and_several_fits_is_what_the_refusal_says(runs):
    with pytest.raises(RunError, match="different splits: seed is 42 and 7") as refused:
        compare([runs["random"], runs["seven"]])
    assert "give every run split.seed=42 beside its own seed" in refused.value.hint
    assert len(compare([runs["random"], runs["seven, split 42"]], metrics=["rmse"]).runs) == 2


def test_full_lists_and_sampled_candidates_are_not_compared(runs):
    with pytest.raises(RunError, match=r"candidates=unseen, sampled_als with 50: full lists and sampled candidates"):
        compare([runs["als"], runs["sampled"]])


def test_sampled_candidates_are_compared_by_their_own_name_and_cut_into_slices(runs):
    outcome = compare([runs["sampled bias"], runs["sampled"]])
    assert outcome.notes == []
    assert set(outcome.scores[0].values) == {"rmse", "ndcg@10_sampled_50"}
    assert outcome.scores[0].values["ndcg@10_sampled_50"] == runs["sampled bias"].metrics["test/ndcg@10_sampled_50"]
    assert "Not full lists: each relevant item is ranked among 50 items" in outcome.protocol[1]
    assert outcome.scores[0].curve == {}
    named = compare([runs["sampled bias"], runs["sampled"]], metrics=["hit_rate@10"])
    assert list(named.metrics) == ["hit_rate@10_sampled_50"]
    parts = [value for (_, where), value in named.scores[0].sliced.items() if where.endswith("items")]
    whole = named.scores[0].per_user["hit_rate@10_sampled_50"]
    assert parts
    assert all(one.counts.sum() < whole.counts.sum() + 1 for one in parts)


def test_saved_models_score_what_their_runs_recorded(runs):
    outcome = compare([runs["bias"], runs["als"], runs["bpr"]])
    assert outcome.notes == []
    assert outcome.scores[0].values["rmse"] == pytest.approx(runs["bias"].metrics["test/rmse"], rel=1e-6)
    assert "rmse" in outcome.scores[2].skipped
    tests = {(one.metric, one.run) for one in outcome.tests}
    assert tests == {("rmse", "als_temporal"), ("ndcg@10", "als_temporal"), ("ndcg@10", "bpr_temporal")}
    assert outcome.settings["model.name"] == ["bias", "als", "bpr"]


def test_a_model_that_is_not_the_one_that_was_scored_is_told(runs, tmp_path):
    forged = tmp_path / "forged"
    shutil.copytree(runs["als"].folder, forged)
    shutil.rmtree(forged / "model")
    shutil.copytree(runs["bias"].folder / "model", forged / "model")
    (note, *_) = compare([runs["als again"], FinishedRun(forged)], metrics=["rmse"]).notes
    assert "recorded rmse" in note


def test_other_splits_are_refused_with_the_reason(runs):
    with pytest.raises(RunError, match=r"different splits: split\.name is temporal and random"):
        compare([runs["bias"], runs["random"]])


def test_one_run_or_the_same_twice_is_no_comparison(runs):
    for some in ([runs["bias"]], [runs["bias"], runs["bias"]]):
        with pytest.raises(RunError, match="at least two different runs"):
            compare(some)


def test_labels_are_distinct(runs):
    copies = [runs["als"], runs["als again"], runs["als"]]
    assert len(set(label([runs["bias"], runs["als"], runs["als again"]]))) == 3
    assert label(copies)[1].startswith("als_temporal seed=7")


def test_numbers_are_json_and_figures_are_there(runs):
    outcome = compare([runs["bias"], runs["als"]])
    found = json.loads(json.dumps(outcome.as_json(), allow_nan=False))
    assert found["against"] == outcome.labels[0]
    assert {one["slice"] for one in found["slice_tests"]} >= {"cold items", "tail items", "head items", "heavy users"}
    folder = compare_files.folder_of(outcome.runs)
    compare_files.write(outcome, folder)
    names = {path.name for path in folder.iterdir()}
    assert names >= {f"{name}.{kind}" for name in ("difference_rmse", "precision", "gap") for kind in ("png", "svg")}
    assert json.loads((folder / "comparison.json").read_text()) == found


def test_the_command_prints_a_verdict_and_its_json_nothing_else(runs, capsys):
    assert main(["compare", str(runs["bias"].folder), runs["als"].folder.name, "metrics=rmse"]) == 0
    said = capsys.readouterr().out
    assert "better" in said
    assert "ndcg" not in said
    assert main(["compare", str(runs["bias"].folder), runs["als"].folder.name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["against"] == "bias_temporal"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "Which runs?"),
        (["nosuch", "last"], "There is no run 'nosuch'"),
        (["last"], "at least two different runs"),
        (["last", "last", "metric=rmse"], "Did you mean 'metrics'?"),
        (["last", "last", "seed=3"], "There is no setting 'seed'"),
        (["a", "b", "--jsn"], "Did you mean '--json'?"),
        (["als_temporal", "bias_temporal", "metrics=nosuch"], "nosuch"),
        (["bias_temporal", "bias_random"], "different splits"),
    ],
)
def test_mistakes_cost_one_line(runs, arguments, told, capsys):
    assert main(["compare", *arguments]) in (1, 2)
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("mfx: ")
    assert told in line or "2 runs are called" in line


def test_a_report_says_everything_and_loads_nothing(runs):
    pages = {
        "one": report.make([runs["als"]], None, "mfx report last"),
        "some": report.make([runs["bias"], runs["als"], runs["random"]], None, "mfx report a b c"),
    }
    for path in pages.values():
        text = path.read_text(encoding="utf-8")
        assert "default-src 'none'" in text
        assert "mfx dataset=movielens_demo split=temporal model=als" in text
        assert f"{runs['als'].metrics['test/rmse']:.4f}" in text
        assert "cold item ratings" in text
    some = pages["some"].read_text(encoding="utf-8")
    assert "Differences to bias_temporal" in some
    assert "Data and split: movielens_demo, random split" in some
    assert "data:image/svg+xml" in some


def test_mistakes_about_reports(runs, capsys):
    for arguments, told in (
        ([], "A report of what?"),
        (["nosuch"], "no run 'nosuch'"),
        (["last", "k=3"], "no setting"),
    ):
        assert main(["report", *arguments]) in (1, 2)
        assert told in capsys.readouterr().err


@pytest.mark.slow
def test_seeds_of_one_model_are_no_different_models_alone_or_together(place, monkeypatch):
    folder, made = place
    monkeypatch.chdir(folder)
    metrics = ("tracking=console", "figures=false", "metrics=[rmse,recall@10,ndcg@10]")
    fits = [FinishedRun(mfx.run("model=als", f"seed={seed}", *metrics).directory) for seed in range(1, 11)]
    scores = []
    for one, other in zip(fits[::2], fits[1::2], strict=True):
        outcome = compare([one, other])
        assert {found.better for found in (*outcome.tests, *outcome.slice_tests)} == {None}
        scores += [found.per_user for found in outcome.scores]
    # Without being told what they are, five fits are not taken for another model than the other five.
    pairs = [([one[name] for one in scores[::2]], [one[name] for one in scores[1::2]]) for name in scores[0]]
    assert [found for found in differences(pairs) if found.certain] == []
    (found,) = [one for one in compare([made["bias"], *fits]).tests if one.metric == "rmse"]
    assert (found.run, found.better) == ("als_temporal (10 seeds)", True)
