"""``python -m mfx``: the command line."""

import sys

from mfx.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
