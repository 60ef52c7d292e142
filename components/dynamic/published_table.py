"""`PublishedTable`: a feature table's copy in an online store, in step with its source before anything depends on it.

The plugin has no resource for it: `OnlineTable` is gone since January 2026, and publishing is a call. What would
make that call fail, or succeed with a copy nobody can look up, is refused in preview with the SQL that mends it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    UpdateResult,
)

from ..names import InvalidNameError, ThreePartName, check_online_table
from . import engine, lag, publication
from .copy_args import CopyArgs
from .errors import AbsentError, PartlyMadeError, ProviderError, WorkspaceError
from .explicit_provider import WorkspaceResource
from .provider import Props, WorkspaceProvider, changed, guarded, is_unknown, known, without_provider
from .table_checks import MODES, Publication, seen_primary_keys, source_problems
from .waiting import wait_for

# The service refuses to publish under the same name differently (409), so every one of these makes another copy.
_IDENTITY = ("source_table", "online_store", "online_table", "primary_keys", "timeseries_key", "publish_mode")
_CHECKED = ("source_table", "primary_keys", "timeseries_key", "publish_mode")
_SYNC_REMEDY = (
    "A first sync takes minutes to hours with the table's size: look at the pipeline, or raise timeout_seconds"
)


class PublishedTableProvider(WorkspaceProvider):
    """Publishes, waits for the first sync, watches, and unpublishes."""

    @guarded
    def check(self, _olds: Props, news: Props) -> CheckResult:
        """Names and mode, then the source table as the workspace has it. Reads only."""
        inputs = without_provider(news)
        failures = [*self._form(inputs), *self._limits(inputs)]
        if not failures and not any(is_unknown(inputs.get(name)) for name in _CHECKED):
            failures = self._source(inputs)
        return CheckResult(inputs, failures)

    @guarded
    def diff(self, _id: str, _olds: Props, _news: Props) -> DiffResult:
        """Another publication replaces this one; a failed sync, a new trigger or provider version syncs again."""
        replaces = changed(_olds, _news, _IDENTITY)
        again = changed(_olds, _news, ["provider_version", "triggers"]) or _olds.get("state") in publication.INCOMPLETE
        # Two publications of one name cannot stand side by side.
        same_name = str(_olds.get("online_table")).lower() == str(known(_news, "online_table")).lower()
        if replaces and same_name:
            engine.warn(
                f"{', '.join(replaces)} changed: online table {_olds['online_table']} is deleted and published anew. "
                "Endpoints that look features up in it find none until it is online again; publish under another "
                "online_table first to avoid that"
            )
        return DiffResult(changes=bool(replaces or again), replaces=replaces, delete_before_replace=same_name)

    @guarded
    def create(self, props: Props) -> CreateResult:
        """Publishes, or adopts the same publication, and waits until it is online.

        A copy that was made and does not come online goes into state as it is: the next `up` syncs it again, and
        destroy finds it.
        """
        inputs = without_provider(props)
        online_table = inputs["online_table"]
        pipeline_id = self._publish(inputs)
        try:
            state = self._wait(inputs, pipeline_id, last_update=None)
            self._fresh_enough(inputs)
            self._within_lag(inputs)
        except ProviderError as error:
            outs = {**inputs, "pipeline_id": pipeline_id, "state": publication.PROVISIONING}
            raise PartlyMadeError(online_table, outs, str(error)) from None
        return CreateResult(id_=online_table, outs={**inputs, "pipeline_id": pipeline_id, "state": state})

    @guarded
    def read(self, id_: str, props: Props) -> ReadResult:
        """The copy as it is: gone when it was deleted; its state, its mode, and the key that its source has now."""
        outs = without_provider(props)
        if not publication.table_exists(self.client, outs["online_table"]):
            return ReadResult(id_="", outs={})
        state = publication.sync_state(self.client, outs["pipeline_id"])
        outs["state"] = state.word
        if state.is_continuous != (outs["publish_mode"] == publication.CONTINUOUS) and state.update_id is not None:
            # A pipeline does not tell SNAPSHOT from TRIGGERED; only that it is continuous, or not.
            outs["publish_mode"] = publication.CONTINUOUS if state.is_continuous else "TRIGGERED"
        try:
            source = publication.read_table(self.client, outs["source_table"])
        except AbsentError:
            # The copy outlives its source; the next preview names what is missing.
            return ReadResult(id_=id_, outs=outs)
        outs["primary_keys"] = seen_primary_keys(source, outs["primary_keys"], outs.get("timeseries_key"))
        return ReadResult(id_=id_, outs=outs)

    @guarded
    def update(self, _id: str, _olds: Props, _news: Props) -> UpdateResult:
        """Syncs again and waits: a trigger says that the source has moved on, or the last sync failed.

        A triggered sync that is under way ends first: it cannot be started again meanwhile (409), and what it copies
        may be older than the trigger. A continuous one never ends and needs no other one.
        """
        inputs = without_provider(_news)
        last = self._last_update(inputs, _olds["pipeline_id"])
        pipeline_id = self._publish(inputs)
        if last is not None and publication.sync_state(self.client, pipeline_id).update_id == last:
            publication.start_sync(self.client, pipeline_id)
        state = self._wait(inputs, pipeline_id, last_update=last)
        self._fresh_enough(inputs)
        self._within_lag(inputs)
        return UpdateResult(outs={**inputs, "pipeline_id": pipeline_id, "state": state})

    @guarded
    def delete(self, _id: str, _props: Props) -> None:
        """Deletes the copy and waits until its name is free."""
        online_table = _props["online_table"]
        publication.unpublish(self.client, online_table)
        wait_for(
            lambda: (None if publication.table_exists(self.client, online_table) else True, "still there"),
            what=f"deleting online table {online_table}",
            poll_seconds=_props.get("poll_seconds", 30.0),
            timeout_seconds=_props.get("timeout_seconds", 1800.0),
            clock=self.clock,
            remedy="Look at the online table in the workspace, then run the same command again",
        )

    def _publish(self, inputs: Props) -> str:
        """Publishes once the store is available; gives the id of the pipeline."""
        store = inputs["online_store"]
        wait_for(
            lambda: (state if (state := publication.store_state(self.client, store)) == "AVAILABLE" else None, state),
            what=f"online store {store}",
            poll_seconds=inputs["poll_seconds"],
            timeout_seconds=inputs["timeout_seconds"],
            clock=self.clock,
            remedy="A store takes minutes to start: look at it in the workspace, then run `pulumi up` again",
        )
        return publication.publish(
            self.client, inputs["source_table"], inputs["online_table"], store, inputs["publish_mode"]
        )

    def _last_update(self, inputs: Props, pipeline_id: str) -> str | None:
        """The update that is over, which the next one is told apart from; None where a continuous one goes on."""
        state = publication.sync_state(self.client, pipeline_id)
        if state.is_over or state.is_continuous:
            return state.update_id if state.is_over else None

        def probe() -> tuple[publication.SyncState | None, str]:
            seen = publication.sync_state(self.client, pipeline_id)
            return (seen if seen.is_over else None), seen.word

        return wait_for(
            probe,
            what=f"the sync of {inputs['online_table']} that is under way",
            poll_seconds=inputs["poll_seconds"],
            timeout_seconds=inputs["timeout_seconds"],
            clock=self.clock,
            remedy=_SYNC_REMEDY,
        ).update_id

    def _wait(self, inputs: Props, pipeline_id: str, *, last_update: str | None) -> str:
        """Waits until the copy is online, and tells so; gives the word for its state."""
        online_table = inputs["online_table"]
        word = wait_for(
            lambda: self._online(online_table, pipeline_id, last_update),
            what=f"online table {online_table}",
            poll_seconds=inputs["poll_seconds"],
            timeout_seconds=inputs["timeout_seconds"],
            clock=self.clock,
            remedy=f"{_SYNC_REMEDY}. The online table stays; the next `pulumi up` goes on waiting for it",
        )
        engine.progress(f"online table {online_table} is ready: {word}")
        return word

    def _online(self, online_table: str, pipeline_id: str, last_update: str | None) -> tuple[str | None, str]:
        state = publication.sync_state(self.client, pipeline_id, ignoring=last_update)
        if state.word in publication.FAILED:
            raise ProviderError(
                f"online table {online_table} is {state.word}: {state.cause or 'its pipeline names no cause'}",
                f"Pipeline {pipeline_id} has the details. Mend the cause, then run `pulumi up` again: it syncs again",
            )
        is_online = state.word in publication.ONLINE and publication.table_exists(self.client, online_table)
        return state.word if is_online else None, state.word

    def _fresh_enough(self, inputs: Props) -> None:
        """Raises ProviderError where the copy holds nothing as young as `max_commit_age_seconds` asks for."""
        limit = inputs.get("max_commit_age_seconds")
        if limit is None:
            return
        source, online_table = inputs["source_table"], inputs["online_table"]
        commit = self._held_commit(inputs)
        if commit is None:
            raise ProviderError(
                f"online table {online_table} does not say which commit of {source} it holds, and "
                f"max_commit_age_seconds is {limit:g}",
                "Remove max_commit_age_seconds, and watch freshness with an alert instead",
            )
        age = (datetime.now(UTC) - commit).total_seconds()
        if age > limit:
            raise ProviderError(
                f"online table {online_table} is in step with {source}, whose newest commit is {age:.0f} s old, "
                f"expected "
                f"at most {limit:g} s",
                "Run the pipeline that computes the features, then run `pulumi up` again; or raise "
                "max_commit_age_seconds",
            )

    def _within_lag(self, inputs: Props) -> None:
        """Waits until the copy is at most `max_lag_seconds` behind its source; ProviderError where it does not say."""
        limit = inputs.get("max_lag_seconds")
        if limit is None:
            return
        source, online_table = inputs["source_table"], inputs["online_table"]

        def probe() -> tuple[float | None, str]:
            held = self._held_commit(inputs)
            if held is None:
                raise ProviderError(
                    f"online table {online_table} does not say which commit of {source} it holds, and max_lag_seconds "
                    f"is {limit:g}",
                    "Remove max_lag_seconds, and watch freshness with an alert instead",
                )
            newest = lag.newest_commit(self.client, inputs["warehouse_id"], source)
            behind = lag.seconds_behind(newest, held)
            return (
                behind if behind <= limit else None
            ), f"{behind:.0f} s behind {source}, expected at most {limit:g} s"

        wait_for(
            probe,
            what=f"online table {online_table}",
            poll_seconds=inputs["poll_seconds"],
            timeout_seconds=inputs["timeout_seconds"],
            clock=self.clock,
            remedy="The source is written faster than the copy follows: "
            + ("" if inputs["publish_mode"] == publication.CONTINUOUS else "publish it CONTINUOUS, ")
            + "give the store more capacity, or raise max_lag_seconds",
        )

    def _held_commit(self, inputs: Props) -> datetime | None:
        return publication.held_commit(self.client, inputs["online_table"])

    def _form(self, inputs: Props) -> list[CheckFailure]:
        failures = []
        for name in ("source_table", "online_table"):
            if (text := known(inputs, name)) is not None:
                try:
                    parse = ThreePartName.parse if name == "source_table" else check_online_table
                    inputs[name] = str(parse(text, what=name))
                except InvalidNameError as error:
                    failures.append(self.failure(name, error))
        source, online = known(inputs, "source_table"), known(inputs, "online_table")
        if source is not None and online is not None and source.lower() == online.lower():
            failures.append(
                self.failure("online_table", f"{online} is the source itself; name the copy, {source}_online")
            )
        mode = known(inputs, "publish_mode")
        if mode is not None and mode not in MODES:
            failures.append(self.failure("publish_mode", f"{mode!r} is unknown; use one of {', '.join(MODES)}"))
        keys = known(inputs, "primary_keys")
        if keys is not None and (not keys or len({key.lower() for key in keys}) != len(keys)):
            failures.append(
                self.failure("primary_keys", f"{keys} names no column, or one twice; name each key column once")
            )
        return failures

    def _limits(self, inputs: Props) -> list[CheckFailure]:
        failures = [
            self.failure(name, f"is {value:g}, expected more than 0")
            for name in ("poll_seconds", "timeout_seconds", "max_commit_age_seconds", "max_lag_seconds")
            if (value := known(inputs, name)) is not None and not value > 0
        ]
        if inputs.get("max_lag_seconds") is not None and not inputs.get("warehouse_id"):
            failures.append(
                self.failure("warehouse_id", "is missing; max_lag_seconds reads the source's history there")
            )
        return failures

    def _source(self, inputs: Props) -> list[CheckFailure]:
        source = inputs["source_table"]
        try:
            table = publication.read_table(self.client, source)
        except AbsentError as error:
            missing = (
                f"{error}. The pipeline that computes the features creates {source}: run it first, or correct the name"
            )
            return [self.failure("source_table", missing)]
        except WorkspaceError as error:
            needs = (
                f"\n  Publishing {source} needs USE_CATALOG, USE_SCHEMA and SELECT on it"
                if error.kind == "denied"
                else ""
            )
            return [self.failure("source_table", f"{error}{needs}")]
        wanted = Publication(
            source=ThreePartName.parse(source),
            primary_keys=tuple(inputs["primary_keys"]),
            timeseries_key=inputs.get("timeseries_key"),
            mode=inputs["publish_mode"],
        )
        return [self.failure(name, reason) for name, reason in source_problems(table, wanted)]


@dataclass(frozen=True, kw_only=True)
class PublishedTableArgs(CopyArgs):
    """What a `PublishedTable` is made of. Another name, key or mode makes another publication."""

    online_store: pulumi.Input[str]
    """Name of the online store; it may still be starting."""


class PublishedTable(WorkspaceResource, module="serving", name="PublishedTable"):
    """A feature table published to an online store."""

    source_table: pulumi.Output[str]
    online_store: pulumi.Output[str]
    online_table: pulumi.Output[str]
    """Known when the copy is online, so whatever takes it waits for that."""
    primary_keys: pulumi.Output[list[str]]
    publish_mode: pulumi.Output[str]
    pipeline_id: pulumi.Output[str]
    """The pipeline that keeps the copy in step."""
    state: pulumi.Output[str]
    """In the words of Databricks' online tables, for example ONLINE_NO_PENDING_UPDATE."""

    def __init__(self, name: str, args: PublishedTableArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(PublishedTableProvider(), name, {**args.inputs(), "online_store": args.online_store}, opts)
