"""Makes the modules that several tests share (`tables.py`, ...) importable under pytest's importlib mode."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
