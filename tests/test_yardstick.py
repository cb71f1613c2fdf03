from types import SimpleNamespace

import pytest

import mfx
from mfx import yardstick
from mfx.metrics.evaluation import evaluate
from mfx.metrics.names import create_metrics
from mfx.testing import planted_ratings


@pytest.fixture
def run(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *overrides: mfx.run(*toy.choices, *overrides)


@pytest.mark.parametrize("setting", ["evaluation.candidates=unseen", "evaluation.candidates=unseen_rated"])
def test_popularity_is_counted_on_all_but_test_and_scored_on_test(run, setting):
    result = run("metrics=[rmse,ndcg@10,auc]", setting)
    seen, test = result.split.train_and_valid, result.split.test
    settings = mfx.EvaluationSettings(candidates=setting.partition("=")[2])
    alone = evaluate(mfx.Popularity().fit(seen), seen, test, create_metrics(["ndcg@10", "auc"]), settings)
    found = {name: value for name, value in result.metrics.items() if name.startswith(yardstick.PREFIX)}
    assert found == {f"popularity/{name}": value for name, value in alone.values.items()}
    assert set(found) == {"popularity/ndcg@10", "popularity/auc"}


def test_the_table_shows_popularity_beside_the_model(run, capsys):
    from mfx.cli import show

    result = run("metrics=[rmse,ndcg@10]")
    show.result(result)
    told = capsys.readouterr().out
    assert "popularity on test" in told
    row = next(line for line in told.splitlines() if "ndcg@10" in line)
    assert row.split()[-1] == f"{result.metrics['popularity/ndcg@10']:.4f}"


def test_ratings_alone_need_no_popularity_and_popularity_needs_none_either(run):
    for overrides in (["metrics=[rmse]"], ["model=popularity", "metrics=[ndcg@10]", "objective=ndcg@10"]):
        assert not any(name.startswith(yardstick.PREFIX) for name in run(*overrides).metrics)


@pytest.mark.parametrize("name", ["ndcg@10", "mean_rank"])
def test_a_model_is_called_worse_only_where_it_is(name):
    higher = name == "ndcg@10"
    plan = SimpleNamespace(
        metrics={name: SimpleNamespace(higher_is_better=higher)},
        config={"model": {"name": "als"}},
        model=SimpleNamespace(predicts="ratings"),
    )
    worse, better = (0.1, 0.3) if higher else (0.3, 0.1)
    popularity = {f"popularity/{name}": 0.2}
    (note,) = yardstick.notes(plan, {name: worse}, popularity)
    assert note.startswith(f"By {name} popularity is better than als: 0.2000 against {worse:.4f}.")
    assert "model=bpr" in note
    assert "popularity." not in note.partition("try a ranking model")[2]
    assert yardstick.notes(plan, {name: better}, popularity) == yardstick.notes(plan, {name: 0.2}, popularity) == []
    assert yardstick.notes(plan, {name: 0.2 + (worse - 0.2) * 1e-12}, popularity) == []
    plan.model.predicts = "ranking"
    (note,) = yardstick.notes(plan, {name: worse}, popularity)
    assert "try" not in note


def test_popularity_finds_the_same_lists_with_and_without_a_product(monkeypatch):
    train = planted_ratings()
    model = mfx.Popularity().fit(train)
    quick = model.recommend(k=10)
    monkeypatch.setattr(mfx.Popularity, "score_product", lambda *_: None)
    assert quick.equals(model.recommend(k=10))
