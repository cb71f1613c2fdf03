"""One defect for each law of models, in copies of the plugins mfx-ials and mfx-ease."""

from mutation import Mutant, Plugin

IALS = Plugin("plugins/mfx-ials", "mfx_ials/models.py", ("tests/test_ials.py::TestIALS",))
EASE = Plugin("plugins/mfx-ease", "mfx_ease/models.py", ("tests/test_ease.py::TestMoreUsers",))


def one(plugin, law, defect, *edits):
    return Mutant(plugin, defect, law, edits)


def method(lines):
    """Edit that puts a method into IALS, before the first of its private ones."""
    before = "    def _solve(\n"
    return before, f"{lines}\n\n{before}"


MODELS = [
    one(
        IALS,
        "settings_round_trip",
        "a default that is out of bounds",
        (
            "factors: int = mfx.tunable(64, low=8, high=256, log=True, ge=1)",
            "factors: int = mfx.setting(64, ge=1, le=32)",
        ),
    ),
    one(
        IALS,
        "settings_round_trip",
        "a setting that grows each time",
        method(
            "    def __post_init__(self) -> None:\n"
            "        super().__post_init__()\n"
            "        if self.positive_threshold is not None:\n"
            "            self.positive_threshold += 1e-9"
        ),
    ),
    one(
        IALS,
        "settings_can_be_composed",
        "a setting of a numpy type",
        ("positive_threshold: float | None", "positive_threshold: np.float32 | None"),
    ),
    one(
        IALS,
        "settings_out_of_bounds_are_refused",
        "settings that are not checked",
        method("    def __post_init__(self) -> None:\n        pass"),
    ),
    one(IALS, "it_is_of_its_kind", "a third sort of scores", ('] = "ranking"', '] = "order"')),
    one(
        IALS,
        "fitting_returns_the_model_and_keeps_its_settings",
        "a fitted copy",
        method(
            "    def fit(self, train, *, on_epoch=None):\n"
            "        import copy\n\n"
            "        return copy.copy(super().fit(train, on_epoch=on_epoch))"
        ),
    ),
    one(
        EASE,
        "fitting_returns_the_model_and_keeps_its_settings",
        "a setting that the data decide",
        ("        self._remember(train)\n", "        self._remember(train)\n        self.max_side = side\n"),
    ),
    one(
        IALS,
        "fitting_leaves_the_ratings_alone",
        "ratings that do not count set to 0",
        (
            "        keep = self._counts(train.values)\n",
            "        keep = self._counts(train.values)\n        train.values[~keep] = 0.0\n",
        ),
    ),
    one(
        IALS,
        "no_ratings_are_refused",
        "a fit of nothing",
        method(
            "    def fit(self, train, *, on_epoch=None):\n"
            "        return super().fit(train, on_epoch=on_epoch) if len(train) else self"
        ),
    ),
    one(IALS, "the_same_seed_gives_the_same_numbers", "no seed", ("default_rng(self.seed)", "default_rng()")),
    one(
        IALS,
        "threads_of_the_solver_do_not_matter",
        "random numbers by thread",
        (
            "        normal = np.random.default_rng(self.seed)",
            "        import numba\n\n        normal = np.random.default_rng([self.seed, numba.get_num_threads()])",
        ),
    ),
    one(
        EASE,
        "threads_of_blas_do_not_matter",
        "sums by thread of BLAS",
        (
            "    dense = products.toarray()\n",
            "    from threadpoolctl import threadpool_info\n\n"
            '    blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]\n'
            "    dense = products.toarray() * (1.0 + 1e-6 * max(blas))\n",
        ),
    ),
    one(
        IALS,
        "global_generators_are_left_alone",
        "the global generator",
        (
            "np.random.default_rng(self.seed).standard_normal((n_users, self.factors), dtype=np.float32)",
            "np.random.seed(self.seed) or np.random.standard_normal((n_users, self.factors))",
        ),
    ),
    one(
        IALS,
        "a_second_fit_starts_afresh",
        "a warm start",
        (
            "        self._start(train.n_users, train.n_items)\n",
            '        if not hasattr(self, "user_table_"):\n            self._start(train.n_users, train.n_items)\n',
        ),
    ),
    one(
        IALS,
        "scores_are_fresh_float32_arrays_of_the_right_shape",
        "double precision",
        method(
            "    def score_pairs(self, users, items):\n"
            "        return super().score_pairs(users, items).astype(np.float64)"
        ),
    ),
    one(
        EASE,
        "users_and_items_without_ratings_get_finite_scores",
        "means over the ratings of users who may have none",
        (
            "return np.asarray(rows @ self.inverse_, dtype=np.float32)",
            "return np.asarray(rows @ self.inverse_ / np.diff(rows.indptr)[:, None], dtype=np.float32)",
        ),
    ),
    one(
        IALS,
        "pairs_agree_with_whole_rows",
        "rounded pairs",
        method("    def score_pairs(self, users, items):\n        return super().score_pairs(users, items).round(2)"),
    ),
    one(
        IALS,
        "scores_do_not_depend_on_the_other_users_asked_for",
        "half precision for few users",
        method(
            "    def score_users(self, users):\n"
            "        full = super().score_users(users)\n"
            "        return full if users.size > 8 else full.astype(np.float16).astype(np.float32)"
        ),
    ),
    one(
        IALS,
        "epochs_are_reported_in_order_with_finite_losses",
        "epochs from 0",
        ("self.passes(self.epochs)", "range(self.epochs)"),
    ),
    one(
        IALS,
        "the_callback_stops_the_fit",
        "an answer that nobody hears",
        (
            'and on_epoch(self, mfx.Epoch(number, {"objective": objective})):\n                break',
            'and on_epoch(self, mfx.Epoch(number, {"objective": objective})):\n                pass',
        ),
    ),
    one(
        IALS,
        "watching_changes_nothing",
        "items solved again for those who look",
        (
            "            if on_epoch is not None and",
            "            if on_epoch is not None:\n"
            "                self._solve(items, by_item, self.user_table_, self.item_table_)\n"
            "            if on_epoch is not None and",
        ),
    ),
    one(
        IALS,
        "the_declared_loss_falls",
        "a sum over epochs",
        ("objective = float(least.sum()", "objective = number * float(least.sum()"),
    ),
    one(
        IALS,
        "a_stored_user_is_the_fold_in_of_its_ratings",
        "a fold-in that forgets confidence",
        (
            "self._solve(profile, self._confidence(values), self.item_table_, row)",
            "self._solve(profile, np.ones_like(values), self.item_table_, row)",
        ),
    ),
    one(
        IALS,
        "state_can_be_put_back",
        "state that is not copied",
        method(
            "    def state(self):\n"
            "        self._check_fitted()\n"
            "        return {name: np.asarray(getattr(self, name)) for name in self.state_names}"
        ),
    ),
    one(
        IALS,
        "a_fit_that_was_cut_off_goes_on_to_the_same_numbers",
        "an epoch that goes by the one before",
        (
            "            self._solve(items, by_item, self.user_table_, self.item_table_)\n",
            "            before = self.item_table_.copy()\n"
            "            self._solve(items, by_item, self.user_table_, self.item_table_)\n"
            "            if getattr(self, '_going', False):\n"
            "                self.item_table_ += np.float32(0.1) * (before - self.item_table_)\n"
            "            self._going = number < self.epochs\n",
        ),
    ),
    one(
        IALS,
        "a_product_of_scores_is_the_scores",
        "a product that is right for few users only",
        method(
            "    def score_product(self, users, bias_weight=1.0):\n"
            "        product = super().score_product(users, bias_weight)\n"
            "        if product is not None:\n"
            "            product.shifts[3:] += 1.0\n"
            "        return product"
        ),
    ),
    one(
        IALS,
        "lists_hold_the_best_items",
        "ranks from 0",
        method(
            "    def recommend(self, *args, **options):\n"
            "        frame = super().recommend(*args, **options)\n"
            '        return frame.assign(rank=frame["rank"] - 1)'
        ),
    ),
    one(
        IALS,
        "lists_leave_out_seen_items",
        "seen items",
        method(
            "    def recommend(self, *args, **options):\n"
            '        return super().recommend(*args, **{**options, "exclude_seen": False})'
        ),
    ),
    one(
        IALS,
        "equal_scores_are_ordered_by_item_id",
        "the last item first",
        method(
            "    def recommend(self, *args, **options):\n"
            "        frame = super().recommend(*args, **options)\n"
            '        order = frame.sort_values(["user_id", "score", "item_id"], ascending=[True, False, False])\n'
            '        return order.assign(rank=frame["rank"].to_numpy())'
        ),
    ),
    one(
        IALS,
        "unknown_users_and_items_are_refused",
        "a guess for unknown users",
        method(
            "    def predict(self, user_ids, item_ids):\n"
            "        try:\n"
            "            return super().predict(user_ids, item_ids)\n"
            "        except mfx.ModelError:\n"
            "            return np.zeros(len(item_ids), dtype=np.float32)"
        ),
    ),
    one(
        IALS,
        "a_model_that_is_not_fitted_says_so",
        "no lists before the fit",
        method(
            "    def recommend(self, *args, **options):\n"
            "        return super().recommend(*args, **options) if self.fitted else None"
        ),
    ),
    one(
        IALS,
        "fold_in_does_not_depend_on_the_order_of_ratings",
        "items sorted without their ratings",
        method(
            "    def checked_profile(self, item_ids, ratings):\n"
            "        items, _ = super().checked_profile(item_ids, ratings)\n"
            "        return items, np.asarray(ratings, dtype=np.float32)"
        ),
    ),
    one(
        IALS,
        "many_new_users_are_those_of_each_alone",
        "many users with each other's ratings",
        method(
            "    def fold_in_rows(self, indptr, items, values):\n"
            "        return super().fold_in_rows(indptr, items, values[::-1].copy())"
        ),
    ),
    one(
        IALS,
        "fold_in_leaves_the_model_alone",
        "the first user's row as scratch",
        (
            "row = np.zeros((1, self.factors + 1), dtype=np.float32)",
            "row = self.user_table_[:1]",
        ),
    ),
    one(
        IALS,
        "malformed_profiles_are_refused",
        "0 for what is no number",
        method(
            "    def checked_profile(self, item_ids, ratings):\n"
            "        return super().checked_profile(item_ids, np.nan_to_num(np.asarray(ratings, dtype=np.float32)))"
        ),
    ),
    one(
        IALS,
        "saving_and_loading_keeps_the_scores",
        "half precision on disk",
        method(
            "    def save(self, folder):\n"
            "        kept = self.user_table_\n"
            "        self.user_table_ = kept.astype(np.float16).astype(np.float32)\n"
            "        try:\n"
            "            return super().save(folder)\n"
            "        finally:\n"
            "            self.user_table_ = kept"
        ),
    ),
    one(
        IALS,
        "a_loaded_model_does_all_that_a_fitted_one_does",
        "a fold-in that needs what is not saved",
        (
            "        kept = self._positives(train)\n",
            "        kept = self._positives(train)\n        self.shape_ = (1, self.factors + 1)\n",
        ),
        ("np.zeros((1, self.factors + 1), dtype", "np.zeros(self.shape_, dtype"),
    ),
    one(
        IALS,
        "lists_are_made_before_clipping_and_predictions_after",
        "predictions that are clipped though nobody asked for it",
        method("    def predictions(self, scores):\n        return scores.clip(max=scores.mean())"),
    ),
    one(
        IALS,
        "ids_of_any_type_are_the_same_after_loading",
        "a start that goes by raw ids",
        (
            "        self._start(train.n_users, train.n_items)\n",
            "        self._start(train.n_users, train.n_items)\n"
            "        self.user_table_ *= np.float32(1 + int(str(train.catalogue.user_ids[0])) % 7)\n",
        ),
    ),
    one(
        IALS,
        "nothing_is_pickled",
        "a pickle beside the arrays",
        method(
            "    def save(self, folder):\n"
            "        import pickle\n\n"
            "        found = super().save(folder)\n"
            '        (found / "more.bin").write_bytes(pickle.dumps(self.settings()))\n'
            "        return found"
        ),
    ),
    one(
        IALS,
        "a_new_model_learns_nothing_from_an_old_one",
        "what is known of the ratings kept by the class",
        method(
            "    def set_context(self, catalogue, scale, seen):\n"
            "        cls = type(self)\n"
            "        cls.catalogue_, cls.scale_, cls.seen_ = catalogue, scale, seen"
        ),
    ),
]
