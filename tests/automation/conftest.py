"""What the tests of pipelines share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from processes import Family, eventually, site_threads


@pytest.fixture
def family(monkeypatch: pytest.MonkeyPatch) -> Iterator[Family]:
    """Return all processes that the test starts; none of them may stay."""
    found = Family()
    monkeypatch.setenv(*found.mark.split("="))
    yield found
    assert not found.left()
    assert eventually(lambda: not site_threads())
