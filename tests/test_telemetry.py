"""Spans and metrics, with OpenTelemetry's own SDK on the other side."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from opentelemetry.trace import StatusCode

from telemetry_reader import Recorded
from truthound import telemetry
from truthound.telemetry import span


def test_span_records_its_attributes() -> None:
    recorded = Recorded()

    with span("operation.name", operation_type="async", rows=3, missing=None):
        pass

    found = recorded.span("operation.name")
    assert found.attributes == {"operation_type": "async", "rows": 3}
    assert found.status.status_code is StatusCode.UNSET
    assert found.instrumentation_scope.name == "truthound"


async def test_span_works_as_async_with() -> None:
    recorded = Recorded()

    async with span("outer"), span("inner") as inner:
        inner.set_attribute("rows", 2)
        inner.add_event("half", {"of": "all"})

    outer, inside = recorded.span("outer"), recorded.span("inner")
    assert inside.parent.span_id == outer.context.span_id
    assert inside.attributes == {"rows": 2}
    assert [event.name for event in inside.events] == ["half"]


def test_span_records_the_error_and_lets_it_go_on() -> None:
    recorded = Recorded()

    with pytest.raises(ValueError, match="odd"), span("failing"):
        raise ValueError("odd")

    found = recorded.span("failing")
    assert found.status.status_code is StatusCode.ERROR
    assert found.status.description == "ValueError: odd"
    (event,) = found.events
    assert event.attributes["exception.type"] == "ValueError"
    assert "raise ValueError" in event.attributes["exception.stacktrace"]


async def test_cancelled_span_is_no_error() -> None:
    recorded = Recorded()

    async def work() -> None:
        with span("long"):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    found = recorded.span("long")
    assert found.status.status_code is StatusCode.UNSET
    assert found.attributes == {"cancelled": True}


def test_passwords_do_not_reach_a_span() -> None:
    recorded = Recorded()
    address = "https://me:canary-7@example.org/?token=canary-8"

    with pytest.raises(OSError, match="canary-7"), span("open", address=address) as it:
        it.set_attribute("again", [address, 1])
        it.add_event("tried", {"address": address})
        raise OSError(f"no answer from {address}")

    assert "canary" not in recorded.span("open").to_json()


def test_spans_of_tasks_have_the_parent_of_their_own_task() -> None:
    recorded = Recorded()

    async def child(number: int) -> None:
        with span(f"child-{number}"):
            await asyncio.sleep(0)

    async def main() -> None:
        with span("parent"):
            await asyncio.gather(child(1), child(2))

    asyncio.run(main())

    parent = recorded.span("parent").context.span_id
    assert recorded.span("child-1").parent.span_id == parent
    assert recorded.span("child-2").parent.span_id == parent


def test_metrics_are_counted_and_recorded() -> None:
    recorded = Recorded()

    telemetry.count("truthound.http.retries", reason="status")
    telemetry.record("truthound.task.duration", 0.5, priority="HIGH")

    assert recorded.total("truthound.http.retries", reason="status") == 1
    assert recorded.total("truthound.task.duration", priority="HIGH") == 1
    assert telemetry.is_tracing()
    assert telemetry.is_measuring()


def test_without_a_provider_nothing_is_imported() -> None:
    code = (
        "import sys\n"
        "from truthound import telemetry\n"
        "with telemetry.span('a', b=1) as s:\n"
        "    s.set_attribute('c', 2); s.add_event('d')\n"
        "telemetry.count('truthound.http.retries')\n"
        "telemetry.record('truthound.task.wait', 1.0)\n"
        "assert not telemetry.is_tracing() and not telemetry.is_measuring()\n"
        "print([m for m in sys.modules if m.startswith('opentelemetry')])\n"
        "from opentelemetry import metrics, trace\n"
        "assert not telemetry.is_tracing() and not telemetry.is_measuring()\n"
        "telemetry.count('truthound.http.retries')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
