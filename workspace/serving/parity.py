"""What model serving does here, and why it is believed that Databricks does so (workspace/parity.py)."""

from __future__ import annotations

from workspace.parity import Behaviour, Source

_DOCS, _CLIENT, _PROVIDER, _ASSUMED = Source.DOCUMENTATION, Source.CLIENT, Source.PROVIDER_SOURCE, Source.ASSUMPTION
_API = "/api/2.0/serving-endpoints"
_ONE = f"{_API}/{{name}}"
_ASK = "POST /serving-endpoints/{name}/invocations"
_SERVING = "tests/workspace/test_serving.py::"
_UPDATES = "tests/workspace/test_serving_updates.py::"
_INVOCATIONS = "tests/workspace/test_serving_invocations.py::"
_FEATURES = "tests/workspace/test_serving_features.py::"
_AGENTS = "tests/workspace/test_serving_agents.py::"
_GATEWAY = "tests/workspace/test_gateway.py::"
_BILLING = "tests/workspace/test_billing.py::"
_TABLE = "tests/workspace/test_inference_table.py::"
_KILL = "tests/workspace/test_serving_kill.py::"


def _one(path: str, behaviour: str, source: Source, reference: str, test: str) -> Behaviour:
    return Behaviour(path=path, behaviour=behaviour, source=source, reference=reference, test=test)


