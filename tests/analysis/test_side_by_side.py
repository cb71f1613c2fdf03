import csv

import pytest

import mfx
from mfx.analysis import pipeline, report, side_by_side
from mfx.analysis.finished_run import FinishedRun
from mfx.experiment import STAGES

LISTS = "metrics=[precision@1,precision@3,precision@5]"


@pytest.fixture
def runs(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    swept = ("model.learning_rate=0.02", "model.learning_rate=0.05", "split.fold=1", "evaluation.relevance_threshold=3")
    return [FinishedRun(mfx.run(*toy.choices, LISTS, "figures=true", one).directory) for one in swept]


def captions(figure):
    return " ".join(text.get_text().replace("\n", " ") for text in figure.texts)


def test_runs_on_one_split_become_curves_and_others_nothing(runs):
    drawn = side_by_side.figures(runs[:2], ["a", "b"])
    assert set(drawn) == {"gap", "precision"}
    points = [line.get_xydata().tolist() for line in drawn["precision"].axes[0].lines]
    assert points == [[[k, run.metrics[f"test/precision@{k}"]] for k in (1, 3, 5)] for run in runs[:2]]
    for figure in drawn.values():
        assert captions(figure).startswith("toy, toy_split split (")
    assert side_by_side.figures(runs[1:3], ["b", "c"]) == {}
    assert runs[3].split_fingerprint == runs[0].split_fingerprint
    assert side_by_side.figures([runs[0], runs[3]], ["a", "d"]) == {}, "they were evaluated by other settings"
    assert side_by_side.gap([runs[0], runs[3]], ["a", "d"], "") is None
    assert side_by_side.figures(runs[:1], ["a"]) == {}


def test_the_table_holds_what_runs_recorded_and_is_written_with_the_figures(runs, tmp_path):
    told = side_by_side.write(runs[:2], tmp_path / "summary")
    with (tmp_path / "summary" / "runs.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["precision@3"] for row in rows] == [f"{run.metrics['test/precision@3']:.4f}" for run in runs[:2]]
    assert "learning_rate=0.05" in rows[1]["model"]
    assert f"| {rows[1]['precision@3']} |" in told
    names = {path.name for path in (tmp_path / "summary" / "figures").iterdir()}
    assert names == {"gap.png", "gap.svg", "precision.png", "precision.svg"}


def test_stages_are_those_that_the_run_measured(runs):
    (run, *_) = runs
    found = pipeline.steps(run)
    assert [step.name for step in found] == list(STAGES)
    assert [step.seconds for step in found] == [run.metrics[f"seconds/{name}"] for name in STAGES]
    assert [step.worker for step in found[:3]] == ["toy", "toy_split", "toy_model"]
    assert f"{len(run.split.test):,} test" in found[1].does
    page = report.make([run], None, "mfx report last")
    assert "Stages: seconds and memory" in page.read_text(encoding="utf-8")
    assert (page.with_suffix("") / "pipeline.png").is_file()
