"""``python -m hub.cli`` is ``hub``."""

import sys

from hub.cli import main

sys.exit(main())
