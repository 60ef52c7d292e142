"""`PassengerModel`: a passenger's id in, the prediction out; it reads the passenger's features from MySQL itself.

Model Serving looks features up in online tables, and MySQL is none of them (Databricks documentation, "Third-party
online stores": RDS and Aurora MySQL are not listed for lookup). So the model does what the lookup would: with the
reader's user and password, which the served entity gets from a secret scope as environment variables. Logged as code;
imports nothing of the project.
"""

from __future__ import annotations

import json
import os
import re
import ssl
import threading
from typing import Any, Final

import joblib
import mlflow
import numpy as np
import pandas as pd
import sqlalchemy
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, TEMPORARILY_UNAVAILABLE
from mlflow.pyfunc.model import PythonModel

KEY = "PassengerId"
NEEDED = (
    "FEATURE_STORE_HOST",
    "FEATURE_STORE_PORT",
    "FEATURE_STORE_DATABASE",
    "FEATURE_STORE_TABLE",
    "FEATURE_STORE_USER",
    "FEATURE_STORE_PASSWORD",
)
LOOPBACK = ("127.0.0.1", "localhost", "::1")
# An endpoint's caller waits: the store answers at once or not at all.
CONNECT_SECONDS: Final = 3
ANSWER_SECONDS: Final = 5
POOL_SIZE: Final = 4
RECYCLE_SECONDS: Final = 300
_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
_PORT = re.compile(r"[1-9][0-9]{0,4}")


class PassengerModel(PythonModel):
    """Column `PassengerId` (long); one 0 or 1 for each row, whether the passenger is expected to survive."""

    def load_context(self, context: Any) -> None:
        self._model = joblib.load(context.artifacts["model"])
        with open(context.artifacts["features"], encoding="utf-8") as file:
            self._features: dict[str, str] = json.load(file)
        # Not connected while the model is loaded: a version can be validated where there is no store.
        self._engine: sqlalchemy.Engine | None = None
        self._connecting = threading.Lock()

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> np.ndarray[Any, Any]:
        asked = [int(value) for value in model_input[KEY]]
        rows = self._rows(sorted(set(asked)))
        if missing := sorted(set(asked) - set(rows)):
            raise MlflowException(
                f"{KEY} {', '.join(map(str, missing))} is not in the feature store "
                f"({os.environ['FEATURE_STORE_TABLE']}). Ask for a passenger who is, or publish the table again.",
                error_code=INVALID_PARAMETER_VALUE,
            )
        frame = pd.DataFrame([rows[one] for one in asked], columns=list(self._features))
        numbers = [name for name, kind in self._features.items() if kind != "string"]
        return np.asarray(self._model.predict(frame.astype(dict.fromkeys(numbers, float)))).astype("int64")

    def _rows(self, keys: list[int]) -> dict[int, tuple[Any, ...]]:
        """Features by key, in the model's order; keys that the store does not have are left out."""
        engine = self._connected()
        table = os.environ["FEATURE_STORE_TABLE"]
        columns = ", ".join(f"`{name}`" for name in (KEY, *self._features))
        query = sqlalchemy.text(
            f"SELECT {columns} FROM `{table}` WHERE `{KEY}` IN :keys"  # noqa: S608 - the names are checked
        ).bindparams(sqlalchemy.bindparam("keys", expanding=True))
        try:
            with engine.connect() as connection:
                return {int(row[0]): tuple(row[1:]) for row in connection.execute(query, {"keys": keys})}
        # Whatever a database driver raises may repeat what it was told; its number and words are enough.
        except sqlalchemy.exc.DBAPIError as error:
            raise _unavailable(str(error.orig.args[-1]) if error.orig and error.orig.args else "no answer") from None
        except sqlalchemy.exc.TimeoutError:
            raise _unavailable(f"all {POOL_SIZE} connections are in use") from None

    def _connected(self) -> sqlalchemy.Engine:
        with self._connecting:
            if self._engine is None:
                self._engine = _engine_of(_settings())
            return self._engine


def _settings() -> dict[str, str]:
    """What the environment says of the store, by the last words of the variables."""
    if missing := [name for name in NEEDED if not os.environ.get(name)]:
        raise MlflowException(
            f"the served entity has no {', '.join(missing)}: set it in environment_vars, user and password as "
            "references to the reader's secret scope, {{secrets/<scope>/<key>}}",
            error_code=INVALID_PARAMETER_VALUE,
        )
    settings = {name.removeprefix("FEATURE_STORE_").lower(): os.environ[name] for name in NEEDED}
    for name, form, fix in (("table", _NAME, "letters, digits and underscores"), ("port", _PORT, "a number")):
        if not form.fullmatch(settings[name]):
            raise MlflowException(
                f"FEATURE_STORE_{name.upper()} is {settings[name]!r}; use {fix}", error_code=INVALID_PARAMETER_VALUE
            )
    return settings


def _engine_of(settings: dict[str, str]) -> sqlalchemy.Engine:
    """Few connections, kept: each is looked at before it is used, and none waits for long."""
    return sqlalchemy.create_engine(
        sqlalchemy.URL.create(
            "mysql+pymysql",
            username=settings["user"],
            password=settings["password"],
            host=settings["host"],
            port=int(settings["port"]),
            database=settings["database"],
            query={"charset": "utf8mb4"},
        ),
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=ANSWER_SECONDS,
        pool_recycle=RECYCLE_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": ANSWER_SECONDS,
            "write_timeout": ANSWER_SECONDS,
            **_tls(settings["host"]),
        },
    )


def _tls(host: str) -> dict[str, Any]:
    """Verified, always; without a CA of its own only on this machine, where it is off."""
    authority = os.environ.get("FEATURE_STORE_CA", "")
    if host in LOOPBACK and not authority:
        return {"ssl_disabled": True}
    return {"ssl": ssl.create_default_context(cadata=authority or None)}


def _unavailable(reason: str) -> MlflowException:
    where = f"{os.environ['FEATURE_STORE_HOST']}:{os.environ['FEATURE_STORE_PORT']}"
    return MlflowException(
        f"the feature store at {where} gave no features: {reason}", error_code=TEMPORARILY_UNAVAILABLE
    )


mlflow.models.set_model(PassengerModel())
