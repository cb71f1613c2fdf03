import csv
import json
import re
from html.parser import HTMLParser

import pytest
from mlflow.tracking import MlflowClient

from mfx.analysis.explore import study
from mfx.analysis.explore.plan import plan
from mfx.compose import ConfigError
from mfx.errors import MFXError

TOY = ("dataset=toy", "split=toy_split", "tracking=toy_tracking")
FIGURES = {
    "rating_distribution", "top_users", "top_items", "degrees", "degrees_by_part", "popularity", "ratings_per_month",
    "top_users_and_items", "mean_ratings", "best_rated", "sparse_layout",
}  # fmt: skip
GENRES = {"genres", "genres_together"}
HEADINGS = [
    "Summary", "Rating distribution", "Most active users, most rated items", "Users and items by number of ratings",
    "After the split", "Popularity and mean rating", "Ratings over time", "The densest corner of the table",
    "Mean ratings of items", "Genres", "Best rated items and tags", "Index and sparse layouts", "Settings",
    "Make it again",
]  # fmt: skip


class Page(HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.headings, self.images, self.fetched, self.tag = [], [], [], ""
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag, attrs):
        self.tag = tag
        given = dict(attrs)
        if tag == "img":
            self.images.append(given["alt"])
        self.fetched += [v for k in ("src", "href") if (v := given.get(k)) and not v.startswith(("data:", "#"))]

    def handle_data(self, data):
        if self.tag == "h2":
            self.headings.append(data)
        self.tag = ""


def table(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.slow
def test_real_ratings_end_to_end_with_mlflow(cli):
    done = cli("explore", "explore.top=4", "run_name=look", "tags.why=test")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "100,004 ratings of 9,066 items by 671 users" in done.stdout
    (path,) = cli.folder.glob("runs/*/*_look_*/explore.html")
    assert str(path) in done.stdout
    page = Page(path)
    assert page.headings == HEADINGS
    assert len(page.images) == len(FIGURES | GENRES)
    assert all(len(alt) > 30 for alt in page.images)
    assert page.fetched == []
    assert "mfx explore explore.top=4 run_name=look tags.why=test" in page.text
    files = {one.name for one in (path.parent / "figures").iterdir()}
    assert {f"{name}.{kind}" for name in FIGURES | GENRES for kind in ("png", "svg", "csv")} <= files
    assert not [name for name in files if name.startswith(".")]
    numbers = path.parent / "figures"
    assert table(numbers / "top_items.csv")[0] == {
        "rank": "1", "item_id": "356", "title": "Forrest Gump (1994)", "ratings": "341",
    }  # fmt: skip
    assert max(table(numbers / "rating_distribution.csv"), key=lambda row: int(row["count"]))["rating"] == "4"
    assert sum(int(row["ratings"]) for row in table(numbers / "ratings_per_month.csv")) == 100_004
    sizes = {row["part"]: int(row["ratings"]) for row in table(numbers / "degrees_by_part_sizes.csv")}
    assert sizes == {"train": 72504, "valid": 7747, "test": 19753}
    client = MlflowClient(f"sqlite:///{cli.folder}/runs/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("mfx").experiment_id], "tags.explore = 'true'")
    assert (run.info.status, run.info.run_name) == ("FINISHED", "look")
    assert run.data.metrics["data/ratings"] == 100_004
    assert run.data.params["dataset.name"] == "movielens_demo"
    assert run.data.params["explore.top"] == "4"
    assert not [name for name in run.data.params if name.startswith("model")]
    assert run.data.tags["split_rule"].startswith("temporal")
    assert {one.path for one in client.list_artifacts(run.info.run_id)} >= {"explore.html", "figures", "config.yaml"}


def test_json_prints_the_summary_and_nothing_else(cli):
    done = cli("explore", *TOY, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["summary"]["users"] == 60
    written = json.loads((cli.folder / told["directory"] / "metrics.json").read_text())
    assert written["data/ratings"] == told["summary"]["ratings"]
    page = Page(cli.folder / told["page"])
    assert page.headings == HEADINGS
    names = {one.stem for one in (cli.folder / told["directory"] / "figures").glob("*.svg")}
    assert names == FIGURES - {"best_rated"}
    assert len(page.images) == len(names)
    for words in ("This data set tells no genres.", "This data set has no tags.", "0 items have at least 50 ratings."):
        assert words in page.text


def test_cfg_shows_what_is_read_and_does_nothing(cli):
    done = cli("explore", *TOY, "explore.top=3", "--cfg", "job")
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^(\w+):", done.stdout, flags=re.MULTILINE) == [
        "dataset", "split", "tracking", "seed", "experiment_name", "run_name", "tags", "explore",
    ]  # fmt: skip
    assert "top: 3" in done.stdout
    assert not (cli.folder / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "part"),
    [
        (["explore", "dataset=toyy"], 2, "Did you mean 'toy'?"),
        (["explore", "--jsno"], 2, "Did you mean '--json'?"),
        (["explore", *TOY, "dataset.fails=true"], 1, "The toy data set is broken."),
    ],
)
def test_errors_are_one_line(cli, arguments, status, part):
    done = cli(*arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.count("\n") == 1
    assert part in done.stderr


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("explore.tpo=3", "'explore' has no setting 'tpo'. Did you mean 'top'?"),
        ("explore.top=abc", "explore.top: 'abc' is not a whole number"),
        ("explore.top=0", "ExploreSettings.top=0 must be at least 1"),
        ("explore=3", "'explore=3' sets nothing"),
        ("model=als", "'model=als' would change nothing: mfx explore reads no model"),
        ("metrics=[rmse]", "mfx explore reads no metrics"),
        ("hydra.run.dir=x", "mfx explore reads no hydra"),
        ("datset=toy", "There is no setting or group 'datset'. Did you mean 'dataset'?"),
        ("split=random,temporal", "'split=random,temporal' gives several values"),
        ("split.fractoin=0.3", "'split' has no setting 'fractoin'"),
        ("seed=-1", "seed=-1 must be at least 0"),
        ("explore", "'explore' is not an override that can be read"),
    ],
)
def test_what_is_wrong_is_said_before_data_is_read(override, message):
    with pytest.raises(MFXError) as caught:
        plan([override])
    assert message in str(caught.value)


def test_a_plan_reads_what_it_was_given():
    made = plan(["dataset=synthetic", "dataset.preset=tiny", "split=random", "explore.corner=7", "seed=9"])
    assert made.settings.corner == 7
    assert made.dataset.seed == made.splitter.seed == 9
    assert made.name == "explore_synthetic_tiny"
    assert made.command == ("mfx explore dataset=synthetic dataset.preset=tiny split=random explore.corner=7 seed=9")
    assert plan(["run_name=mine"]).name == "mine"


def test_presets_and_experiments_are_found(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "small.yaml").write_text("# @package _global_\ndefaults: [{override /split: random}]\n")
    made = plan(["experiment=small"], tmp_path)
    assert type(made.splitter).__name__ == "RandomSplit"
    assert made.command == f"mfx explore --config-dir {tmp_path} experiment=small"
    with pytest.raises(ConfigError, match="several values"):
        plan(["experiment=small", "seed=1,2"], tmp_path)


@pytest.mark.slow
def test_the_same_data_give_the_same_page(tmp_path, toy, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, second = (study.run(*TOY, "explore.genres=0") for _ in range(2))
    for name in ("degrees.svg", "popularity.png", "mean_ratings.csv", "top_users_and_items.csv"):
        assert (first.directory / "figures" / name).read_bytes() == (second.directory / "figures" / name).read_bytes()
    assert first.summary == second.summary
    assert first.directory != second.directory
