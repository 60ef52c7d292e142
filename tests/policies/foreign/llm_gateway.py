"""A gateway to a hosted language model: an external model with its key, and a foundation model beside it."""

import pulumi
import pulumi_databricks as databricks

scope = databricks.SecretScope("llm", name="llm")
key = databricks.Secret("openai-key", scope=scope.name, key="openai", string_value=pulumi.Output.secret("planted"))
databricks.SecretAcl("llm-readers", scope=scope.name, principal="users", permission="READ")

gateway = databricks.ModelServing(
    "chat",
    name="chat-prod",
    config=databricks.ModelServingConfigArgs(
        served_entities=[
            databricks.ModelServingConfigServedEntityArgs(
                name="gpt",
                external_model=databricks.ModelServingConfigServedEntityExternalModelArgs(
                    name="gpt-4o",
                    provider="openai",
                    task="llm/v1/chat",
                    openai_config=databricks.ModelServingConfigServedEntityExternalModelOpenaiConfigArgs(
                        openai_api_key_plaintext="written-into-the-program",
                    ),
                ),
            ),
        ],
    ),
)

databricks.ModelServing(
    "llama",
    name="llama-prod",
    config=databricks.ModelServingConfigArgs(
        served_entities=[
            databricks.ModelServingConfigServedEntityArgs(
                name="llama",
                entity_name="system.ai.meta_llama_v3_1_8b_instruct",
                entity_version="2",
                max_provisioned_throughput=9500,
                scale_to_zero_enabled=True,
            )
        ]
    ),
    opts=pulumi.ResourceOptions(protect=True),
)

databricks.Grants(
    "models",
    schema="main.llm",
    grants=[databricks.GrantsGrantArgs(principal="account users", privileges=["ALL_PRIVILEGES"])],
)
