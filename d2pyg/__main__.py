"""``python -m d2pyg`` is the command ``d2pyg``."""

import sys

from d2pyg.cli import main

sys.exit(main())
