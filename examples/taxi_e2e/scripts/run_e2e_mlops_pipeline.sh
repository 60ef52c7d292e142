#!/usr/bin/env bash
# The whole workflow: features, training, deployment, validation. `--help` lists the options; README.md has the rest.
# Works from any folder: it finds the checkout by its own place.
set -euo pipefail

here=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd)
root=$(cd -- "$here/../../.." && pwd)

python=${PYTHON:-}
if [[ -z $python ]]; then
  if [[ -x $root/.venv/bin/python ]]; then
    python=$root/.venv/bin/python
  else
    python=python3
  fi
fi

cd -- "$root"
exec "$python" -m apps.run_e2e "$@"
