"""Lakebase Autoscaling (`/api/2.0/postgres`): projects, branches, endpoints, and tables synced from Delta.

Rows of synced tables live in the keyed stores that published tables use, and model serving looks them up alike. Nothing
speaks the Postgres wire protocol: the hosts of endpoints are names that resolve nowhere.
"""

from workspace.lakebase.routes import Lakebase

__all__ = ["Lakebase"]
