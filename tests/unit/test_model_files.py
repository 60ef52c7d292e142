"""A version that cannot do what the stack needs is refused at preview, by what its own files say."""

from __future__ import annotations

import io
import json
from typing import Any

import pulumi
import pytest
import yaml
from databricks.sdk.errors import NotFound, PermissionDenied

from components.model_files import ModelFilesError, check_files

MODEL = "main.taxi.fares"
PACKAGES = "mlflow==3.17.2\ndatabricks-feature-lookup==1.*\n"
KEYS = [{"name": "zip", "type": "integer", "required": True}, {"name": "tip", "type": "double", "required": False}]


class Files:
    """The Files API of a workspace, as the SDK asks it: path to text; an error is raised."""

    def __init__(self, **files: str | Exception) -> None:
        self.files = files
        self.asked: list[tuple[str, str]] = []
        self.api_client = self

    def do(self, method: str, path: str, **_: Any) -> dict[str, Any]:
        self.asked.append((method, path))
        found = self.files.get(path.rpartition("/")[2].partition(".")[0], NotFound("no such file"))
        if isinstance(found, Exception):
            raise found
        return {"contents": io.BytesIO(found.encode())}


def described(loader: str = "databricks.ml_features.mlflow_model", inputs: Any = KEYS) -> str:
    signature = None if inputs is None else {"inputs": json.dumps(inputs)}
    return yaml.safe_dump({"flavors": {"python_function": {"loader_module": loader}}, "signature": signature})


def look(files: Files, *payloads: dict[str, Any], needs_lookup: bool = True) -> None:
    check_files(MODEL, ["3"], files, needs_lookup=needs_lookup, payloads=payloads)  # type: ignore[arg-type]


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    return said


def test_a_version_with_lookups_signature_and_packages_passes_and_is_only_read(warned: list[str]) -> None:
    files = Files(MLmodel=described(), requirements=PACKAGES)
    look(files, {"dataframe_records": [{"zip": 1}]}, {"inputs": [1]})
    assert {method for method, _ in files.asked} == {"GET"}
    assert files.asked[0][1] == "/api/2.0/fs/files/Models/main/taxi/fares/3/MLmodel"
    assert warned == []


def test_a_version_that_looks_nothing_up_is_refused_where_the_stack_publishes_features() -> None:
    files = Files(MLmodel=described("mlflow.sklearn"), requirements="mlflow")
    with pytest.raises(ModelFilesError, match=r"fares version 3 is loaded by mlflow\.sklearn and looks no feature up"):
        look(files)
    look(files, needs_lookup=False)


def test_a_version_that_looks_features_up_without_the_client_for_it_is_refused() -> None:
    for packages in ("mlflow==3.17.2\n", "databricks-sdk\n# databricks-feature-lookup\n"):
        with pytest.raises(ModelFilesError, match=r"no databricks-feature-lookup in its requirements\.txt.*ML runtime"):
            look(Files(MLmodel=described(), requirements=packages))
        look(Files(MLmodel=described("mlflow.sklearn"), requirements=packages), needs_lookup=False)
    for package in ("databricks_feature_lookup>=1.9", "databricks-feature-engineering==0.13.0"):
        look(Files(MLmodel=described(), requirements=package))


def test_a_version_without_a_signature_is_refused() -> None:
    with pytest.raises(ModelFilesError, match="has no signature"):
        look(Files(MLmodel=described(inputs=None), requirements="mlflow"))


def test_a_version_without_requirements_is_refused() -> None:
    for files in (Files(MLmodel=described()), Files(MLmodel=described(), requirements=" \n")):
        with pytest.raises(ModelFilesError, match=r"has no requirements\.txt"):
            look(files)


def test_a_smoke_record_without_a_required_input_is_refused_and_one_with_a_label_is_warned_of(
    warned: list[str],
) -> None:
    files = Files(MLmodel=described(), requirements=PACKAGES)
    with pytest.raises(ModelFilesError, match="needs zip, which record 1 of the smoke queries does not send"):
        look(files, {"dataframe_records": [{"zip": 1}, {"tip": 2.0}]})
    look(files, {"dataframe_records": [{"zip": 1, "fare_amount": 7.0}]})
    (said,) = [one for one in warned if "fare_amount" in one]
    assert "does not have: the model never sees it" in said


def test_everything_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(ModelFilesError) as refused:
        look(Files(MLmodel=described("mlflow.sklearn", inputs=None)))
    assert len(str(refused.value).splitlines()) == 3


@pytest.mark.parametrize("error", [PermissionDenied("no"), NotFound("no such API"), TimeoutError("late")])
def test_files_that_cannot_be_read_are_no_reason_to_refuse(error: Exception, warned: list[str]) -> None:
    look(Files(MLmodel=error))
    assert "version 3 were not looked at" in warned[0]
