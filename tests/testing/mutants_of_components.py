"""One defect for each law of data sets, splits, metrics and trackers, in copies of the example plugin."""

from functools import partial

from mutation import Mutant, Plugin

FOLDER, MODULE = "tests/testing/example", "mfx_example/components.py"
CLUBS, LATEST, HIT_SHARE, LINES = (
    Plugin(FOLDER, MODULE, (f"tests/test_example.py::{name}",))
    for name in ("TestClubs", "TestLatest", "TestHitShare", "TestLines")
)

CROWD = Plugin(FOLDER, "mfx_example/crowd.py", ("tests/test_example.py::TestCrowd",))


def one(plugin, law, defect, *edits):
    return Mutant(plugin, defect, law, edits)


def of_settings(plugin, numbered, default, method):
    """Defects that any kind can have: `numbered` is a bounded setting, `default` its default, `method` the duty."""
    make = partial(one, plugin)
    before = f"    def {method}(self"
    return [
        make(
            "settings_can_be_composed",
            "a setting of a numpy type",
            (numbered, numbered.replace(": int", ": np.int64").replace(": float", ": np.float64")),
        ),
        make(
            "settings_round_trip",
            "a default that is out of bounds",
            (numbered, numbered.replace(f"setting({default},", "setting(-1,")),
        ),
        make(
            "settings_out_of_bounds_are_refused",
            "settings that are not checked",
            (
                numbered,
                f"{numbered}\n\n    def __post_init__(self) -> None:\n        pass",
            ),
        ),
        make(
            "it_is_of_its_kind",
            "a method that only instances have",
            (
                before,
                "    def __post_init__(self) -> None:\n        super().__post_init__()\n"
                f"        self.{method} = self._do\n\n"
                "    def _do(self",
            ),
        ),
    ]


DATASETS = [
    *of_settings(CLUBS, "members: int = mfx.setting(60, ge=2)", "60", "load"),
    one(
        CLUBS,
        "settings_round_trip",
        "a setting that is added to each time",
        (
            "    def load(self)",
            "    def __post_init__(self) -> None:\n        super().__post_init__()\n"
            '        self.label = f"members of {self.label}"\n\n    def load(self)',
        ),
    ),
    one(
        CLUBS,
        "it_loads_ratings",
        "no ratings",
        ("rng.random((self.members, 30)) < 0.4", "rng.random((self.members, 30)) > 1"),
    ),
    one(
        CLUBS,
        "it_loads_ratings",
        "a table instead of ratings",
        ("name=self.label,\n        )", "name=self.label,\n        ).values"),
    ),
    one(CLUBS, "ratings_are_on_their_scale", "a scale that starts too high", ("RatingScale(1.0", "RatingScale(2.0")),
    one(
        CLUBS,
        "loading_again_gives_the_same_ratings",
        "no seed",
        ("rng = np.random.default_rng(self.seed)", "rng = np.random.default_rng()"),
    ),
    one(
        CLUBS,
        "loads_do_not_share_arrays",
        "one table for everybody",
        (
            "    def load(self)",
            "    def load(self) -> mfx.Ratings:\n"
            '        if not hasattr(self, "kept_"):\n            self.kept_ = self.draw()\n'
            "        return dataclasses.replace(self.kept_)\n\n    def draw(self)",
        ),
        ("import json\n", "import dataclasses\nimport json\n"),
    ),
    one(
        CLUBS,
        "global_generators_are_left_alone",
        "the global generator",
        (
            "rng = np.random.default_rng(self.seed)\n        users",
            "rng = np.random.mtrand._rand\n        rng.seed(self.seed)\n        users",
        ),
        ("rng.integers(", "rng.randint("),
        ("rng.random((self.members, 30))", "rng.random_sample((self.members, 30))"),
    ),
    one(
        CLUBS,
        "everybody_in_the_catalogue_is_described",
        "users that are not there",
        ("mfx.Catalogue(np.arange(self.members)", "mfx.Catalogue(np.arange(10 * self.members)"),
    ),
    one(CLUBS, "it_has_a_name", "no name", ("            name=self.label,\n", "")),
    one(CLUBS, "timestamps_are_of_our_time", "tenths of a second", ("10**9 + 3600 *", "10**10 + 36_000 *")),
    one(
        CROWD,
        "reading_in_pieces_gives_the_same_ratings",
        "each piece takes the place of those before",
        ("            who, what", "            sink.restart()\n            who, what"),
    ),
]

