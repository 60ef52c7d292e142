"""Why identity behaves as it does (workspace/parity.py)."""

from __future__ import annotations

from workspace.parity import Behaviour, Source

_SDK = "databricks-sdk 0.156"
_SCIM = "/api/2.0/preview/scim/v2"
_SECRETS = "/api/2.0/accounts/servicePrincipals/{id}/credentials/secrets"
_TESTS = "tests/workspace/test_identity.py::"
_PRINCIPALS = "tests/workspace/test_identity_principals.py::"
_TOKENS = "tests/workspace/test_identity_tokens.py::"


def _of(path: str, behaviour: str, source: Source, reference: str, test: str) -> Behaviour:
    return Behaviour(path=path, behaviour=behaviour, source=source, reference=reference, test=test)


BEHAVIOURS: tuple[Behaviour, ...] = (
    _of(
        "GET /.well-known/databricks-config",
        "Host metadata without a token: `oidc_endpoint`, `workspace_id`, `cloud`.",
        Source.CLIENT,
        f"{_SDK} `oauth.HostMetadata`, asked by every `Config`",
        f"{_TESTS}test_host_metadata_needs_no_token_and_names_the_workspace",
    ),
    _of(
        "GET /oidc/.well-known/oauth-authorization-server",
        "Discovery of the token endpoint, which the SDK learns from nowhere else.",
        Source.CLIENT,
        f"{_SDK} `oauth.get_workspace_endpoints`",
        f"{_TOKENS}test_the_sdk_signs_a_service_principal_in_with_its_secret",
    ),
    _of(
        "POST /oidc/v1/token",
        "client_credentials with HTTP Basic or in the form; a refusal is an OAuth error (RFC 6749, 5.2).",
        Source.CLIENT,
        f"{_SDK} `oauth.ClientCredentials`; page 'Authorize service principal access to Databricks with OAuth'",
        f"{_TOKENS}test_the_token_endpoint_refuses_as_oauth_says",
    ),
    _of(
        "POST /oidc/v1/token",
        "A token lasts an hour, also over a restart; afterwards it is 401.",
        Source.DOCUMENTATION,
        "page 'Authorize service principal access to Databricks with OAuth'",
        f"{_TOKENS}test_an_oauth_token_lasts_an_hour_and_a_restart",
    ),
    _of(
        "POST /oidc/v1/token",
        "Scopes other than all-apis are refused.",
        Source.ASSUMPTION,
        "finer scopes exist; the clients of this project ask for all-apis",
        f"{_TOKENS}test_the_token_endpoint_refuses_as_oauth_says",
    ),
    _of(
        f"POST/GET/DELETE {_SECRETS}/...",
        "A secret of a service principal is shown once; at most five, each with a lifetime; admins only.",
        Source.DOCUMENTATION,
        f"{_SDK} `oauth2.ServicePrincipalSecretsProxyAPI`; the limit of five: same page as the token's hour",
        f"{_TOKENS}test_secrets_of_a_service_principal_are_shown_once_limited_and_deleted",
    ),
    _of(
        f"GET {_SCIM}/Me",
        "Whoever asks, with the groups of all depths; the workspace id is in the header X-Databricks-Org-Id.",
        Source.CLIENT,
        f"{_SDK} `iam.CurrentUserAPI.me`, `WorkspaceClient.get_workspace_id`; the provider reads the header",
        f"{_TESTS}test_me_is_the_caller_with_the_workspace_id_in_the_headers",
    ),
    _of(
        f"GET {_SCIM}/Me",
        "No, an unknown, a revoked or an expired token is 401 UNAUTHENTICATED.",
        Source.CLIENT,
        f"{_SDK} `errors.Unauthenticated`; the words of an expired token are assumed",
        f"{_TESTS}test_without_the_token_every_api_answers_401_in_the_services_shape",
    ),
    _of(
        f"{_SCIM}/Users/...",
        "Users are made, found by filter, changed with PUT and PATCH, and deleted; 404 has `detail` and `status`.",
        Source.CLIENT,
        f"{_SDK} `iam.UsersAPI`, `errors.parser` (SCIM errors)",
        f"{_PRINCIPALS}test_a_user_is_made_found_changed_and_deleted",
    ),
    _of(
        f"{_SCIM}/ServicePrincipals/...",
        "An application id is made where none is given, kept where one is, and never changes.",
        Source.PROVIDER_SOURCE,
        "terraform-provider-databricks `scim/resource_service_principal.go` (application_id: ForceNew)",
        f"{_PRINCIPALS}test_a_service_principal_gets_an_application_id_and_keeps_it",
    ),
    _of(
        f"PATCH {_SCIM}/ServicePrincipals/{{id}}",
        "`replace` of `active` with a list of one value deactivates.",
        Source.PROVIDER_SOURCE,
        "terraform-provider-databricks `scim/` (disable_as_user_deletion)",
        f"{_PRINCIPALS}test_the_provider_s_deactivation_is_understood",
    ),
    _of(
        f"PATCH {_SCIM}/ServicePrincipals/{{id}}",
        "Entitlements are replaced and removed as lists; unknown ones are 400.",
        Source.PROVIDER_SOURCE,
        "terraform-provider-databricks `scim/resource_entitlements.go`",
        f"{_PRINCIPALS}test_entitlements_are_replaced_and_removed_as_the_provider_does",
    ),
    _of(
        f"{_SCIM}/Groups/...",
        "Members are added by value and removed by `members[value eq ...]`; who is deleted leaves them.",
        Source.DOCUMENTATION,
        "page 'Groups API' (SCIM 2.0), RFC 7644",
        f"{_PRINCIPALS}test_members_of_a_group_are_added_and_removed",
    ),
    _of(
        f"{_SCIM}/Groups/...",
        "A member of a member is a member; circles do no harm.",
        Source.DOCUMENTATION,
        "page 'Groups': members inherit what their groups have",
        f"{_PRINCIPALS}test_membership_goes_through_groups_also_in_circles",
    ),
    _of(
        f"{_SCIM}/Groups/...",
        "Filters: eq, ne, co, sw, ew, gt, ge, lt, le, pr, and, or, not, parentheses; others are 400 invalidFilter.",
        Source.DOCUMENTATION,
        "RFC 7644, 3.4.2.2; docstring of `iam.GroupsAPI.list`",
        f"{_PRINCIPALS}test_filters_choose_as_scim_says",
    ),
    _of(
        f"{_SCIM}/Groups/...",
        "startIndex and count page, attributes and excludedAttributes choose.",
        Source.CLIENT,
        f"{_SDK} `iam.GroupsAPI.list`",
        f"{_PRINCIPALS}test_pages_and_attributes_are_as_asked",
    ),
    _of(
        f"{_SCIM}/Groups/...",
        "Everybody reads the directory; only workspace admins change it.",
        Source.ASSUMPTION,
        "the pages name admins for changes; what exactly others read is not said",
        f"{_PRINCIPALS}test_only_admins_change_the_directory",
    ),
    _of(
        "POST /api/2.0/token/create",
        "The value of a token is shown once; expiry_time is -1 without a lifetime, which is at most 730 days.",
        Source.DOCUMENTATION,
        f"page 'Manage personal access token permissions'; {_SDK} `settings.TokensAPI`",
        f"{_TOKENS}test_a_token_is_shown_once_and_opens_the_workspace_for_its_user",
    ),
    _of(
        "GET /api/2.0/token/list",
        "One's own tokens that are valid, without values.",
        Source.CLIENT,
        f"{_SDK} `settings.TokensAPI.list`",
        f"{_TOKENS}test_a_token_ends_when_its_lifetime_does",
    ),
    _of(
        "POST /api/2.0/token/delete",
        "Revoked at once; a token of somebody else is 404.",
        Source.CLIENT,
        f"{_SDK} `settings.TokensAPI.delete`",
        f"{_TOKENS}test_a_revoked_token_opens_nothing",
    ),
    _of(
        "PATCH /api/2.0/token/{token_id}",
        "Changes the comment of one's own token.",
        Source.CLIENT,
        f"{_SDK} `settings.TokensAPI.update`",
        f"{_TOKENS}test_the_comment_of_a_token_is_changed",
    ),
    _of(
        "/api/2.0/token-management/...",
        "Admins list and revoke the tokens of all; others are refused.",
        Source.CLIENT,
        f"{_SDK} `settings.TokenManagementAPI`; the words of the refusal are assumed",
        f"{_TOKENS}test_nobody_revokes_the_tokens_of_others_but_admins",
    ),
    _of(
        "POST /api/2.0/token-management/on-behalf-of/tokens",
        "An admin makes a token for a service principal.",
        Source.CLIENT,
        f"{_SDK} `settings.TokenManagementAPI.create_obo_token`",
        f"{_TOKENS}test_an_admin_makes_a_token_for_a_service_principal",
    ),
    _of(
        "POST /_workspace/tokens",
        "A token for a user, by an admin: in the place of the sign-in page.",
        Source.ASSUMPTION,
        "the embedded workspace's own path",
        f"{_TOKENS}test_a_deleted_or_inactive_user_has_no_way_in",
    ),
)
