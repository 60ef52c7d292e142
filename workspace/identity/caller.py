"""The one user of the embedded workspace: whoever has its token."""

from workspace.http import Caller

OWNER = Caller(user_name="owner@embedded.workspace", id="1000000001", groups=("admins", "users"))
