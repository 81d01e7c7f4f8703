"""Makes the modules that several tests share (`tables.py`, ...) importable under pytest's importlib mode."""

import os
import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

# Elsewhere properties explore anew on each run; a gate must give the same answer to the same change.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
