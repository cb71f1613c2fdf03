"""Every surface."""

from surfaces_cache import REPLACED
from surfaces_config import NODES, OVERRIDES
from surfaces_models import MODELS, SERVED
from surfaces_parquet import CSV, PARQUET
from surfaces_parts import IN_PARTS
from surfaces_text import ITEMS, TEXT
from surfaces_times import TIMES_BELOW_A_SECOND
from surfaces_zip import CHECKSUM, ZIPS

SURFACES = [
    CSV, TEXT, ITEMS, PARQUET, TIMES_BELOW_A_SECOND, IN_PARTS, ZIPS, CHECKSUM, REPLACED,
    NODES, OVERRIDES, MODELS, SERVED,
]  # fmt: skip
