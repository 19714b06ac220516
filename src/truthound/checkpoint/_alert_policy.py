"""``alerts``: when a notification is sent, put off, or left out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any

from truthound.checkpoint._action import check_number
from truthound.checkpoint._configured import Options
from truthound.checkpoint._quiet import Quiet, quiet_of, quiet_until
from truthound.checkpoint._zones import zone_of
from truthound.errors import ConfigurationError, UnknownOptionError, did_you_mean

WHEN = ("change", "every")
LOUD = ("critical", "high", "medium", "low", "error")
ALL = "all"  # as group_by: whatever comes goes together


@dataclass
class AlertPolicy(Options):
    """When a notification is sent. All times are seconds.

    Attributes:
        when: ``change``: when a checkpoint is not well any more, or in another way;
            ``every``: after each run that ``notify_on`` names.
        resolve: tell that it is well again, if somebody was told that it was not.
        remind_seconds: with ``change``: tell again when it is still not well so long
            after the last message; 0: never. Not once it is acknowledged.
        throttle_seconds: from one message to the next at least. What comes earlier is
            put off until then with ``change``, and left out and counted with ``every``.
        quiet_hours: when nobody is disturbed: ``22:00-07:00``, ``sat,sun``,
            ``mon-fri 18:00-08:00``, or several. What comes then is told at the end, if
            it is still so.
        quiet_except: severities that are told in any case: critical, high, medium,
            low; error: the run could not be completed.
        timezone: of the quiet hours; None is UTC.
        group_by: tags of checkpoints; those with the same values are told together.
            ``all``: whatever comes.
        group_seconds: how long others are waited for, from the first one.
        after_seconds: escalation: tell only when an incident is so old and nobody has
            acknowledged it.
    """

    when: str = "change"
    resolve: bool = True
    remind_seconds: float = 0
    throttle_seconds: float = 0
    quiet_hours: str | Sequence[str] = ()
    quiet_except: str | Sequence[str] = ()
    timezone: str | None = None
    group_by: str | Sequence[str] | None = None
    group_seconds: float = 60
    after_seconds: float = 0
    _quiet: tuple[Quiet, ...] = field(default=(), init=False, repr=False)
    _zone: tzinfo | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        super().check()
        _check_choice("when", self.when, WHEN)
        for option in ("remind", "throttle", "group", "after"):
            check_number(f"{option}_seconds", getattr(self, f"{option}_seconds"))
        self.quiet_except = _texts("quiet_except", self.quiet_except)
        for severity in self.quiet_except:
            _check_choice("quiet_except", severity, LOUD)
        if self.group_by is not None:
            self.group_by = _texts("group_by", self.group_by)
        self._quiet = quiet_of("quiet_hours", self.quiet_hours)
        self._zone = zone_of(self.timezone)

    @property
    def puts_off(self) -> bool:
        """Whether it may put something off, for which there has to be a store."""
        return bool(self._quiet or self.group_by or self.after_seconds)

    def quiet_until(self, now: datetime, severity: str) -> datetime | None:
        """Return until when nobody is disturbed by that; None: somebody may be."""
        assert self._zone is not None
        if not self._quiet or severity in self.quiet_except:
            return None
        return quiet_until(now, self._quiet, self._zone)

    def group_of(self, tags: Mapping[str, str]) -> str | None:
        """Name those with which a checkpoint is told together; None: alone."""
        if not self.group_by:
            return None
        if list(self.group_by) == [ALL]:
            return ALL
        return ", ".join(f"{tag}={tags.get(tag, '')}" for tag in self.group_by)


def policy_of(given: Any) -> AlertPolicy | None:
    """Return the policy that the option ``alerts`` means; None: there is none.

    Args:
        given: a policy, its options, or ``change`` or ``every``.

    Raises:
        ConfigurationError: it means none.
    """
    if given is None or isinstance(given, AlertPolicy):
        return given
    if isinstance(given, str):
        given = {"when": given}
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            f"alerts is {' or '.join(WHEN)}, or a mapping of options, not {given!r}"
        )
    known = [f.name for f in dataclasses.fields(AlertPolicy) if f.init]
    for option in given:
        if option not in known:
            raise UnknownOptionError("alerts", str(option), known)
    try:
        return AlertPolicy(**given)
    except ConfigurationError as error:
        raise ConfigurationError(f"alerts: {error}") from None


def _texts(option: str, given: Any) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, (list, tuple)) or not all(
        isinstance(text, str) and text for text in texts
    ):
        raise ConfigurationError(
            f"{option} is a text, or a list of texts, not {given!r}"
        )
    return list(texts)


def _check_choice(option: str, given: str, known: Sequence[str]) -> None:
    if given not in known:
        raise ConfigurationError(
            f"{option} is {', '.join(known)}, not {given!r}{did_you_mean(given, known)}"
        )
