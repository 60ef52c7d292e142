"""Copies a proven model version into another catalog, with the proof: the step before a promotion across stacks.

    python -m components.dynamic.alias_copy staging.ml.fare/7 prod.ml.fare

Source: MLflow, `MlflowClient.copy_model_version`: a new version with the same files, run, description and tags. The tag
`promoted_from` is added, which `ModelAlias(promoted_from=...)` compares with what the source says when an alias moves.
The same version is not copied twice: the copy that is there gets the newer proof.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from ..names import InvalidNameError, ThreePartName, check_alias, check_version
from .alias_journal import COPIED_FROM, entry_in, evidence_in, journal_key
from .errors import ProviderError

if TYPE_CHECKING:
    from mlflow import MlflowClient

_CHAMPION_TAG = journal_key("champion")


def copy_version(client: MlflowClient, source: str, target: str, *, evidence_tag: str) -> str:
    """Copies a version, or finds its copy; returns the copy's version number.

    Args:
        client: of a workspace that can read the source and write the target.
        source: `catalog.schema.model/version`, or `...@alias`.
        target: registered model, `catalog.schema.model`; made where it does not exist.
        evidence_tag: the source's tag that holds the digest of its proof.

    Raises:
        ProviderError: the source has no proof.
        InvalidNameError: a name is none.
        mlflow.exceptions.MlflowException: the registry refused.
    """
    model, version = _source(client, source)
    target = str(ThreePartName.parse(target, what="target"))
    found = client.get_model_version(model, version)
    evidence = evidence_in(found.tags.get(evidence_tag))
    if evidence is None:
        raise ProviderError(
            f"{model} version {version} has no digest in tag {evidence_tag} "
            f"(its tags: {', '.join(sorted(found.tags)) or 'none'}): not copied",
            "Let its stack prove it and move its alias, which writes the tag; or name another with --evidence-tag",
        )
    copy = _copy_of(client, target, model, version)
    if copy is None:
        copy = str(client.copy_model_version(f"models:/{model}/{version}", target).version)
    entry = {"model": model, "version": version, "evidence": evidence}
    client.set_model_version_tag(target, copy, COPIED_FROM, json.dumps(entry, separators=(",", ":")))
    return copy


def _source(client: MlflowClient, source: str) -> tuple[str, str]:
    name, at, alias = source.partition("@")
    if at:
        model = str(ThreePartName.parse(name, what="source"))
        return model, str(client.get_model_version_by_alias(model, check_alias(alias)).version)
    name, _, version = source.partition("/")
    return str(ThreePartName.parse(name, what="source")), check_version(version)


def _copy_of(client: MlflowClient, target: str, model: str, version: str) -> str | None:
    # A search on Unity Catalog shows no tags.
    numbers = [str(one.version) for one in client.search_model_versions(f"name='{target}'")]
    for number in sorted(numbers, key=int, reverse=True):
        entry = entry_in(client.get_model_version(target, number).tags.get(COPIED_FROM))
        if (entry.get("model"), entry.get("version")) == (model, version):
            return number
    return None


def main(arguments: list[str] | None = None) -> int:
    """The command; 0 where the copy is there."""
    parser = argparse.ArgumentParser(prog="python -m components.dynamic.alias_copy", description=__doc__.split("\n")[0])
    parser.add_argument("source", help="catalog.schema.model/version, or catalog.schema.model@alias")
    parser.add_argument("target", help="registered model, catalog.schema.model")
    parser.add_argument("--evidence-tag", default=_CHAMPION_TAG, help="tag of the source that holds its proof")
    options = parser.parse_args(arguments)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient(tracking_uri="databricks", registry_uri="databricks-uc")
    try:
        copy = copy_version(client, options.source, options.target, evidence_tag=options.evidence_tag)
    except (ProviderError, InvalidNameError, MlflowException) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{options.target} version {copy}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
