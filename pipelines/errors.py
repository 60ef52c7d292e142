"""What a pipeline says when it cannot go on."""


class PipelineError(Exception):
    """A mistake in the input or the workspace, in words for the operator: what, where, the value received, the fix."""
