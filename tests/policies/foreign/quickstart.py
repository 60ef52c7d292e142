"""A first endpoint, as one finds it in a quickstart: a model, an endpoint that serves it, and everybody may use it."""

import pulumi
import pulumi_databricks as databricks

config = pulumi.Config()
model_name = config.get("modelName") or "ads_model"
model_version = config.get("modelVersion") or "Production"

model = databricks.MlflowModel("ads-model", name=model_name, description="Ad click predictions")

endpoint = databricks.ModelServing(
    "ads-endpoint",
    name="ads-serving-endpoint",
    config=databricks.ModelServingConfigArgs(
        served_models=[
            databricks.ModelServingConfigServedModelArgs(
                name="prod_model",
                model_name=model.name,
                model_version=model_version,
                workload_size="Small",
                scale_to_zero_enabled=True,
            ),
            databricks.ModelServingConfigServedModelArgs(
                name="candidate_model",
                model_name=model.name,
                model_version="2",
                workload_size="Small",
                scale_to_zero_enabled=False,
            ),
        ],
        traffic_config=databricks.ModelServingConfigTrafficConfigArgs(
            routes=[
                databricks.ModelServingConfigTrafficConfigRouteArgs(
                    served_model_name="prod_model", traffic_percentage=90
                ),
                databricks.ModelServingConfigTrafficConfigRouteArgs(
                    served_model_name="candidate_model", traffic_percentage=20
                ),
            ]
        ),
    ),
)

databricks.Permissions(
    "ads-usage",
    serving_endpoint_id=endpoint.serving_endpoint_id,
    access_controls=[
        databricks.PermissionsAccessControlArgs(group_name="users", permission_level="CAN_MANAGE"),
        databricks.PermissionsAccessControlArgs(user_name="jane@example.com", permission_level="CAN_QUERY"),
    ],
)

pulumi.export("endpointId", endpoint.serving_endpoint_id)