_LIFECYCLE = (
    _one(
        f"POST {_API}",
        "Answers at once, NOT_READY and IN_PROGRESS, with the config as pending_config; READY after its first "
        "roll-out.",
        _DOCS,
        "Manage model serving endpoints; databricks-sdk `wait_get_serving_endpoint_not_updating`",
        f"{_SERVING}test_endpoint_is_created_not_ready_then_serves",
    ),
    _one(
        f"POST {_API}",
        "Without a config: NOT_READY and NOT_UPDATING; a config may come later. A name that is taken is 409.",
        _PROVIDER,
        "terraform-provider-databricks serving/resource_model_serving.go (config optional)",
        f"{_SERVING}test_endpoint_without_config_takes_one_later",
    ),
    _one(
        f"POST {_API}",
        "Entities, sizes and traffic that cannot be are 400 INVALID_PARAMETER_VALUE, and nothing is made; "
        "wording is ours.",
        _ASSUMED,
        "the rules are documented (Create custom model serving endpoints), the messages are not",
        f"{_SERVING}test_config_that_cannot_be_is_refused_and_nothing_is_made",
    ),
    _one(
        f"POST {_API}",
        "An unknown model or version is 404; auto_capture_config cannot be enabled (400); throughput of "
        "foundation models "
        "and telemetry_config are 501.",
        _DOCS,
        "Enable inference tables (legacy): no longer for new endpoints",
        f"{_SERVING}test_unknown_versions_legacy_tables_and_other_models_are_refused",
    ),
    _one(
        f"POST {_API}",
        "served_models are served_entities by their old name; GET shows both.",
        _CLIENT,
        "databricks-sdk `serving.EndpointCoreConfigInput`, `EndpointCoreConfigOutput`",
        f"{_SERVING}test_served_models_are_entities_by_their_old_name",
    ),
    _one(
        f"POST {_API}",
        "External models of openai, custom and databricks-model-serving are asked over OpenAI's wire, other "
        "providers are "
        "501; kinds and tasks are not mixed; plaintext keys are never shown.",
        _CLIENT,
        "databricks-sdk `serving.ExternalModel`; docs External models",
        f"{_GATEWAY}test_external_models_keep_their_kind_their_task_and_their_secrets",
    ),
    _one(
        f"GET {_API}",
        "Lists endpoints in summary form, with the task where all entities have the same.",
        _CLIENT,
        "databricks-sdk `serving.ServingEndpoint`",
        f"{_AGENTS}test_endpoint_tells_what_its_agents_do_and_plain_models_tell_nothing",
    ),
    _one(
        f"GET {_ONE}",
        "After a failed first roll-out NOT_READY and UPDATE_FAILED, without a config.",
        _PROVIDER,
        "terraform-provider-databricks: UPDATE_FAILED on create deletes the endpoint",
        f"{_SERVING}test_failed_first_deployment_says_why_and_is_not_ready",
    ),
    _one(
        f"GET {_ONE}",
        "A failed attempt stays readable as pending_config: the entity that failed DEPLOYMENT_FAILED with its "
        "reason, the "
        "others DEPLOYMENT_ABORTED.",
        _ASSUMED,
        "the states are the SDK's `ServedModelStateDeployment`; that the attempt stays is not documented",
        f"{_SERVING}test_broken_model_leaves_the_old_config_serving",
    ),
    _one(
        f"DELETE {_ONE}",
        "Gone at once, with its processes, also those that an update has started.",
        _DOCS,
        "Manage model serving endpoints: delete",
        f"{_UPDATES}test_deletion_ends_what_an_update_has_started",
    ),
    _one(
        f"PUT {_ONE}/config",
        "The old config answers until the new one is up; another update meanwhile is 409 RESOURCE_CONFLICT.",
        _DOCS,
        "Manage model serving endpoints: modify (old config serves, one update at a time)",
        f"{_SERVING}test_old_config_serves_while_the_new_one_loads_and_updates_do_not_cross",
    ),
    _one(
        f"PUT {_ONE}/config",
        "Requests under way during the switch are all answered.",
        _DOCS,
        "Manage model serving endpoints: updates without downtime",
        f"{_SERVING}test_requests_in_flight_are_all_answered_through_an_update",
    ),
    _one(
        f"PUT {_ONE}/config",
        "Entities that the new config has unchanged go on in their processes.",
        _ASSUMED,
        "a traffic change is documented to be quick; how is not",
        f"{_SERVING}test_traffic_change_keeps_the_processes",
    ),
    _one(
        f"PUT {_ONE}/config",
        "What a kill of the server interrupted is rolled out by the next one.",
        _ASSUMED,
        "durability of the service is taken for granted",
        f"{_KILL}test_update_that_a_kill_interrupted_is_finished_after_the_restart",
    ),
    _one(
        "POST /_workspace/serving-endpoints/{name}/cancel-update",
        "Gives up the update under way: UPDATE_CANCELED, the old config serves, a new update may follow. On "
        "Databricks a "
        "button of the Serving UI; there is no public call.",
        _DOCS,
        "Manage model serving endpoints: cancel update, in the Serving UI only",
        f"{_UPDATES}test_update_that_is_given_up_leaves_the_old_config_and_can_be_followed_by_another",
    ),
    _one(
        f"PATCH {_ONE}/tags",
        "Adds and deletes tags at once, and answers all of them.",
        _CLIENT,
        "databricks-sdk `ServingEndpointsAPI.patch`",
        f"{_SERVING}test_tags_notifications_and_limits_change_at_once",
    ),
    _one(
        f"PATCH {_ONE}/notifications",
        "Stores e-mail notifications and answers them; none is sent.",
        _CLIENT,
        "databricks-sdk `ServingEndpointsAPI.update_notifications`",
        f"{_UPDATES}test_notifications_are_kept_and_shown",
    ),
    _one(
        f"GET {_ONE}/metrics",
        "Prometheus text with the names that the documentation's Datadog configuration lists.",
        _DOCS,
        "Track and export serving endpoint health metrics to Prometheus and Datadog",
        f"{_UPDATES}test_metrics_have_the_documented_names",
    ),
    _one(
        f"GET {_ONE}/openapi",
        "One path a served entity, its request described by the model's signature.",
        _DOCS,
        "Get the schema for a serving endpoint",
        f"{_SERVING}test_openapi_describes_the_signature",
    ),
    _one(
        f"GET {_ONE}/served-models/{{entity}}/build-logs",
        "What was built; requirements of the model that are not met here are warned of, as nothing is installed.",
        _ASSUMED,
        "the call is the SDK's `build_logs`; what its text says is ours",
        f"{_UPDATES}test_model_brings_its_own_code_and_the_build_log_tells_what_it_does_not_get",
    ),
    _one(
        f"GET {_ONE}/served-models/{{entity}}/logs",
        "What the model's process wrote, also of the attempt that failed.",
        _CLIENT,
        "databricks-sdk `ServingEndpointsAPI.logs`",
        f"{_SERVING}test_broken_model_leaves_the_old_config_serving",
    ),
)
_ASKING = (
    _one(
        _ASK,
        "dataframe_records, dataframe_split, inputs, instances and CSV give the same predictions.",
        _DOCS,
        "Query serving endpoints for custom models; mlflow `pyfunc.scoring_server`",
        f"{_INVOCATIONS}test_every_input_format_gives_the_same_predictions",
    ),
    _one(
        _ASK,
        "Input that the schema refuses is 400 BAD_REQUEST in the words of MLflow's scoring server.",
        _CLIENT,
        "mlflow `pyfunc.scoring_server`, which serving containers run",
        f"{_INVOCATIONS}test_bad_input_is_400_bad_request_in_the_scoring_servers_words",
    ),
    _one(
        _ASK,
        "params reach the model.",
        _CLIENT,
        "mlflow `ParamSchema`",
        f"{_INVOCATIONS}test_parameters_reach_the_model",
    ),
    _one(
        _ASK,
        "Answers carry served-model-name and databricks-request-id.",
        _CLIENT,
        "databricks-sdk `ServingEndpointsAPI.query` reads served-model-name",
        f"{_INVOCATIONS}test_answer_names_the_request_and_the_entity",
    ),
    _one(
        _ASK,
        "Requests of more than 16 MB are refused (413), of agents more than 4 MB; another content type is 415.",
        _DOCS,
        "Model Serving limits and regions: payload size",
        f"{_AGENTS}test_agents_take_smaller_requests_than_other_models",
    ),
    _one(
        _ASK,
        "Requests follow the traffic split.",
        _DOCS,
        "Serve multiple models to a model serving endpoint",
        f"{_SERVING}test_requests_follow_the_split",
    ),
    _one(
        _ASK,
        "Requests wait in line behind those that are answered; beyond 16 for each place, 429 RESOURCE_EXHAUSTED.",
        _ASSUMED,
        "that parallel requests are limited is documented (Model Serving limits), how many wait is not",
        f"{_UPDATES}test_more_requests_than_wait_in_line_are_refused_and_all_others_answered",
    ),
    _one(
        _ASK,
        "503 with Retry-After before the first config is up, 400 where none is to come, 404 where there is no "
        "endpoint.",
        _ASSUMED,
        "only the 404 is known, from its message",
        f"{_SERVING}test_endpoint_is_created_not_ready_then_serves",
    ),
    _one(
        _ASK,
        "An entity with scale to zero sleeps after half an hour without requests; the next one starts it cold.",
        _DOCS,
        "Create custom model serving endpoints: scale to zero after 30 minutes",
        f"{_UPDATES}test_half_an_hour_of_the_clock_without_requests_scales_to_zero_and_the_next_request_starts_cold",
    ),
    _one(
        _ASK,
        "Environment variables reach the model's process, secrets resolved there only; a missing secret fails "
        "the update.",
        _DOCS,
        "Configure access to resources from model serving endpoints",
        f"{_UPDATES}test_secret_reaches_the_model_and_nobody_else_and_a_missing_one_fails_the_deployment",
    ),
    _one(
        _ASK,
        "On-demand features are made by their Python functions from the request and from looked-up features, for each "
        "record; a value that the request carries wins.",
        _DOCS,
        "On-demand feature computation; databricks-feature-engineering 0.18.2 `OnDemandColumnInfo`",
        "tests/workspace/test_batch_scoring.py::test_the_endpoint_gives_the_same_answers",
    ),
    _one(
        f"POST {_API}",
        "An entity whose on-demand functions the endpoint's creator may not EXECUTE does not deploy; the function's "
        "text is taken when the entity starts.",
        _ASSUMED,
        "that the creator's privileges count is documented, when the text is read is not",
        "tests/workspace/test_batch_scoring.py::test_who_may_not_call_the_function_cannot_serve_the_model",
    ),
    _one(
        _ASK,
        "Feature lookups bring the online row for the keys of the request; what the request carries wins.",
        _CLIENT,
        "databricks-feature-lookup 1.17 `mlflow_model`",
        f"{_FEATURES}test_value_in_the_request_wins_over_the_online_row_cell_by_cell",
    ),
    _one(
        _ASK,
        "Messages of chat models and responses agents; task in the endpoint is that of the model.",
        _CLIENT,
        "mlflow `ChatModel`, `ResponsesAgent`: metadata.task",
        f"{_AGENTS}test_sdk_and_deployments_client_get_the_completion",
    ),
    _one(
        _ASK,
        '"stream": true of a model with predict_stream answers server-sent events that end in [DONE].',
        _DOCS,
        "Query a deployed agent; mlflow.deployments `predict_stream`",
        f"{_AGENTS}test_stream_is_events_that_end_and_one_row_with_the_whole_answer",
    ),
    _one(
        _ASK,
        "A model without predict_stream refuses a stream with 400 before it starts.",
        _ASSUMED,
        "MLflow raises there; the service's status is not documented",
        f"{_AGENTS}test_model_without_streams_refuses_one_before_it_starts",
    ),
    _one(
        "POST /serving-endpoints/{name}/served-models/{entity}/invocations",
        "Asks one served entity, whatever the split; 404 for a name that is none.",
        _DOCS,
        "Serve multiple models: query individual models behind an endpoint",
        f"{_SERVING}test_traffic_change_keeps_the_processes",
    ),
    *(
        _one(
            f"POST /serving-endpoints/{path}",
            "The OpenAI client's path: the body's model is the endpoint's name.",
            _DOCS,
            "Use foundation models: OpenAI client with base_url /serving-endpoints",
            f"{_AGENTS}{test}",
        )
        for path, test in (
            ("chat/completions", "test_openai_client_names_the_endpoint_as_its_model"),
            ("responses", "test_openai_client_talks_to_a_responses_agent"),
            ("completions", "test_openai_paths_need_an_endpoint"),
            ("embeddings", "test_openai_paths_need_an_endpoint"),
        )
    ),
)
_GATEWAYS = (
    _one(
        f"PUT {_ONE}/ai-gateway",
        "Replaces the whole gateway; an empty body clears it.",
        _CLIENT,
        "databricks-sdk `ServingEndpointsAPI.put_ai_gateway`",
        f"{_SERVING}test_tags_notifications_and_limits_change_at_once",
    ),
    _one(
        f"PUT {_ONE}/ai-gateway",
        "The location of an enabled inference table is fixed until it is disabled.",
        _DOCS,
        "AI Gateway-enabled inference tables: limitations",
        f"{_TABLE}test_location_changes_only_through_disabling",
    ),
    _one(
        f"PUT {_ONE}/ai-gateway",
        "The payload table has the documented columns before any request.",
        _DOCS,
        "AI Gateway-enabled inference tables: schema",
        f"{_TABLE}test_payload_table_has_the_documented_columns_before_any_request",
    ),
    _one(
        _ASK,
        "Each answer is one row of the payload table, after the delivery lag, also after a kill of the server.",
        _DOCS,
        "AI Gateway-enabled inference tables: within an hour; that none is lost is stricter than best effort",
        f"{_KILL}test_killed_server_loses_no_answer_leaves_no_process_and_answers_again",
    ),
    _one(
        _ASK,
        "Payloads of more than 1 MiB are not logged; the row says so.",
        _DOCS,
        "AI Gateway-enabled inference tables: limitations (codes: logging_error_codes)",
        f"{_TABLE}test_oversize_request_is_answered_and_not_logged",
    ),
    _one(
        _ASK,
        "Limits of the endpoint hold for all together: 429 REQUEST_LIMIT_EXCEEDED with Retry-After until a "
        "minute is over.",
        _DOCS,
        "Configure AI Gateway: rate limits (the window and the message are ours)",
        f"{_GATEWAY}test_endpoint_limit_holds_for_all_callers_together_and_is_renewed_after_a_minute",
    ),
    _one(
        _ASK,
        "A limit of a user or service principal goes before those of groups, and those before the default of users.",
        _DOCS,
        "Configure AI Gateway: rate limits",
        f"{_GATEWAY}test_default_of_users_holds_for_each_and_a_limit_of_one_user_goes_before_it",
    ),
    _one(
        _ASK,
        "A group's limit is shared by its members.",
        _ASSUMED,
        "the page says limits of groups, not whose count it is",
        f"{_GATEWAY}test_group_limit_is_shared_by_its_members_and_goes_before_the_default_of_users",
    ),
    _one(
        _ASK,
        "Who is in several limited groups is refused when all of them are used up.",
        _DOCS,
        "Configure AI Gateway: rate limits",
        f"{_GATEWAY}test_member_of_two_limited_groups_is_refused_when_both_are_used_up",
    ),
    _one(
        _ASK,
        "Token limits count the tokens of answers, and refuse the call after they are used up.",
        _ASSUMED,
        "tokens are estimated before a call on Databricks; how is not documented",
        f"{_GATEWAY}test_tokens_of_answers_use_up_a_token_limit",
    ),
    _one(
        f"PUT {_ONE}/rate-limits",
        "Limits set the old way hold beside the gateway's.",
        _CLIENT,
        "databricks-sdk `ServingEndpointsAPI.put`",
        f"{_GATEWAY}test_limits_set_the_old_way_hold_too",
    ),
    _one(
        _ASK,
        "Usage of tracked endpoints is in system.serving.endpoint_usage: tokens by the model's count, else "
        "(characters + "
        "1) / 4, 0 for custom models.",
        _DOCS,
        "Configure AI Gateway: usage tracking table schemas",
        f"{_GATEWAY}test_usage_of_tracked_endpoints_is_in_the_system_tables",
    ),
    _one(
        f"PUT {_ONE}/config",
        "system.serving.served_entities of tracked endpoints has a row for each config, and one for the end.",
        _DOCS,
        "Configure AI Gateway: usage tracking table schemas (slowly changing; only tracked endpoints is ours)",
        f"{_GATEWAY}test_served_entities_are_told_anew_at_each_config_and_at_the_end",
    ),
    _one(
        _ASK,
        "system.billing.usage has the DBU of every hour that an entity is awake, until half an hour after its last "
        "request where it scales to zero, and those of a launch under a SKU of their own.",
        _DOCS,
        "Billable usage system table; Monitor model serving costs (tier, cloud and region in the SKU are ours; "
        "rates are those of components/rates.py; a server that is killed loses the hour it was in)",
        f"{_BILLING}test_a_model_that_sleeps_costs_half_an_hour_after_its_last_request_and_its_launch",
    ),
    _one(
        f"POST {_API}",
        "An endpoint that may not scale to zero is billed for its provisioned concurrency until it is deleted; "
        "system.billing.list_prices has the price.",
        _DOCS,
        "Billable usage and Pricing system table references (a GPU is billed though none is there)",
        f"{_BILLING}test_a_model_that_may_not_sleep_costs_every_hour_and_ends_with_its_endpoint",
    ),
    _one(
        f"PUT {_ONE}/ai-gateway",
        "Guardrails are for chat and completion models; safety and valid_topics, which need a model, are 501.",
        _DOCS,
        "AI Gateway: supported features (that agents of the workspace count among them is ours)",
        f"{_GATEWAY}test_guardrails_are_for_chats_and_those_that_need_a_model_are_refused",
    ),
    _one(
        _ASK,
        "Invalid keywords end a request with 400; the message is the finding as JSON.",
        _ASSUMED,
        "the shape is that of the documented safety filter",
        f"{_GATEWAY}test_invalid_keywords_end_a_request_and_words_that_hold_them_do_not",
    ),
    _one(
        _ASK,
        "E-mail addresses, phone, social security and credit card numbers are blocked or masked, by their form.",
        _ASSUMED,
        "the service finds them with Presidio, which may judge otherwise",
        f"{_GATEWAY}test_personal_data_is_blocked_or_masked",
    ),
    _one(
        _ASK,
        "Output guardrails look at whole answers and refuse streams.",
        _ASSUMED,
        "AI Gateway: output guardrails do not support streaming; the status is ours",
        f"{_GATEWAY}test_output_is_guarded_too_and_not_streamed_then",
    ),
    _one(
        _ASK,
        "With fallbacks on, an external model's 429 or 5xx is asked of the next one, also of one at 0 %.",
        _DOCS,
        "Configure AI Gateway: fallbacks",
        f"{_GATEWAY}test_failing_external_model_falls_back_to_the_next_where_that_is_on",
    ),
)
BEHAVIOURS: tuple[Behaviour, ...] = (*_LIFECYCLE, *_ASKING, *_GATEWAYS)
