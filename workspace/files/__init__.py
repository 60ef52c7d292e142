"""The Files API: paths under `/Models`, `/Volumes` and `/WorkspaceInternal`, directly and by presigned URL."""

from workspace.files.routes import Files

__all__ = ["Files"]
