"""Looking back: an earlier result, two runs side by side, one check over time.

What a store answers with plain records is asked of the store itself: ``store.runs()``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from truthound.checkpoint.model import CheckpointResult
from truthound.errors import ConfigurationError, StoreError, UnknownNameError
from truthound.validators import CheckResult

if TYPE_CHECKING:
    from truthound.store import Past, Store

__all__ = ["Moved", "Point", "RunDiff", "Trend", "diff", "result", "trend"]

CHECK = "check:"  # before the name of a check, among the metrics of a run


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A number that differs between two runs.

    Attributes:
        what: ``rows``, or the name of a check.
        number: ``rows``, ``failed`` (how many rows failed) or ``observed``.
        before: in the first run.
        after: in the second.
    """

    what: str
    number: str
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDiff:
    """What differs between two runs.

    Attributes:
        before: id of the first run.
        after: id of the second.
        statuses: of both.
        sources: the data of both.
        began: checks that hold in the first and not in the second.
        ended: checks that hold in the second and not in the first.
        still: checks that hold in neither.
        appeared: checks that only the second has.
        vanished: checks that only the first has.
        moved: numbers that differ.
    """

    before: str
    after: str
    statuses: tuple[str, str]
    sources: tuple[str, str]
    began: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    still: tuple[str, ...] = ()
    appeared: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    moved: tuple[Moved, ...] = ()

    @property
    def is_same(self) -> bool:
        """Whether nothing differs."""
        changed = (self.began, self.ended, self.appeared, self.vanished, self.moved)
        return not any(changed) and self.statuses[0] == self.statuses[1]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A check in one run.

    Attributes:
        at: when the run was accepted, aware, in UTC.
        value: what was observed, if that is a number, else how many rows failed; None:
            the check was not evaluated.
        status: of the check (passed, failed, error), or of the run where only the
            number is known.
        run_id: which run.
    """

    at: datetime
    value: float | None
    status: str
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A check over time.

    Attributes:
        check: its name.
        checkpoint: whose it is.
        points: one for each run, oldest first.
    """

    check: str
    checkpoint: str
    points: tuple[Point, ...]

    @property
    def values(self) -> list[float]:
        """The numbers that there are, oldest first."""
        return [point.value for point in self.points if point.value is not None]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        points = [{**asdict(p), "at": p.at.isoformat()} for p in self.points]
        return {"check": self.check, "checkpoint": self.checkpoint, "points": points}


def result(store: Store, run: str) -> CheckpointResult:
    """Return the result of an earlier run. Blocks.

    Args:
        store: that has it.
        run: its id, or whatever ``store.run()`` takes.

    Raises:
        UnknownNameError: there is no such run.
        StoreError: the store cannot be read.
    """
    run_id = store.run(run).run_id
    try:
        return CheckpointResult.from_dict(store.document(run_id))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, (StoreError, ConfigurationError)):
            raise
        raise StoreError(
            f"the result of run {run_id} in the store is damaged "
            f"({type(error).__name__}: {error}); 'truthound store check' says how far"
        ) from error


def diff(store: Store, before: str, after: str) -> RunDiff:
    """Return what differs between two runs. Blocks.

    Args:
        store: that has them.
        before: the first, as ``store.run()`` takes it.
        after: the second.

    Raises:
        UnknownNameError: there is no such run.
        StoreError: the store cannot be read.
    """
    one, two = result(store, before), result(store, after)
    old, new = _checks(one), _checks(two)
    both = [name for name in new if name in old]

    def those(held: bool, holds: bool) -> tuple[str, ...]:
        return tuple(
            name
            for name in both
            if (old[name].success, new[name].success) == (held, holds)
        )

    return RunDiff(
        before=one.run_id,
        after=two.run_id,
        statuses=(str(one.status), str(two.status)),
        sources=(one.data_asset, two.data_asset),
        began=those(True, False),
        ended=those(False, True),
        still=those(False, False),
        appeared=tuple(name for name in new if name not in old),
        vanished=tuple(name for name in old if name not in new),
        moved=tuple(_moved(one, two, {name: (old[name], new[name]) for name in both})),
    )


def _checks(found: CheckpointResult) -> dict[str, CheckResult]:
    run = found.validation_run
    return {check.name: check for check in run.checks} if run is not None else {}


def _moved(
    one: CheckpointResult,
    two: CheckpointResult,
    checks: Mapping[str, tuple[CheckResult, CheckResult]],
) -> list[Moved]:
    numbers = [("rows", "rows", _rows(one), _rows(two))]
    for name, (old, new) in checks.items():
        numbers.append((name, "failed", old.failed, new.failed))
        seen = _number(old.observed), _number(new.observed)
        numbers.append((name, "observed", *seen))
    return [
        Moved(what=what, number=number, before=old, after=new)
        for what, number, old, new in numbers
        if old != new
    ]


def _rows(found: CheckpointResult) -> float | None:
    return found.validation_run.row_count if found.validation_run is not None else None


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number else None


def trend(
    store: Store, check: str, checkpoint: str | None = None, limit: int = 60
) -> Trend:
    """Return a check over time. Blocks.

    Args:
        store: that has its runs.
        check: the name of a check (``null(fare)``), or of a metric of the runs.
        checkpoint: whose; None: of the one that has such a check.
        limit: of how many runs at the most, the latest.

    Raises:
        UnknownNameError: there is no such check, or no such checkpoint.
        ConfigurationError: several checkpoints have it.
        StoreError: the store cannot be read.
    """
    owner = checkpoint or _owner_of(store, check)
    points = []
    for past in store.past(owner, limit=limit):
        point = _point(store, past, check)
        if point is not None:
            points.append(point)
    if not points:
        raise UnknownNameError("check", check, _known(store, owner))
    return Trend(check=check, checkpoint=owner, points=tuple(points))


def _point(store: Store, past: Past, name: str) -> Point | None:
    """Return a check in one run; None: the run has no such check."""
    for key in (f"{CHECK}{name}", name):
        if key in past.values:
            value = _number(past.values[key])
            return Point(
                at=past.at, value=value, status=past.status, run_id=past.run_id
            )
    found = _checks(result(store, past.run_id)).get(name)
    if found is None:
        return None
    seen = _number(found.observed)
    value = found.failed if seen is None else seen
    return Point(
        at=past.at,
        value=None if found.status == "error" else value,
        status=found.status,
        run_id=past.run_id,
    )


def _owner_of(store: Store, check: str) -> str:
    names = _latest_of_each(store)
    owners = [name for name, known in names.items() if check in known]
    if len(owners) == 1:
        return owners[0]
    if owners:
        raise ConfigurationError(
            f"several checkpoints have a check {check!r}: name one of "
            f"{', '.join(sorted(owners))}"
        )
    raise UnknownNameError(
        "check", check, {c for known in names.values() for c in known}
    )


def _latest_of_each(store: Store) -> dict[str, Collection[str]]:
    return {name: _known(store, name) for name in store.checkpoints()}


def _known(store: Store, checkpoint: str) -> set[str]:
    """Return the names of the checks and metrics of the latest run with a result."""
    latest = store.past(checkpoint, limit=1)
    if not latest:
        return set()
    metrics = {
        name.removeprefix(CHECK)
        for name, value in latest[0].values.items()
        if _number(value) is not None and not name.startswith("fails ")
    }
    return metrics | set(_checks(result(store, latest[0].run_id)))
