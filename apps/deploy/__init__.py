"""Deployments by one call: a version goes into a stack file, and Pulumi's Automation API does the rest.

`deploy_rag_model` for the chatbot; `create_online_tables`, `deploy_with_online_tables` and the older `deploy` for taxi
fares; `roll_back` for the version before, of any of them. `python -m apps.deploy --help` has the same as commands. A
deployment made here and one made by `pulumi up` are the same: the stack file is the only place where a version is
written down.
"""

from apps.deploy.model_uri import ModelUri, ModelUriError
from apps.deploy.project import DeployError, DeployFailedError
from apps.deploy.rag import RagResult, deploy_rag_model
from apps.deploy.rollback import RollbackResult, roll_back
from apps.deploy.taxi import TaxiResult, create_online_tables, deploy, deploy_with_online_tables

__all__ = [
    "DeployError",
    "DeployFailedError",
    "ModelUri",
    "ModelUriError",
    "RagResult",
    "RollbackResult",
    "TaxiResult",
    "create_online_tables",
    "deploy",
    "deploy_rag_model",
    "deploy_with_online_tables",
    "roll_back",
]
