"""The model that reads its features itself, on a real MySQL server, as an endpoint's process does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from components.external_store import ExternalOnlineStoreArgs, StoreTlsArgs
from components.external_store_sql import StoreAccount
from pipelines.external_columns import KeyedColumns
from pipelines.external_publish import Copy
from pipelines.titanic import sample
from pipelines.titanic.models.passenger_model import POOL_SIZE, PassengerModel
from pipelines.titanic.tables import FEATURE_TYPES, FLAGS, NUMBERS
from pipelines.titanic.training import train
from tests.support.database import Database
from tests.unit import test_external_store
from tests.unit.pipelines.test_titanic_passengers import framed
from toolchain.certificates import CA, make_certificates

DATABASE = "titanic_model"


@pytest.fixture(scope="module")
def passengers() -> pd.DataFrame:
    return framed(sample.generate(7))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, passengers: pd.DataFrame, database: Database) -> Path:
    """A fitted model's artifacts; its passengers are in the store."""
    made = tmp_path_factory.mktemp("model")
    joblib.dump(train(passengers, 7).model, made / "model.joblib")
    (made / "features.json").write_text(json.dumps(dict(FEATURE_TYPES)))
    database.set_up(StoreAccount(database=DATABASE, client_host="127.0.0.1"))
    columns = KeyedColumns(types={"PassengerId": "bigint", **FEATURE_TYPES}, key=["PassengerId"])
    rows = passengers[["PassengerId", *FEATURE_TYPES]].astype(object)
    with database.connect("writer", database.spec(DATABASE)) as connection:
        copy = Copy(connection, "online_feature_table", columns)
        copy.prepare()
        copy.upsert([tuple(row) for row in rows.where(rows.notna(), None).itertuples(index=False)])
        connection.commit()
    return made


@pytest.fixture
def model(folder: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[PassengerModel]:
    """The model with the environment that the component gives to a served entity, secrets filled in."""

    class Context:
        artifacts = {"model": str(folder / "model.joblib"), "features": str(folder / "features.json")}  # noqa: RUF012

    for name, value in environment(database).items():
        monkeypatch.setenv(name, value)
    made = PassengerModel()
    made.load_context(Context())
    yield made
    if made._engine is not None:
        made._engine.dispose()


def environment(database: Database) -> dict[str, str]:
    args: ExternalOnlineStoreArgs = test_external_store.args(
        hostname="127.0.0.1", port=database.server.port, database=DATABASE, tls=StoreTlsArgs(ca=database.ca)
    )
    filled = {
        "{{secrets/feature_store_reader/feature_store-user}}": "reader",
        "{{secrets/feature_store_reader/feature_store-password}}": database.passwords["reader"],
    }
    return {name: filled.get(value, value) for name, value in args.serving_environment.items()}


def asked(*passengers: int) -> pd.DataFrame:
    return pd.DataFrame({"PassengerId": passengers})


def test_answers_are_those_of_the_features_themselves_in_the_order_asked(
    model: PassengerModel, folder: Path, passengers: pd.DataFrame
) -> None:
    ids = [5, 3, 800, 3, *range(1, 200)]
    found = model.predict(None, asked(*ids))
    features = passengers.set_index("PassengerId").loc[ids][list(FEATURE_TYPES)]
    expected = joblib.load(folder / "model.joblib").predict(features.astype(dict.fromkeys((*NUMBERS, *FLAGS), float)))
    assert found.tolist() == expected.tolist()


def test_every_unknown_passenger_is_named_and_nobody_is_guessed(model: PassengerModel) -> None:
    with pytest.raises(MlflowException, match="PassengerId 1000, 2000 is not in the feature store") as refused:
        model.predict(None, asked(1, 2000, 1000))
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


def test_many_callers_share_few_connections(model: PassengerModel, database: Database) -> None:
    answers: list[Any] = []
    database.server.run_sql("FLUSH STATUS;")
    callers = [
        threading.Thread(target=lambda: answers.extend(model.predict(None, asked(1, 2)).tolist())) for _ in range(24)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=30)
    assert len(answers) == 48
    # The administrator who asks is one more.
    most = database.server.run_sql("SHOW GLOBAL STATUS LIKE 'Max_used_connections';")
    assert 2 <= int(most.split()[-1]) <= POOL_SIZE + 1


def test_a_connection_that_the_server_ended_is_replaced(model: PassengerModel, database: Database) -> None:
    before = model.predict(None, asked(1)).tolist()
    database.server.run_sql("KILL USER 'reader'@'127.0.0.1';")
    assert model.predict(None, asked(1)).tolist() == before


def test_a_server_that_somebody_else_vouches_for_is_not_asked(
    model: PassengerModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    make_certificates(tmp_path)
    monkeypatch.setenv("FEATURE_STORE_CA", (tmp_path / CA).read_text())
    with pytest.raises(MlflowException, match="certificate verify failed") as refused:
        model.predict(None, asked(1))
    assert database.passwords["reader"] not in str(refused.value)
    monkeypatch.delenv("FEATURE_STORE_CA")
    model._engine = None
    with pytest.raises(MlflowException, match="Access denied"):
        model.predict(None, asked(1))
