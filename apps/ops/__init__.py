"""Looking at a deployed stack, and at what one needs before it is set up: `verify`, `status`, `doctor`.

Nothing here writes. `verify` asks the endpoint its smoke query, which leaves a row in the inference table and wakes an
entity that is scaled to zero; `--no-query` leaves that out.
"""