SPLITS = [
    *of_settings(LATEST, "share: float = mfx.setting(0.6, gt=0.0, lt=1.0)", "0.6", "split"),
    one(LATEST, "parts_are_disjoint", "test takes the last of valid too", ("times > last\n", "times >= last\n")),
    one(
        LATEST,
        "parts_hold_nothing_but_the_ratings",
        "invented ratings, so that train is larger",
        (
            "mfx.Split(ratings.take(train), ",
            "mfx.Split(self.fill(ratings.take(train)), ",
        ),
        (
            "    def split(self",
            "    def fill(self, train: mfx.Ratings) -> mfx.Ratings:\n"
            "        known, values = train.catalogue, np.concatenate([train.values, train.values + 10])\n"
            "        raw = known.user_ids[train.users], known.item_ids[train.items]\n"
            "        users, items, times = (np.tile(one, 2) for one in (*raw, train.timestamps))\n"
            "        about = {'catalogue': known, 'name': train.name, 'time_unit': train.time_unit}\n"
            "        return mfx.Ratings.from_columns(users, items, values, times, **about)\n\n"
            "    def split(self",
        ),
    ),
    one(LATEST, "parts_are_complete", "ratings at the cut get lost", ("times <= moment", "times < moment")),
    one(
        LATEST,
        "parts_share_the_catalogue",
        "a catalogue of its own",
        (
            "return mfx.Split(ratings.take(train), ratings.take(valid), ",
            "own = dataclasses.replace(ratings, catalogue=dataclasses.replace(ratings.catalogue))\n"
            "        return mfx.Split(ratings.take(train), own.take(valid), ",
        ),
        ("import json\n", "import dataclasses\nimport json\n"),
    ),
    one(
        LATEST,
        "the_unit_of_time_is_passed_on",
        "parts that count seconds whatever the ratings count",
        (
            "return mfx.Split(ratings",
            'ratings = dataclasses.replace(ratings, time_unit="s")\n        return mfx.Split(ratings',
        ),
        ("import json\n", "import dataclasses\nimport json\n"),
    ),
    one(
        LATEST,
        "train_and_test_are_not_empty",
        "all that is not test is valid",
        ("ratings.take(train), ratings.take(valid)", "ratings.take(train & False), ratings.take(train | valid)"),
    ),
    one(
        LATEST,
        "the_order_of_rows_does_not_matter",
        "lots that go by how many ratings were divided before",
        # Keeping the ratings keeps their ids from being given out again.
        (
            "default_rng(self.seed).uniform",
            "default_rng([self.seed, SEEN.setdefault(id(ratings), (len(SEEN), ratings))[0]]).uniform",
        ),
        ("import json\n", "import json\n\nSEEN = {}\n"),
    ),
    one(
        LATEST,
        "titles_and_what_nobody_rated_do_not_matter",
        "lots that go by the size of the catalogue",
        ("default_rng(self.seed).uniform", "default_rng([self.seed, ratings.n_items]).uniform"),
    ),
    one(
        LATEST,
        "the_way_ids_are_stored_does_not_matter",
        "lots that go by the type of ids",
        (
            "default_rng(self.seed).uniform",
            "default_rng([self.seed, ord(ratings.catalogue.item_ids.dtype.kind)]).uniform",
        ),
    ),
    one(
        LATEST,
        "added_ratings_move_few_others",
        "lots that go by the number of ratings",
        ("uniform(0.2, 0.8)", "uniform(*((0.2, 0.3), (0.7, 0.8))[len(ratings) % 2])"),
    ),
    one(
        LATEST,
        "the_same_settings_give_the_same_parts",
        "no seed",
        (
            "np.random.default_rng(self.seed).uniform(0.2, 0.8)",
            '(0.3, 0.7)[(mfx.__dict__.setdefault("_lots", []).append(0) or len(mfx.__dict__["_lots"])) % 2]',
        ),
    ),
    one(
        LATEST,
        "global_generators_are_left_alone",
        "the global generator",
        ("np.random.default_rng(self.seed).uniform", "np.random.seed(self.seed) or np.random.uniform"),
    ),
    one(
        LATEST, "the_seed_decides", "always the same lots", ("default_rng(self.seed).uniform", "default_rng(0).uniform")
    ),
    one(
        LATEST,
        "splitting_leaves_the_ratings_alone",
        "outliers clipped in place",
        (
            "        times = ratings.timestamps\n",
            "        times = ratings.timestamps\n        np.clip(ratings.values, 2, 4, out=ratings.values)\n",
        ),
    ),
    one(
        LATEST,
        "held_out_ratings_are_not_older_than_history",
        "items instead of times decide on train",
        (
            "train, valid, test = times <= moment, (times > moment) & (times <= last), times > last",
            "train = ratings.catalogue.item_hashes[ratings.items] % 2 == 0\n"
            "        valid, test = ~train & (times <= last), ~train & (times > last)",
        ),
    ),
    one(
        LATEST,
        "missing_timestamps_are_refused",
        "the order of rows instead of times",
        (
            '            raise mfx.SplitError("There are no timestamps.", "Use split=random.")',
            "            times = np.arange(len(ratings))",
        ),
    ),
    one(
        LATEST,
        "nothing_to_split_is_refused",
        "empty parts",
        (
            'raise mfx.SplitError("There is nothing to split.")',
            'return mfx.Split(ratings, ratings, ratings, "nothing")',
        ),
    ),
    one(LATEST, "the_rule_is_one_line", "two lines", ("{moment:.0f}, test", "{moment:.0f},\\ntest")),
]

