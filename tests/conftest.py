"""Makes modules that tests share (`tables.py`, ...) importable under pytest's importlib mode, and keeps tests to themselves."""

import os
import sys
import tempfile
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

# Elsewhere properties explore anew on each run; a gate must give the same answer to the same change.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

# Tests and the commands they start keep what they keep between runs in a folder of this session.
_cache = tempfile.TemporaryDirectory(prefix="wirelaw-cache-")
os.environ["XDG_CACHE_HOME"] = _cache.name
