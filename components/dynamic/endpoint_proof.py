"""What is proven about an endpoint, and kept in state as its proof: `SmokeQuery` and `LookupLatency`.

The proof is made when the resource is, and again when what was proven changes. Nothing is made in the workspace, so
nothing is taken away; refresh asks nothing of the endpoint but whether it is still there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from pulumi.dynamic import CheckFailure, CreateResult, ReadResult, UpdateResult

from ..names import InvalidNameError, check_endpoint_name
from .errors import AbsentError
from .provider import Props, WorkspaceProvider, guarded, known, without_provider
from .smoke_run import endpoint_or_fail


class EndpointProofProvider(WorkspaceProvider, ABC):
    """Proves on create and on update; a proof that fails raises, and leaves the old one in state."""

    @abstractmethod
    def prove(self, inputs: Props) -> Props:
        """The outputs of a proof that was made. Raises ProviderError where it cannot be."""

    @guarded
    def create(self, props: Props) -> CreateResult:
        """Proves; raises where anything is not as expected."""
        inputs = without_provider(props)
        return CreateResult(id_=inputs["endpoint_name"], outs=self.prove(inputs))

    @guarded
    def read(self, id_: str, props: Props) -> ReadResult:
        """Gone with the endpoint; otherwise as it was proven. Asks no query."""
        try:
            endpoint_or_fail(self.client, props["endpoint_name"])
        except AbsentError:
            return ReadResult(id_="", outs={})
        return ReadResult(id_=id_, outs=without_provider(props))

    @guarded
    def update(self, _id: str, _olds: Props, _news: Props) -> UpdateResult:
        """Proves again; a failure leaves the old proof in state, and the next `up` proves."""
        return UpdateResult(outs=self.prove(without_provider(_news)))

    @guarded
    def delete(self, _id: str, _props: Props) -> None:
        """There is nothing to take back."""

    def name_failures(self, inputs: Props) -> Iterator[CheckFailure]:
        """The endpoint's name, where it is known and is none."""
        if (name := known(inputs, "endpoint_name")) is not None:
            try:
                check_endpoint_name(name)
            except InvalidNameError as error:
                yield self.failure("endpoint_name", error)
