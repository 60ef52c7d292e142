#!/usr/bin/env bash
# The same as scripts/run_e2e_mlops_pipeline.sh, with the same options.
set -euo pipefail

exec bash "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/scripts/run_e2e_mlops_pipeline.sh" "$@"
