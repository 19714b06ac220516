"""Spans and metrics over OpenTelemetry, where a program has set it up.

The application sets up the provider, its exporter and its sampling, as for any other
library (``pip install 'truthound-async[telemetry]'`` for the API alone). As long as it
has not, nothing of OpenTelemetry is imported here, and nothing kept or sent.

Passwords and keys in addresses are replaced by ``***`` in what is recorded.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from truthound._version import __version__
from truthound.secrets import without_password

SCOPE = "truthound"

# The metrics that there are: unit and meaning, in the form of OpenTelemetry. Counters
# have the unit {thing}, durations seconds.
METRICS = {
    "truthound.task.duration": ("s", "How long a submitted job ran."),
    "truthound.task.wait": ("s", "How long a submitted job waited for a free slot."),
    "http.client.request.duration": ("s", "How long a request took, with its retries."),
    "truthound.http.retries": ("{retry}", "Requests that were sent again."),
    "truthound.breaker.changes": ("{change}", "State changes of circuit breakers."),
}


class span:  # noqa: N801 - used like a function, as documented
    """Record what the block does as a span, and its error if it raises one.

    Works as ``with`` and as ``async with``. The block gets the span, with
    ``set_attribute(name, value)`` and ``add_event(name, attributes)``; without a
    provider both do nothing. A cancelled block leaves a span without an error status
    and with the attribute ``cancelled``.

    Args:
        name: what is done, as ``noun.verb``.
        **attributes: what it is done to. Numbers, booleans, texts and lists of them
            stay what they are, None is left out, anything else becomes text.

    Example:
        >>> with span("orders.load", rows=3) as loading:
        ...     loading.set_attribute("source", "orders.csv")
    """

    __slots__ = ("_attributes", "_name", "_scope", "_span")

    def __init__(self, name: str, /, **attributes: Any) -> None:
        self._name = name
        self._attributes = attributes
        self._scope: Any = None
        self._span: Any = NO_SPAN

    def __enter__(self) -> Any:
        tracer = _found.tracer()
        if tracer is not None:
            self._scope = tracer.start_as_current_span(
                self._name,
                attributes=_plain(self._attributes),
                record_exception=False,
                set_status_on_exception=False,
            )
            self._span = _Redacting(self._scope.__enter__())
        return self._span

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        scope, self._scope = self._scope, None
        if scope is None:
            return
        if isinstance(error, Exception):
            self._span.record_failure(error)
        elif error is not None:
            self._span.set_attribute("cancelled", True)
        # Without the error: it has been recorded, and goes on by itself.
        scope.__exit__(None, None, None)

    async def __aenter__(self) -> Any:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, trace)


def is_on() -> bool:
    """Tell whether spans or metrics go anywhere."""
    return "opentelemetry" in sys.modules and (is_tracing() or is_measuring())


def is_tracing() -> bool:
    """Tell whether spans go anywhere, so that a caller can save preparing them."""
    return _found.tracer() is not None


def is_measuring() -> bool:
    """Tell whether metrics go anywhere, so that a caller can save preparing them."""
    return _found.meter() is not None


def count(metric: str, /, **attributes: Any) -> None:
    """Add one to a counter of ``METRICS``."""
    instrument = _found.instrument(metric)
    if instrument is not None:
        instrument.add(1, _plain(attributes))


def record(metric: str, seconds: float, /, **attributes: Any) -> None:
    """Add a duration to a histogram of ``METRICS``."""
    instrument = _found.instrument(metric)
    if instrument is not None:
        instrument.record(seconds, _plain(attributes))


class _NoSpan:
    """What a block gets when there is no provider."""

    __slots__ = ()

    def set_attribute(self, name: str, value: Any) -> None:
        """Do nothing."""

    def add_event(self, name: str, attributes: Mapping[str, Any] | None = None) -> None:
        """Do nothing."""


NO_SPAN = _NoSpan()


class _Redacting:
    """A span of OpenTelemetry whose texts lose their passwords on the way in."""

    __slots__ = ("_span",)

    def __init__(self, recording: Any) -> None:
        self._span = recording

    def set_attribute(self, name: str, value: Any) -> None:
        if value is not None:
            self._span.set_attribute(name, _value(value))

    def add_event(self, name: str, attributes: Mapping[str, Any] | None = None) -> None:
        self._span.add_event(name, _plain(attributes or {}))

    def record_failure(self, error: Exception) -> None:
        from opentelemetry.trace import StatusCode

        message = without_password(str(error))
        lines = "".join(traceback.format_exception(error))
        told = {
            "exception.message": message,
            "exception.stacktrace": without_password(lines),
        }
        self._span.record_exception(error, attributes=told)
        self._span.set_status(StatusCode.ERROR, f"{type(error).__name__}: {message}")


class _Found:
    """The provider that the application set up, looked for at each use.

    It may be set up long after the first use. Whoever sets it up has imported the API
    for that: as long as it is not among the loaded modules, there is none.
    """

    def __init__(self) -> None:
        self._tracers: tuple[Any, Any] = (None, None)  # of which provider
        self._meters: tuple[Any, Any] = (None, None)
        self._instruments: dict[str, Any] = {}

    def tracer(self) -> Any:
        trace = sys.modules.get("opentelemetry.trace")
        if trace is None:
            return None
        provider = trace.get_tracer_provider()
        known, tracer = self._tracers
        if provider is not known:
            absent = isinstance(provider, trace.ProxyTracerProvider)
            tracer = None if absent else provider.get_tracer(SCOPE, __version__)
            self._tracers = (provider, tracer)
        return tracer

    def meter(self) -> Any:
        metrics = sys.modules.get("opentelemetry.metrics")
        if metrics is None:
            return None
        provider = metrics.get_meter_provider()
        known, meter = self._meters
        if provider is not known:
            # The stand-in that there is before one is set has no public name.
            absent = type(provider).__name__ == "_ProxyMeterProvider"
            meter = None if absent else provider.get_meter(SCOPE, __version__)
            self._meters = (provider, meter)
            self._instruments = {}
        return meter

    def instrument(self, metric: str) -> Any:
        meter = self.meter()
        if meter is None:
            return None
        found = self._instruments.get(metric)
        if found is None:
            unit, meaning = METRICS[metric]
            make = meter.create_histogram if unit == "s" else meter.create_counter
            found = make(metric, unit=unit, description=meaning)
            self._instruments[metric] = found
        return found


_found = _Found()


def _plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _value(v) for k, v in attributes.items() if v is not None}


def _value(value: Any) -> Any:
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (list, tuple)):
        parts = [_value(part) for part in value]
        same = len({type(part) for part in parts}) <= 1
        return parts if same else [str(part) for part in parts]
    return without_password(str(value))
