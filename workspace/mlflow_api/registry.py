"""The model registry: Unity Catalog's rules over the tables of MLflow's registry store.

What those tables have no column for (owner, who changed it last, dependencies ...) is kept in one hidden tag, so that
an object and its extra fields change in one transaction. Deleted versions stay as rows, as MLflow leaves them: their
numbers are never given out again.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from mlflow.entities.model_registry.model_version_stages import STAGE_DELETED_INTERNAL
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from workspace.errors import already_exists, invalid, invalid_state
from workspace.mlflow_api import rows
from workspace.mlflow_api.entities import FAILED, PENDING, READY, ModelVersion, RegisteredModel
from workspace.mlflow_api.names import ModelName, alias_missing, model_missing, version_missing
from workspace.mlflow_api.signatures import signature_problem
from workspace.mlflow_api.tables import SqlModelVersion, SqlRegisteredModel, SqlRegisteredModelAlias

DEFAULT_PAGE = 100
MAX_PAGE = 10_000


class ArtifactFolders(Protocol):
    """The part of the Files service that the registry needs."""

    def path(self, api_path: str) -> Path: ...

    def remove_tree(self, api_path: str) -> None: ...


class Registry:
    """Registered models, their versions, aliases and tags. Every refusal is an `ApiError`."""

    def __init__(self, engine: Engine, folders: ArtifactFolders, now: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._seconds = now
        self._folders = folders
        self._write_lock = threading.RLock()

    # --- registered models -------------------------------------------------------------------------------------------

    def create_model(
        self, name: ModelName, *, comment: str, tags: Mapping[str, str], deployment_job_id: str, by: str
    ) -> RegisteredModel:
        rows.check_tags(tags)
        with self._writing() as session:
            if self._find_model(session, name) is not None:
                raise already_exists(f"Registered model '{name.full}' already exists.")
            now = self._now()
            model = SqlRegisteredModel(name=name.full, creation_time=now, last_updated_time=now, description=comment)
            extra = {"id": str(uuid.uuid4()), "owner": by, "created_by": by, "updated_by": by}
            model.registered_model_tags = rows.model_tags(name, tags, extra | {"deployment_job_id": deployment_job_id})
            session.add(model)
            session.flush()
            return rows.to_model(name, model)

    def model(self, name: ModelName) -> RegisteredModel:
        with self._reading() as session:
            return rows.to_model(name, self._model(session, name))

    def models(
        self, *, catalog: str | None, schema: str | None, limit: int, after: str
    ) -> tuple[list[RegisteredModel], str | None]:
        """One page in the order of names, and the name to continue after."""
        prefix = "".join(f"{part.lower()}." for part in (catalog, schema) if part)
        query = (
            select(SqlRegisteredModel)
            .where(SqlRegisteredModel.name.startswith(prefix, autoescape=True), SqlRegisteredModel.name > after)
            .order_by(SqlRegisteredModel.name)
            .limit(limit + 1)
        )
        with self._reading() as session:
            found = [rows.to_model(ModelName.parse(row.name), row) for row in session.scalars(query)]
        return found[:limit], found[limit - 1].full_name if len(found) > limit else None

    def model_names(self, catalog: str, schema: str) -> list[str]:
        prefix = f"{catalog}.{schema}.".lower()
        with self._reading() as session:
            query = select(SqlRegisteredModel.name).where(SqlRegisteredModel.name.startswith(prefix, autoescape=True))
            return list(session.scalars(query))

    def update_model(self, name: ModelName, *, by: str, **changes: str) -> RegisteredModel:
        """Change `comment`, `owner` or `deployment_job_id`."""
        with self._writing() as session:
            model = self._model(session, name)
            model.description = changes.pop("comment", model.description)
            self._touch(model, by)
            rows.update_extra(model.registered_model_tags, changes)
            return rows.to_model(name, model)

    def delete_model(self, name: ModelName) -> None:
        """Delete a model with all its versions and their artifacts."""
        with self._writing() as session:
            session.delete(self._model(session, name))
        self._folders.remove_tree(name.folder)

    def tag_model(self, name: ModelName, *, add: Mapping[str, str], remove: Sequence[str], by: str) -> None:
        rows.check_tags(add)
        with self._writing() as session:
            model = self._model(session, name)
            rows.change_tags(session, model.registered_model_tags, remove, rows.model_tags(name, add, None))
            self._touch(model, by)

    # --- versions ----------------------------------------------------------------------------------------------------

    def create_version(
        self, name: ModelName, *, source: str, run_id: str, comment: str, tags: Mapping[str, str], by: str, **extra: Any
    ) -> ModelVersion:
        """The next version, PENDING_REGISTRATION until its files are uploaded and it is finalized."""
        rows.check_tags(tags)
        with self._writing() as session:
            model = self._model(session, name)
            highest = session.scalar(select(func.max(SqlModelVersion.version)).where(SqlModelVersion.name == name.full))
            number = int(highest or 0) + 1
            # A model of this name that was deleted in the middle of a kill may have left files behind.
            self._folders.remove_tree(f"{name.folder}/{number}")
            now = self._now()
            version = SqlModelVersion(
                name=name.full,
                version=number,
                creation_time=now,
                last_updated_time=now,
                description=comment,
                user_id=by,
                source=source,
                storage_location=f"dbfs:{name.folder}/{number}",
                run_id=run_id,
                status=PENDING,
            )
            version.model_version_tags = rows.version_tags(
                name, number, tags, extra | {"id": str(uuid.uuid4()), "updated_by": by}
            )
            session.add(version)
            self._touch(model, by)
            session.flush()
            return self._to_version(session, name, version)

    def finalize_version(self, name: ModelName, number: int, *, by: str) -> ModelVersion:
        """Make an uploaded version READY; one that is no valid model becomes FAILED_REGISTRATION, with a 400."""
        with self._writing() as session:
            version = self._version(session, name, number)
            if version.status == READY:
                return self._to_version(session, name, version)
            problem = signature_problem(self._folders.path(f"{name.folder}/{number}"))
            version.status = FAILED if problem else READY
            version.status_message = problem
            self._touch(version, by)
            session.flush()
            finalized = self._to_version(session, name, version)
        if problem:
            raise invalid(f"Model version '{number}' of '{name.full}' cannot be finalized. {problem}")
        return finalized

    def version(self, name: ModelName, number: int) -> ModelVersion:
        with self._reading() as session:
            return self._to_version(session, name, self._version(session, name, number))

    def versions(
        self, *, name: ModelName | None = None, run_id: str | None = None, limit: int, after: int
    ) -> tuple[list[ModelVersion], int | None]:
        """One page of a model's (or a run's) versions, and the position to continue after.

        ApiError 404 where a model is named that does not exist.
        """
        query = select(SqlModelVersion).where(SqlModelVersion.current_stage != STAGE_DELETED_INTERNAL)
        with self._reading() as session:
            if name is not None:
                self._model(session, name)
                query = query.where(SqlModelVersion.name == name.full)
            if run_id is not None:
                query = query.where(SqlModelVersion.run_id == run_id)
            query = query.order_by(SqlModelVersion.name, SqlModelVersion.version.desc()).offset(after).limit(limit + 1)
            found = [self._to_version(session, ModelName.parse(row.name), row) for row in session.scalars(query)]
        return found[:limit], after + limit if len(found) > limit else None

    def update_version(self, name: ModelName, number: int, *, comment: str | None, by: str) -> ModelVersion:
        with self._writing() as session:
            version = self._version(session, name, number)
            if comment is not None:
                version.description = comment
            self._touch(version, by)
            return self._to_version(session, name, version)

    def delete_version(self, name: ModelName, number: int, *, by: str) -> None:
        """Delete a version, its artifacts and the aliases that point to it."""
        with self._writing() as session:
            version = self._version(session, name, number)
            for alias in version.registered_model.registered_model_aliases:
                if alias.version == number:
                    session.delete(alias)
            version.current_stage = STAGE_DELETED_INTERNAL
            self._touch(version, by)
            self._touch(version.registered_model, by)
        self._folders.remove_tree(f"{name.folder}/{number}")

    def tag_version(
        self, name: ModelName, number: int, *, add: Mapping[str, str], remove: Sequence[str], by: str
    ) -> None:
        rows.check_tags(add)
        with self._writing() as session:
            version = self._version(session, name, number)
            rows.change_tags(session, version.model_version_tags, remove, rows.version_tags(name, number, add, None))
            self._touch(version, by)

    def check_uploadable(self, name: ModelName, number: int) -> None:
        """ApiError unless the version awaits its files: a READY version never changes."""
        version = self.version(name, number)
        if version.status != PENDING:
            raise invalid_state(
                f"The files of model version '{number}' of '{name.full}' cannot change, because its status is "
                f"{version.status}. Create a new version instead."
            )

    # --- aliases -----------------------------------------------------------------------------------------------------

    def set_alias(self, name: ModelName, alias: str, number: int, *, by: str) -> None:
        with self._writing() as session:
            model = self._model(session, name)
            self._version(session, name, number)
            session.merge(
                SqlRegisteredModelAlias(workspace=model.workspace, name=name.full, alias=alias, version=number)
            )
            self._touch(model, by)

    def delete_alias(self, name: ModelName, alias: str, *, by: str) -> None:
        with self._writing() as session:
            model = self._model(session, name)
            session.delete(self._alias(session, name, alias))
            self._touch(model, by)

    def version_by_alias(self, name: ModelName, alias: str) -> ModelVersion:
        with self._reading() as session:
            self._model(session, name)
            row = self._alias(session, name, alias)
            return self._to_version(session, name, self._version(session, name, row.version))

    # --- rows --------------------------------------------------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with Session(self._engine) as session:
            yield session

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        with self._write_lock, Session(self._engine) as session, session.begin():
            yield session

    def _find_model(self, session: Session, name: ModelName) -> Any:
        return session.scalars(select(SqlRegisteredModel).where(SqlRegisteredModel.name == name.full)).one_or_none()

    def _model(self, session: Session, name: ModelName) -> Any:
        model = self._find_model(session, name)
        if model is None:
            raise model_missing(name)
        return model

    def _version(self, session: Session, name: ModelName, number: int) -> Any:
        self._model(session, name)
        query = select(SqlModelVersion).where(
            SqlModelVersion.name == name.full,
            SqlModelVersion.version == number,
            SqlModelVersion.current_stage != STAGE_DELETED_INTERNAL,
        )
        version = session.scalars(query).one_or_none()
        if version is None:
            raise version_missing(name, number)
        return version

    def _alias(self, session: Session, name: ModelName, alias: str) -> Any:
        query = select(SqlRegisteredModelAlias).where(
            SqlRegisteredModelAlias.name == name.full, SqlRegisteredModelAlias.alias == alias
        )
        row = session.scalars(query).one_or_none()
        if row is None:
            raise alias_missing(name, alias)
        return row

    def _to_version(self, session: Session, name: ModelName, version: Any) -> ModelVersion:
        return rows.to_version(name, version, self._folders.path(f"{name.folder}/{version.version}"))

    def _now(self) -> int:
        return int(self._seconds() * 1_000)

    def _touch(self, row: Any, by: str) -> None:
        row.last_updated_time = self._now()
        tags = row.registered_model_tags if isinstance(row, SqlRegisteredModel) else row.model_version_tags
        rows.update_extra(tags, {"updated_by": by})


def page_limit(requested: object) -> int:
    """How many results a page has; 0 and nothing mean that the server chooses."""
    text = str(requested or 0)
    if not text.isdigit():
        raise invalid(f"Invalid max_results {requested!r}: expected a whole number")
    return min(int(text) or DEFAULT_PAGE, MAX_PAGE)
