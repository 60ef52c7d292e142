"""`python -m components.release.abort Pulumi.<stack>.yaml`: ends the release that is at work on a stack's endpoint.

A provider never sees Ctrl-C, so an end is asked for where its driver looks at every poll: in a tag of the endpoint. The
tag names the release that holds the lease, so that one which comes too late meets no other.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..dynamic.client import WorkspaceConnectionError, workspace_client
from ..dynamic.errors import ProviderError
from .lease import ABORT_TAG, holder_of
from .live import patch_tags, read_endpoint

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

_SERVING = ":serving"


def abort(client: WorkspaceClient, endpoint: str) -> str | None:
    """Asks the release on an endpoint to end; its id, None where there is none. Raises ProviderError."""
    holder = holder_of(read_endpoint(client, endpoint).tags)
    if holder is None:
        return None
    patch_tags(client, endpoint, {ABORT_TAG: holder.release}, [])
    return holder.release


def endpoint_of(stack_file: Path) -> tuple[str, dict[str, Any]]:
    """Endpoint and workspace settings of a stack file.

    Raises:
        ProviderError: it names no endpoint.
    """
    import yaml

    try:
        config = (yaml.safe_load(stack_file.read_text(encoding="utf-8")) or {}).get("config", {})
        serving = next(value for key, value in config.items() if key.endswith(_SERVING))
        return str(serving["endpoint"]["name"]), {key: value for key, value in config.items() if isinstance(value, str)}
    except (OSError, yaml.YAMLError, StopIteration, KeyError, TypeError, AttributeError) as error:
        raise ProviderError(f"{stack_file} names no endpoint ({type(error).__name__}: {error})") from None


def main(arguments: list[str]) -> int:
    """The command; its exit code: 1 where there is nothing to end, or nobody could be asked."""
    if len(arguments) != 1:
        print(__doc__)
        return 2
    try:
        endpoint, settings = endpoint_of(Path(arguments[0]))
        release = abort(workspace_client(settings), endpoint)
    except (ProviderError, WorkspaceConnectionError) as error:
        print(f"error: {error}")
        return 1
    if release is None:
        print(f"no release is at work on endpoint {endpoint}")
        return 1
    print(
        f"release {release} on endpoint {endpoint} is asked to end: within one poll it puts back what ran before "
        "(an update of the endpoint that is under way is waited for first), and its `pulumi up` fails"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