METRICS = [
    *of_settings(HIT_SHARE, "k: int = mfx.setting(3, ge=1)", "3", "value"),
    one(
        HIT_SHARE,
        "values_are_within_bounds",
        "users weighed by what they have, divided as if they had k",
        (
            "float(self.per_user(outcome).mean())",
            "float((self.per_user(outcome) * outcome.relevant.counts).mean() / self.k)",
        ),
    ),
    one(
        HIT_SHARE, "a_perfect_model_gets_the_perfect_value", "divided by one too many", (" / self.k", " / (self.k + 1)")
    ),
    one(
        HIT_SHARE,
        "the_worst_ranking_gets_the_worst_value",
        "smoothed",
        ("hits.sum(axis=1) / self.k", "(hits.sum(axis=1) + 1) / (self.k + 1)"),
    ),
    one(
        HIT_SHARE,
        "the_direction_is_the_declared_one",
        "the wrong direction",
        ("higher_is_better: ClassVar[bool] = True", "higher_is_better: ClassVar[bool] = False"),
    ),
    one(
        HIT_SHARE,
        "names_of_users_do_not_matter",
        "the first users count more",
        (
            "float(self.per_user(outcome).mean())",
            "float(np.average(self.per_user(outcome), weights=1 / (1 + outcome.users)))",
        ),
    ),
    one(
        HIT_SHARE,
        "names_of_items_do_not_matter",
        "the first items count more",
        (
            "hits.sum(axis=1) / self.k",
            "np.average(hits, axis=1, weights=1 / (1 + outcome.items[:, : self.k]))",
        ),
    ),
    one(
        HIT_SHARE,
        "the_same_outcome_has_the_same_value",
        "a running mean",
        (
            "        return float(self.per_user(outcome).mean())",
            '        self.values_ = [*getattr(self, "values_", []), self.per_user(outcome).mean()]\n'
            "        return float(np.mean(self.values_))",
        ),
    ),
    one(
        HIT_SHARE,
        "values_of_users_are_one_a_user",
        "users without hits left out",
        ("        return found\n", "        return found[found > 0]\n"),
        ("float(self.per_user(outcome).mean())", "float(self.per_user(outcome).sum() / outcome.users.size)"),
    ),
    one(
        HIT_SHARE,
        "it_does_not_write_to_what_it_is_given",
        "hits sorted in place",
        ("        found: mfx.DoubleArray", "        hits.sort(axis=1)\n        found: mfx.DoubleArray"),
    ),
]

TRACKERS = [
    *of_settings(LINES, "together: int = mfx.setting(1, ge=1)", "1", "start"),
    one(LINES, "a_run_has_an_id_of_its_own", "ids that are names", ("uuid.uuid4().hex", "info.name")),
    one(
        LINES,
        "it_takes_everything_that_a_run_tells",
        "labels that may not be long",
        (
            '        self._write({"tags": dict(tags)})',
            "        if max(map(len, tags.values())) > 500:\n"
            '            raise mfx.TrackingError("A label is too long.")\n'
            '        self._write({"tags": dict(tags)})',
        ),
    ),
    one(
        LINES,
        "a_run_can_end_in_every_way",
        "no word for one of the ends",
        (', "KILLED": "killed"', ""),
    ),
    one(
        LINES,
        "where_to_look_is_one_line",
        "two lines",
        ("return str(self.path)", 'return f"{self.path}:\\n{self.path.stat().st_size} bytes"'),
    ),
    one(
        LINES,
        "runs_can_be_grouped",
        "parents that must have ended",
        (
            "        folder.mkdir(parents",
            '        if info.parent and "status" not in (folder / f"{info.parent}.jsonl").read_text():\n'
            '            raise mfx.TrackingError("The parent is not there.")\n'
            "        folder.mkdir(parents",
        ),
    ),
    one(
        LINES,
        "it_works_from_another_thread",
        "a signal handler, which only the main thread may set",
        (
            '        """Open the file of a run."""\n',
            '        """Open the file of a run."""\n        signal.signal(signal.SIGTERM, signal.SIG_DFL)\n',
        ),
        ("import shutil\n", "import shutil\nimport signal\n"),
    ),
    one(LINES, "recording_leaves_the_folder_alone", "files moved", ("shutil.copy(", "shutil.move(")),
    one(
        LINES,
        "what_was_recorded_can_be_read_back",
        "the last lines are not written",
        ("        self.together = 1\n", ""),
    ),
]

COMPONENTS = {"dataset": DATASETS, "split": SPLITS, "metric": METRICS, "tracking": TRACKERS}
