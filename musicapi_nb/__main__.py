"""The command line: ``python -m musicapi_nb``."""

import sys

from musicapi_nb.cli import main

if __name__ == "__main__":
    sys.exit(main())
