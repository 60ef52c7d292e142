"""What the provider's tests share."""

from collections.abc import Iterator

import pytest

from tests.toolchain.provider.fake import Server


@pytest.fixture
def server() -> Iterator[Server]:
    fake = Server()
    yield fake
    fake.close()
