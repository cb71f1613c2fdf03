"""Every MovieLens data set of GroupLens, in all their file formats."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mfx.data.base import FileDataset
from mfx.data.checks import scale_of
from mfx.data.pieces import Sink
from mfx.data.raw import Origin
from mfx.data.sources import Source
from mfx.errors import DataError
from mfx.registry import register
from mfx.settings import setting


@register("dataset", "grouplens")
@dataclass(kw_only=True)
class GroupLens(FileDataset):
    """MovieLens ratings as GroupLens publishes them, from a zip, a folder, or their server.

    Reads the layouts of all years: ``u.data``/``u.item``/``u.user`` (100K), ``::`` files (1M, 10M) and CSV (20M,
    25M, 32M, latest). Titles, genres and tags describe the items; age, gender and occupation the users, where the
    data set tells them. Movies without a rating belong to the catalogue. Timestamps are seconds since 1970 UTC.
    "(no genres listed)" is no genre, nor is "unknown" in 100K. Tags count whatever their case. Double quotes surround
    fields in CSV, and are text in the other layouts.

    Raises
    ------
    SettingError
        If a setting is malformed.
    DataError
        From `load`, if the files are missing or malformed.
    """

    label: str = setting("grouplens")
    """Name of the data set in captions and logs."""
    path: str | None = setting(None)
    """Zip or folder that is already there; otherwise `url` is downloaded."""
    url: str | None = setting(None)
    """Address of the zip."""
    checksum: str | None = setting(None)
    """What the downloaded zip must hash to, as md5:... or sha256:...; without it nothing is downloaded."""
    allow_unverified: bool = setting(False)
    """Download even if no checksum is known; the one that was found is logged."""
    size: str = setting("")
    """Size of the zip, for people."""
    licence: str = setting("")
    """Terms of use, in a few words."""
    citation: str = setting("")
    """What to cite."""
    tags: bool = setting(True)
    """Read the tags that people gave to movies."""
    rating_min: float | None = setting(None)
    """Lowest rating that can be given; lower ones are bad rows. By default the lowest in the file."""
    rating_max: float | None = setting(None)
    """Highest rating that can be given; higher ones are bad rows. By default the highest in the file."""
    on_bad_rows: str = setting("refuse", choices=("refuse", "drop"))
    """What to do with rows that cannot be used: refuse the file, or leave them out and report it."""
    duplicates: str = setting("refuse", choices=("refuse", "keep_last", "keep_first", "mean"))
    """What to do with rows that repeat a (user, item) pair; last and first are by timestamp."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._scale = scale_of(type(self).__name__, self.rating_min, self.rating_max)

    @property
    def title(self) -> str:
        """What captions and logs call the data set."""
        return self.label

    @property
    def source(self) -> str:
        """The path, or else the address."""
        return str(Path(self.path).expanduser().resolve()) if self.path else (self.url or "")

    def identity(self) -> dict[str, Any]:
        """Files and settings that decide what is read."""
        # A download with a known checksum is known without looking at it.
        pinned = self.path is None and self.url is not None and self.checksum is not None
        source: Any = {"url": self.url, "checksum": self.checksum} if pinned else self._files().identity()
        names = ("label", "tags", "rating_min", "rating_max", "on_bad_rows", "duplicates")
        return {"source": source, **{name: getattr(self, name) for name in names}}

    def read_into(self, sink: Sink, dropped: dict[str, int]) -> Origin:
        """Read ratings piece by piece, then movies, tags and users."""
        from mfx.data.delimited import read_ratings
        from mfx.data.movielens import layout_of

        files = self._files()
        layout = layout_of(files, self._scale)
        where = files.where(layout.ratings)
        rejected = read_ratings(lambda: files.open(layout.ratings), layout.columns, where, self.on_bad_rows, sink)
        dropped.update(rejected.by_setting())
        return Origin(
            where,
            self.label,
            self.duplicates,
            self._scale,
            dropped,
            items=layout.items(files),
            users=layout.users(files),
            tags=layout.tags(files) if self.tags else None,
        )

    def describe(self) -> dict[str, str]:
        """Say source, checksum, licence and citation, and what was left out."""
        known = {"checksum": self.checksum, "size": self.size, "licence": self.licence, "citation": self.citation}
        return {**super().describe(), **{name: value for name, value in known.items() if value}}

    def _files(self) -> Source:
        from mfx.data.download import fetch

        if self.path is not None:
            return Source.at(self.path)
        if self.url is None:
            raise DataError(
                "dataset 'grouplens' was given neither files nor an address.",
                "Set dataset.path to a zip or folder, or use a named data set such as dataset=ml_latest_small.",
            )
        return Source.at(fetch(self.url, self.checksum, unverified=self.allow_unverified))
