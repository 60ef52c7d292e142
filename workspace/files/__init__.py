"""Files by path: the Files API (`/Models`, `/Volumes`) with presigned URLs, and the objects of the workspace."""

from workspace.files.objects import WorkspaceFiles
from workspace.files.routes import Files
from workspace.files.workspace_routes import WorkspaceObjects

__all__ = ["Files", "WorkspaceFiles", "WorkspaceObjects"]
