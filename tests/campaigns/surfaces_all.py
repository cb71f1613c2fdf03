"""Every surface."""

from surfaces_config import NODES, OVERRIDES
from surfaces_models import MODELS, SERVED
from surfaces_parquet import CSV, PARQUET
from surfaces_parts import IN_PARTS
from surfaces_text import ITEMS, TEXT
from surfaces_zip import CHECKSUM, ZIPS

SURFACES = [CSV, TEXT, ITEMS, PARQUET, IN_PARTS, ZIPS, CHECKSUM, NODES, OVERRIDES, MODELS, SERVED]
