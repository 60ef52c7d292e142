"""Where the engine starts the pack: it runs this folder, not a package, so the pack has to find itself first."""

import gc
import sys
from pathlib import Path

# The engine waits for the imports; collecting garbage among classes that stay is half of their time.
gc.disable()

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from policies.pack import serve  # noqa: E402 - found by the line above

gc.freeze()
gc.enable()
serve()
