"""`python -m evis`."""

import sys

from evis.cli import main

sys.exit(main())
