"""Where the engine starts the pack: it runs this folder, not a package, so the pack has to find itself first."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from policies.pack import serve

serve()
