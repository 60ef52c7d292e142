"""Passengers that break a rule are refused before anything is written; generated ones are like the file's."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from pipelines.errors import PipelineError
from pipelines.titanic import sample
from pipelines.titanic.models.passenger_model import PassengerModel
from pipelines.titanic.passengers import COLUMNS, FILE_NAME, Record, as_line, checked, read
from pipelines.titanic.publish import store_of
from pipelines.titanic.tables import FEATURE_TYPES, FLAGS, NUMBERS, TEXTS, statement
from pipelines.titanic.training import feature_spec, packages, train
from tests.support.records import write_records

STORE = {
    "FEATURE_STORE_HOST": "127.0.0.1",
    "FEATURE_STORE_PORT": "1",
    "FEATURE_STORE_DATABASE": "feature_store",
    "FEATURE_STORE_TABLE": "online_feature_table",
    "FEATURE_STORE_USER": "reader",
    "FEATURE_STORE_PASSWORD": "read-with-this",
}


def written(folder: Path, records: list[Record], columns: list[str] | None = None) -> Path:
    write_records(folder / FILE_NAME, columns or COLUMNS, records)
    return folder


def some() -> list[Record]:
    return sample.generate(7)[:3]


def test_the_same_seed_gives_the_same_passengers_as_many_as_there_were() -> None:
    records = sample.generate(7)
    assert records == sample.generate(7)
    assert records != sample.generate(8)
    assert len(checked(records, "sample")) == 891
    assert 0.3 < sum(record["survived"] == "1" for record in records) / 891 < 0.5
    assert 0.1 < sum(record["age"] == "" for record in records) / 891 < 0.3


def test_the_number_of_the_row_is_the_passengers_id(tmp_path: Path) -> None:
    found = read(written(tmp_path, some()))
    assert [record["PassengerId"] for record in found] == ["1", "2", "3"]
    assert [{name: record[name] for name in COLUMNS} for record in found] == some()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"survived": "yes"}, "survived is 'yes'; use 0 or 1"),
        ({"pclass": "4"}, "pclass is '4'; use 1 or 2 or 3"),
        ({"sex": ""}, "sex is empty"),
        ({"sibsp": "-1"}, "sibsp is '-1', not a whole number"),
        ({"fare": "nan"}, "fare is 'nan', not a number"),
        ({"age": "old"}, "age is 'old', not a number"),
        ({"alone": "maybe"}, "alone is 'maybe'; use true or false"),
        ({"embark_town": "Cher;bourg"}, "embark_town is 'Cher;bourg'; a text has neither"),
    ],
)
def test_a_passenger_who_breaks_a_rule_is_named_with_the_value(change: Record, says: str, tmp_path: Path) -> None:
    records = some()
    records[1] |= change
    with pytest.raises(PipelineError, match=rf"passenger 2: {re.escape(says)}"):
        read(written(tmp_path, records))


def test_what_nobody_noted_may_be_blank(tmp_path: Path) -> None:
    records = some()
    records[0] |= {"age": "", "deck": "", "embarked": "", "embark_town": ""}
    assert read(written(tmp_path, records))[0]["deck"] == ""


def test_a_missing_column_or_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"titanic\.csv is not there: --data takes a folder"):
        read(tmp_path)
    with pytest.raises(PipelineError, match="lacks the column fare"):
        read(written(tmp_path, some(), [name for name in COLUMNS if name != "fare"]))


def test_a_record_travels_with_all_its_fields_and_its_split() -> None:
    fields = as_line(checked(some(), "sample")[0]).split("|")
    assert fields[0] == "1"
    assert len(fields) == 1 + len(COLUMNS) + 1
    assert fields[-1] in ("train", "test")


def test_the_tables_have_the_declared_features_and_none_of_them_is_the_label() -> None:
    online = statement("create_online")
    for name, kind in FEATURE_TYPES.items():
        assert f"  {name} {kind.upper()}" in online
    assert "Survived" not in online
    assert "'delta.enableChangeDataFeed' = 'true'" in online
    assert {*TEXTS, *NUMBERS, *FLAGS} == set(FEATURE_TYPES)


def test_the_caller_has_to_send_the_id_alone() -> None:
    signature = feature_spec("c.s", "table-id").signature("Survived", "bigint")
    required = [column.name for column in signature.inputs if column.required]
    assert required == ["PassengerId"]


def test_a_model_that_learned_beats_the_guess_and_too_few_passengers_are_refused() -> None:
    frame = framed(sample.generate(7))
    trained = train(frame, 7)
    assert trained.quality.accuracy > 0.68
    assert trained.quality.roc_auc > 0.7
    with pytest.raises(PipelineError, match="are too few to train"):
        train(frame.head(40), 7)
    assert set(packages("pymysql")) > {"mlflow", "pymysql"}


def test_merge_is_the_mode_that_there_is() -> None:
    with pytest.raises(PipelineError, match="mode is 'overwrite'; 'merge' is the one"):
        store_of({"mode": "overwrite"})


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PassengerModel:
    """The model as an endpoint loads it, with a store that does not answer."""

    class Context:
        artifacts = {"model": str(tmp_path / "model.joblib"), "features": str(tmp_path / "features.json")}  # noqa: RUF012

    import joblib

    joblib.dump(None, Context.artifacts["model"])
    Path(Context.artifacts["features"]).write_text(json.dumps(dict(FEATURE_TYPES)))
    for name, value in STORE.items():
        monkeypatch.setenv(name, value)
    made = PassengerModel()
    made.load_context(Context())
    return made


def asked() -> pd.DataFrame:
    return pd.DataFrame({"PassengerId": [1]})


def test_a_store_that_does_not_answer_is_said_at_once_and_without_the_password(model: PassengerModel) -> None:
    with pytest.raises(MlflowException) as failed:
        model.predict(None, asked())
    assert "the feature store at 127.0.0.1:1 gave no features" in str(failed.value)
    assert failed.value.error_code == "TEMPORARILY_UNAVAILABLE"
    assert "read-with-this" not in str(failed.value)
    assert failed.value.__cause__ is None


@pytest.mark.parametrize("name", sorted(STORE))
def test_a_variable_that_the_entity_lacks_is_named(
    model: PassengerModel, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(MlflowException, match=rf"the served entity has no {name}: set it in environment_vars"):
        model.predict(None, asked())


@pytest.mark.parametrize(("name", "value"), [("FEATURE_STORE_TABLE", "a`; DROP"), ("FEATURE_STORE_PORT", "mysql")])
def test_a_variable_that_is_none_is_refused(
    model: PassengerModel, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(MlflowException, match=f"{name} is"):
        model.predict(None, asked())


def framed(records: list[Record]) -> pd.DataFrame:
    """The training set as the warehouse would give it."""
    from pipelines.titanic.passengers import is_held_out

    rows: list[dict[str, Any]] = []
    for record in checked(records, "sample"):
        size = int(record["sibsp"]) + int(record["parch"]) + 1
        rows.append(
            {
                "PassengerId": int(record["PassengerId"]),
                "Sex": record["sex"],
                "Age": float(record["age"]) if record["age"] else None,
                "Who": record["who"],
                "AdultMale": float(record["adult_male"] == "True"),
                "SiblingsSpouses": float(record["sibsp"]),
                "ParentsChildren": float(record["parch"]),
                "FamilySize": float(size),
                "Alone": float(record["alone"] == "True"),
                "Pclass": float(record["pclass"]),
                "Fare": float(record["fare"]),
                "FarePerPerson": float(record["fare"]) / size,
                "Embarked": record["embarked"],
                "EmbarkTown": record["embark_town"],
                "Deck": record["deck"] or None,
                "Survived": int(record["survived"]),
                "split": "test" if is_held_out(record["PassengerId"]) else "train",
            }
        )
    return pd.DataFrame(rows)
