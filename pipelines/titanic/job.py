"""What the notebooks of the job are told: its parameters, one widget each."""

from importlib import resources
from typing import Final, Protocol

from pipelines.titanic.request import Request

# The fields of a store, and how it is written to. No secret is among them.
STORE_PARAMETERS: Final = (
    "hostname",
    "port",
    "database_name",
    "table_name",
    "read_secret_prefix",
    "write_secret_prefix",
    "mode",
)
# Who signs the server's certificate, where the machine does not trust it anyway: a file that the stack puts beside this
# one. A parameter would be too short for some.
CA_FILE: Final = "ca.pem"


class Widgets(Protocol):
    """`dbutils.widgets`."""

    def get(self, name: str) -> str: ...


def request_of(widgets: Widgets) -> Request:
    """Where the job works."""
    return Request(
        catalog=widgets.get("catalog"),
        schema=widgets.get("schema"),
        warehouse_id=widgets.get("warehouse_id"),
        experiment=widgets.get("experiment"),
    )


def store_parameters(widgets: Widgets) -> dict[str, str]:
    """The store, as texts, with the certificates that the stack has put beside the code."""
    file = resources.files(__package__).joinpath(CA_FILE)
    ca = file.read_text(encoding="utf-8") if file.is_file() else ""
    return {**{name: widgets.get(name) for name in STORE_PARAMETERS}, "ca": ca}
