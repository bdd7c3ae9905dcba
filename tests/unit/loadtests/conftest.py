"""Makes the package `loadtests` importable: it is run from the repository, never installed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
