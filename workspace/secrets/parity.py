"""Why secrets behave as they do (workspace/parity.py)."""

from __future__ import annotations

from workspace.parity import Behaviour, Source

_API = "databricks-sdk 0.156 `workspace.SecretsAPI`"
_BASE = "/api/2.0/secrets"
_TESTS = "tests/workspace/test_secrets.py::"


def _of(path: str, behaviour: str, source: Source, reference: str, test: str) -> Behaviour:
    return Behaviour(path=path, behaviour=behaviour, source=source, reference=reference, test=_TESTS + test)


BEHAVIOURS: tuple[Behaviour, ...] = (
    _of(
        f"POST {_BASE}/scopes/create",
        "Its maker manages a scope, or all users where `users` is the initial manager; no other initial manager.",
        Source.DOCUMENTATION,
        f"{_API}.create_scope",
        "test_whoever_makes_a_scope_manages_it_and_admins_all",
    ),
    _of(
        f"POST {_BASE}/scopes/create",
        "A scope that is there is 400 RESOURCE_ALREADY_EXISTS 'Scope x already exists!'.",
        Source.ASSUMPTION,
        f"the code is that of {_API}.create_scope; status and words are remembered, not published",
        "test_a_scope_goes_with_all_that_is_in_it",
    ),
    _of(
        f"POST {_BASE}/scopes/create",
        "Names have 1 to 128 letters, digits, dashes, underscores, @ and periods.",
        Source.DOCUMENTATION,
        "page 'Secret management'",
        "test_names_that_cannot_be_are_refused",
    ),
    _of(
        f"POST {_BASE}/scopes/create",
        "Scopes that Azure Key Vault backs are refused by name.",
        Source.ASSUMPTION,
        "the embedded workspace has no vault to ask",
        "test_another_backend_is_refused",
    ),
    _of(
        f"GET {_BASE}/scopes/list",
        "All scopes, whoever asks.",
        Source.DOCUMENTATION,
        f"{_API}.list_scopes",
        "test_a_scope_goes_with_all_that_is_in_it",
    ),
    _of(
        f"POST {_BASE}/scopes/delete",
        "Secrets and permissions go with their scope.",
        Source.CLIENT,
        f"{_API}.delete_scope",
        "test_a_scope_goes_with_all_that_is_in_it",
    ),
    _of(
        f"POST {_BASE}/put",
        "A secret is written over; at most 128 KB, 1000 in a scope; exactly one of string_value and bytes_value.",
        Source.DOCUMENTATION,
        f"{_API}.put_secret",
        "test_a_value_is_at_most_128_kilobytes_and_given_once",
    ),
    _of(
        f"POST {_BASE}/put",
        "Values are in no other answer, error, log or file.",
        Source.DOCUMENTATION,
        "page 'Secret management': values are encrypted and redacted",
        "test_values_are_in_one_file_that_nobody_else_reads_and_survive_a_kill",
    ),
    _of(
        f"GET {_BASE}/get",
        "The value in base64, to those with READ.",
        Source.CLIENT,
        f"{_API}.get_secret",
        "test_a_secret_is_written_listed_read_written_over_and_deleted",
    ),
    _of(
        f"GET {_BASE}/list",
        "Keys and when they were written, in milliseconds.",
        Source.CLIENT,
        f"{_API}.list_secrets; the provider reads `last_updated_timestamp`",
        "test_a_secret_is_written_listed_read_written_over_and_deleted",
    ),
    _of(
        f"POST {_BASE}/delete",
        "A secret that is not there is 404.",
        Source.DOCUMENTATION,
        f"{_API}.delete_secret",
        "test_a_secret_is_written_listed_read_written_over_and_deleted",
    ),
    _of(
        f"{_BASE}/acls/...",
        "READ, WRITE and MANAGE, each with those before it, by user, service principal or group.",
        Source.DOCUMENTATION,
        f"{_API}.put_acl",
        "test_each_permission_allows_what_it_says_and_no_more",
    ),
    _of(
        f"GET {_BASE}/acls/list",
        "The list is called `items`.",
        Source.CLIENT,
        "databricks-sdk 0.156 `workspace.ListAclsResponse`; its docstring says `acls`",
        "test_whoever_makes_a_scope_manages_it_and_admins_all",
    ),
    _of(
        f"GET {_BASE}/list",
        "'<user> does not have READ permission on scope <scope> to perform this action.'",
        Source.CLIENT,
        "seen in answers of a workspace: paiqo/Databricks-VSCode issue 43",
        "test_each_permission_allows_what_it_says_and_no_more",
    ),
)
