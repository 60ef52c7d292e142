"""Cases of the rules about deployment."""

from __future__ import annotations

from dataclasses import replace

from policies import deployment
from tests.policies.cases.building import Case, endpoint, entity, external, job

OTHER = "https://dbc-1234.cloud.databricks.com/api"
CASES = (
    Case(
        rule=deployment.endpoint_waits_are_bounded,
        passes=[[replace(endpoint(), timeouts=(1800, 1800))]],
        refuses=[
            ([endpoint()], "says not how long its create and update may take"),
            ([replace(endpoint(), timeouts=(1800, 0))], "says not how long its update may take"),
        ],
    ),
    Case(
        rule=deployment.no_workspace_address_literals,
        passes=[
            [endpoint(entity(environmentVars={"DOCS": "https://docs.databricks.com/aws/en"}))],
            [endpoint(external(databricksModelServingConfig={"databricksWorkspaceUrl": OTHER}))],
        ],
        refuses=[
            (
                [endpoint(entity(environmentVars={"HOST": OTHER}))],
                "config.servedEntities[0].environmentVars.HOST names workspace dbc-1234.cloud.databricks.com",
            ),
            ([job(tasks=[{"taskKey": "a", "url": "adb-1.2.azuredatabricks.net"}])], "adb-1.2.azuredatabricks.net"),
            ([job(parameters=[{"name": "host", "default": "1.2.gcp.databricks.com"}])], "1.2.gcp.databricks.com"),
        ],
    ),
)
