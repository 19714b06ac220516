"""The stores over which the conformance suite runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services import postgres_schema
from truthound.store import MemoryStore, Store


@pytest.fixture(params=["file", "postgres"])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return an address at which several stores can be opened."""
    if request.param == "file":
        yield "store.db"
    else:
        with postgres_schema() as url:
            yield url


@pytest.fixture(params=["file", "memory", "postgres"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Return a store, which is closed in the end."""
    if request.param == "postgres":
        with postgres_schema() as url, Store(url) as made:
            yield made
    else:
        with MemoryStore() if request.param == "memory" else Store("store.db") as made:
            yield made
