"""Laws of data sets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mfx.data.assemble import assemble
from mfx.data.pieces import Gathered, InPieces
from mfx.interfaces import Ratings
from mfx.testing.component import ComponentContract, fresh, untouched_generators
from mfx.timestamps import divided


class DatasetContract(ComponentContract):
    """The laws of data sets. Override the fixture `component` with one whose `load` needs no network.

    Caches go to a folder of the test (``MFX_CACHE``).
    """

    kind = "dataset"

    @pytest.fixture(autouse=True)
    def own_cache(self, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
        """Keep what is cached in a folder of the test."""
        monkeypatch.setenv("MFX_CACHE", str(tmp_path_factory.mktemp("cache")))

    @pytest.fixture
    def ratings(self, component: Any) -> Ratings:
        """Return what `load` returns; skip where those are no ratings, which is a law of its own."""
        loaded: Ratings = component.load()
        if not isinstance(loaded, Ratings) or not len(loaded):
            pytest.skip("it loads no ratings: see test_it_loads_ratings")
        return loaded

    def test_it_loads_ratings(self, component: Any) -> None:
        """`load` returns `Ratings`, and not an empty table."""
        loaded = component.load()
        assert isinstance(loaded, Ratings)
        assert len(loaded) > 0, "there are no ratings"

    def test_ratings_are_on_their_scale(self, ratings: Ratings) -> None:
        """The lowest possible rating is below the highest, and no rating is outside the two."""
        scale = ratings.scale
        assert scale.low < scale.high, f"the scale goes from {scale.low} to {scale.high}"
        assert scale.low <= ratings.values.min(), "a rating is below the scale"
        assert ratings.values.max() <= scale.high, "a rating is above the scale"

    def test_loading_again_gives_the_same_ratings(self, component: Any, ratings: Ratings) -> None:
        """A second `load`, and that of a second data set with the same settings, give the same rows."""
        assert component.load().fingerprint == ratings.fingerprint, "a second load gives other ratings"
        assert fresh(component).load().fingerprint == ratings.fingerprint, "the same settings give other ratings"

    def test_reading_in_pieces_gives_the_same_ratings(self, component: Any, ratings: Ratings) -> None:
        """What a data set with ``read_into`` hands on piece by piece makes the ratings that `load` returns."""
        if not isinstance(component, InPieces):
            pytest.skip("it is not read in pieces: it has no method read_into")
        gathered = Gathered()
        origin = component.read_into(gathered, {})
        made = assemble(gathered.whole(), origin)
        assert made.fingerprint == ratings.fingerprint, "the pieces make other ratings"
        assert made.time_unit == ratings.time_unit, "timestamps count another unit"
        assert (made.scale, made.name) == (ratings.scale, ratings.name), "scale or name is another one"

    def test_loads_do_not_share_arrays(self, component: Any, ratings: Ratings) -> None:
        """Whoever writes to the ratings of one load does not change those of the next."""
        kept = component.load().fingerprint
        if kept != ratings.fingerprint:
            pytest.skip("two loads differ in any case: see test_loading_again_gives_the_same_ratings")
        for array in (ratings.users, ratings.values):
            if array.flags.writeable:
                array[...] = array[0]
        assert component.load().fingerprint == kept

    def test_global_generators_are_left_alone(self, component: Any) -> None:
        """Loading neither draws from nor seeds the global generators of numpy and Python."""
        with untouched_generators():
            component.load()

    def test_everybody_in_the_catalogue_is_described(self, ratings: Ratings) -> None:
        """The catalogue fits the ratings: most of its users rated something."""
        assert np.count_nonzero(ratings.user_counts) > 0.5 * ratings.n_users, "most users have no ratings"

    def test_it_has_a_name(self, ratings: Ratings) -> None:
        """Captions and logs can say which ratings these are."""
        assert ratings.name.strip(), "the ratings have no name"
        assert ratings.name != "ratings", "the ratings have no name of their own: give name= to Ratings"

    def test_timestamps_are_of_our_time(self, ratings: Ratings) -> None:
        """Timestamps, where there are any, lie between 1970 and 2100 in the unit that the ratings name."""
        if ratings.timestamps is None:
            pytest.skip("it has no timestamps")
        seconds, _ = divided(ratings.timestamps, ratings.time_unit)
        assert seconds.min() >= 0, "a timestamp is before 1970"
        assert seconds.max() < 4_102_444_800, "a timestamp is after 2100: is time_unit coarser than it should be?"
