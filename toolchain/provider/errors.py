"""What can go wrong in the plugin, as the engine is told."""

from collections.abc import Mapping


class PluginError(Exception):
    """An error for the user: says what, where, the value received and the fix."""


class RefusalError(PluginError):
    """The plugin will not do this, and has sent nothing for it."""


class CancelledError(PluginError):
    """The engine is gone or asked to stop; nothing more is sent."""


class RestError(PluginError):
    """The workspace answered a request with an error.

    Args:
        operation: ``METHOD path`` of the request.
        code: Databricks' ``error_code``, such as ``RESOURCE_DOES_NOT_EXIST``.
        message: the workspace's own words.
        not_found: the object is not there (HTTP 404, or a code that means the same).
        managed_by_parent: it cannot be deleted on its own, and goes with its parent.
    """

    def __init__(
        self, operation: str, code: str, message: str, *, not_found: bool, managed_by_parent: bool = False
    ) -> None:
        super().__init__(f"{message} ({code}, {operation})" if code else f"{message} ({operation})")
        self.operation = operation
        self.code = code
        self.not_found = not_found
        self.managed_by_parent = managed_by_parent


class PartialFailureError(PluginError):
    """The object exists, but the operation on it failed: ``state`` goes into the stack, with an initialization "
    "error."""

    def __init__(
        self, message: str, *, identity: str, state: Mapping[str, object], inputs: Mapping[str, object]
    ) -> None:
        super().__init__(message)
        self.id = identity
        self.state = dict(state)
        self.inputs = dict(inputs)
