"""The small executables that belong beside an engine: Pulumi's own two scripts, and the way to our language host."""

from __future__ import annotations

from pathlib import Path

from toolchain.files import write_atomically

#: Folder of the sdk/v3 Go module -> script. The engine finds them beside itself or on PATH, by these names.
SDK_SCRIPTS = {
    "python/cmd/pulumi-language-python-exec",
    "python/dist/pulumi-resource-pulumi-python",
}

# Started by the engine from any folder. `-P` keeps that folder off the import path, where a project's own `toolchain`
# would hide this one; the environment is left alone, because the program inherits it.
LANGUAGE_HOST = """\
#!/bin/sh
bin=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd -P)
root=${bin%/.local/bin}
if [ ! -x "$root/.venv/bin/python" ]; then
    echo "pulumi-language-python: $root/.venv is missing; run 'make env' in $root" >&2
    exit 1
fi
exec "$root/.venv/bin/python" -P -c '
import sys
sys.path.insert(0, sys.argv.pop(1))
from toolchain.language_host.__main__ import main
sys.exit(main(sys.argv[1:]))
' "$root" --executor "$bin/pulumi-language-python-exec" "$@"
"""


def install_scripts(sdk_module: Path, folder: Path) -> None:
    """Puts the scripts of the sdk/v3 module, and the language host, into `folder`.

    Raises:
        OSError: the module has no such script, or the folder cannot be written.
    """
    for source in sorted(SDK_SCRIPTS):
        path = sdk_module / source
        write_atomically(folder / path.name, path.read_bytes(), mode=0o755)
    write_atomically(folder / "pulumi-language-python", LANGUAGE_HOST.encode(), mode=0o755)
