"""Addresses at which nobody answers."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

import truthound
from truthound._clock import Clock
from truthound.data import reach
from truthound.errors import DataError


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A port that is taken, so that it is nobody else's, and refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken


def address_of(server: socket.socket) -> str:
    return f"http://127.0.0.1:{server.getsockname()[1]}/data.csv"


def test_dead_server_is_named_within_three_seconds(silent: socket.socket) -> None:
    address = address_of(silent)
    start = time.monotonic()

    with pytest.raises(DataError) as caught:
        truthound.check(address.replace("//", "//me:hush@"), ["null"])

    assert time.monotonic() - start < 3
    port = silent.getsockname()[1]
    assert str(caught.value) == (
        f"{address.replace('//', '//me:***@')} cannot be read: nobody answers at "
        f"127.0.0.1, port {port} (Connection refused)"
    )


def test_server_may_need_a_moment_to_start(
    silent: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Starting(Clock):
        def sleep(self, seconds: float) -> None:
            silent.listen()

    monkeypatch.setattr(reach, "SYSTEM_CLOCK", Starting())

    reach.refuse_unreachable(address_of(silent), "it")


def test_pauses_double_and_end_in_time(
    silent: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    class Counting(Clock):
        def monotonic(self) -> float:
            return sum(pauses)

        def sleep(self, seconds: float) -> None:
            pauses.append(seconds)

    monkeypatch.setattr(reach, "SYSTEM_CLOCK", Counting())

    with pytest.raises(DataError, match="nobody answers"):
        reach.refuse_unreachable(address_of(silent), "it")

    assert pauses == [0.25, 0.5, 1.0]
    assert sum(pauses) < reach.PATIENCE


def test_proxy_is_left_to_find_the_way(
    silent: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")

    reach.refuse_unreachable(address_of(silent), "it")

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(reach, "PATIENCE", 0)
    with pytest.raises(DataError, match="nobody answers"):
        reach.refuse_unreachable(address_of(silent), "it")


@pytest.mark.parametrize(
    "address", ["http:///data.csv", "http://h:port/data.csv", "https://[::1/data.csv"]
)
def test_address_without_a_server_is_refused(address: str) -> None:
    with pytest.raises(DataError, match="is no address"):
        truthound.check(address, ["null"])
