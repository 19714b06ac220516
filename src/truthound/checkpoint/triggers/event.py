"""``EventTrigger``: when the program says so."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from truthound.checkpoint._action import check_number
from truthound.checkpoint._trigger import PushTrigger, TriggerConfig, TriggerResult
from truthound.errors import ConfigurationError

MOST = 1_000  # payloads of events that a run is given, the latest


@dataclass
class EventConfig(TriggerConfig):
    """Options of an :class:`EventTrigger`.

    Attributes:
        event_type: what kind of events it is for.
        event_filter: what the payload of an event has to hold: by key a value, or
            a list of which it is one.
        debounce_seconds: from one run to the next at least; what happens meanwhile goes
            into one run after that. 0: none.
        batch_events: wait for more events before a run.
        batch_window_seconds: how long, from the first one.
    """

    event_type: str = "custom"
    event_filter: Mapping[str, Any] = field(default_factory=dict)
    debounce_seconds: float = 1.0
    batch_events: bool = False
    batch_window_seconds: float = 5.0

    def check(self) -> None:
        super().check()
        if not isinstance(self.event_filter, Mapping):
            raise ConfigurationError(
                f"event_filter is a mapping, not {self.event_filter!r}"
            )
        check_number("debounce_seconds", self.debounce_seconds)
        check_number("batch_window_seconds", self.batch_window_seconds)


class EventTrigger(PushTrigger[EventConfig]):
    """Runs when the program calls :meth:`fire_event`, at once.

    Events that come while the checkpoint cannot run are kept and go into one run
    after that. A run's metadata has the latest payload as ``event``, the last 1,000 as
    ``events`` and their number as ``event_count``.

    Example:
        >>> trigger = EventTrigger(event_filter={"table": ["rides", "fares"]})
        >>> trigger.fire_event({"table": "people"})
        False
        >>> trigger.fire_event({"table": "rides"})
        True
    """

    trigger_type: str = "event"

    def __init__(self, config: EventConfig | None = None, **options: Any) -> None:
        super().__init__(config, **options)
        self._lock = threading.Lock()
        self._payloads: deque[dict[str, Any]] = deque(maxlen=MOST)
        self._number = 0
        self._first_at = 0.0
        self._taken_at = float("-inf")

    def fire_event(
        self, payload: Mapping[str, Any] | None = None, event_type: str | None = None
    ) -> bool:
        """Tell that something has happened; from any thread.

        Args:
            payload: what the run is to know.
            event_type: its kind; None: that of the trigger.

        Returns:
            Whether a run will come of it: the kind and the filter fit, and the trigger
            is neither disabled nor done with its ``max_runs``.
        """
        found = dict(payload or {})
        if event_type not in (None, self._config.event_type) or not self._fits(found):
            return False
        if not self.should_continue():
            return False
        with self._lock:
            if not self._number:
                self._first_at = self.clock.monotonic()
            self._payloads.append(found)
            self._number += 1
        self.news()
        return True

    def clear_pending(self) -> int:
        """Forget the events that wait for a run; return how many there were."""
        with self._lock:
            number, self._number = self._number, 0
            self._payloads.clear()
        return number

    def wait_for(self, now: float) -> float | None:
        with self._lock:
            if not self._number:
                return None
            config = self._config
            window = config.batch_window_seconds if config.batch_events else 0.0
            ready = max(
                self._first_at + window, self._taken_at + config.debounce_seconds
            )
            return max(0.0, ready - now)

    def take(self) -> TriggerResult:
        with self._lock:
            payloads, number = list(self._payloads), self._number
            self._payloads.clear()
            self._number = 0
            self._taken_at = self.clock.monotonic()
        return TriggerResult(
            True,
            f"event {self._config.event_type}",
            context={
                "event": payloads[-1] if payloads else {},
                "events": payloads,
                "event_count": number,
            },
        )

    def _fits(self, payload: dict[str, Any]) -> bool:
        for key, wanted in self._config.event_filter.items():
            if key not in payload:
                return False
            value = payload[key]
            if isinstance(wanted, (list, tuple, set, frozenset)):
                if value not in wanted and value != wanted:
                    return False
            elif value != wanted:
                return False
        return True
