"""``python -m lampyris`` is the ``lampyris`` command."""

import sys

from lampyris.cli import main

sys.exit(main())
