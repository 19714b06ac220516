"""What a number is expected to be, from what it was in earlier runs.

Several simple forecasts are tried on the past itself, one step ahead each time: the
median of all values, the median of the last ones, the median of the same weekday, hour
or both, and a straight line. The one whose errors are the smallest is taken; its errors
say how far a number may be from it.

The scale of the errors is ``1.4826 * MAD``, their median distance from the forecast,
which for a normal distribution is the standard deviation (F. Hampel, The influence
curve and its role in robust estimation, 1974), or a ninth decile of theirs divided by
1.645, which is the same for a normal distribution and larger where some times are
always a surprise. A number is out of place if its distance from the forecast is more
than ``limit`` scales. B. Iglewicz and D. Hoaglin, How to detect and handle outliers,
1993, take 3.5; a false alarm costs more here, and it is 4.5. With few runs the scale is
itself uncertain, and is widened by ``1 + 3 / n``. The slope of the line is that of H.
Theil's incomplete method (A rank-invariant method of linear regression, 1950): the
median slope of pairs half of the values apart.

Everything is deterministic: the same past gives the same bounds.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median

LIMIT = 4.5  # scales
MIN_RUNS = 8  # earlier runs without which there is nothing to expect
LAST = 600  # earlier runs that are looked at
STEPS = 60  # of these, the last ones on which forecasts are tried
RECENT = 5  # values whose median is the level of late
ENOUGH = 4  # values of a season without which it is none
BETTER = 0.7  # share of the errors of a simpler forecast that a richer one must beat
NORMAL = 1.4826
NINE_TENTHS = 1.645

LASTING = 8  # values out of place in a row after which they are how it is now
AGREE = 2.0  # times that a new level may wander as the one before did

Past = Sequence[tuple[datetime, float]]
Season = Callable[[datetime], Hashable]
SEASONS: dict[str, Season] = {
    "weekday": lambda at: at.weekday(),
    "hour": lambda at: at.hour,
    "weekday and hour": lambda at: (at.weekday(), at.hour),
}


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is expected of a number.

    Attributes:
        low: it should not be smaller.
        high: it should not be larger.
        middle: the forecast itself.
        runs: how many earlier values it comes from.
        method: level, recent, trend, weekday, hour, or weekday and hour.
    """

    low: float
    high: float
    middle: float
    runs: int
    method: str

    def holds(self, number: float) -> bool:
        """Tell whether a number is as expected."""
        return self.low <= number <= self.high


def expect(
    past: Past,
    now: datetime,
    *,
    limit: float = LIMIT,
    min_runs: int = MIN_RUNS,
    noise: Callable[[float], float] = lambda middle: 0.01 * abs(middle),
) -> Expectation | None:
    """Return what is expected of a number now; None while too little is known.

    Args:
        past: when, and what it was then, the oldest first.
        now: aware, in UTC, as the moments of the past.
        limit: how many scales it may be off.
        min_runs: earlier values without which nothing is expected.
        noise: returns the smallest scale for a forecast: what is not worth telling.
    """
    if len(past) < min_runs:
        return None
    best: tuple[str, float, float] | None = None
    for method in ("level", "recent", "step", "trend", *SEASONS):
        tried = _tried(method, past, now)
        if tried is None:
            continue
        middle, scale = tried
        if best is None or scale < BETTER * best[2]:
            best = method, middle, scale
    if best is None:
        return None
    method, middle, scale = best
    widened = max(scale * (1 + 3 / len(past)), noise(middle))
    reach = limit * widened
    return Expectation(middle - reach, middle + reach, middle, len(past), method)


def extremes_of(
    lows: Sequence[float], highs: Sequence[float], *, limit: float = LIMIT
) -> tuple[float, float, int]:
    """Return between which bounds the values of a run should lie.

    Each bound is the median of the smallest (largest) values of earlier runs, moved
    outwards by ``limit`` scales of theirs, or by a tenth of the span if that is more.

    Args:
        lows: the smallest values of earlier runs.
        highs: the largest.
        limit: in scales.

    Returns:
        The bounds, and from how many runs they are.
    """
    low, high = median(lows), median(highs)
    least = 0.1 * max(0.0, high - low)

    def reach(values: Sequence[float], middle: float) -> float:
        spread = _scale([value - middle for value in values])
        return max(limit * spread * (1 + 3 / len(values)), least)

    return low - reach(lows, low), high + reach(highs, high), min(len(lows), len(highs))


def sound(
    values: Sequence[tuple[datetime, float, bool]], lasting: int = LASTING
) -> list[tuple[datetime, float]]:
    """Return the values to learn from: without those that were out of place.

    If several in a row were, and agree with each other, they are how it is now.

    Args:
        values: when, what, and whether it was as expected; the oldest first.
        lasting: how many in a row; 0: never.
    """
    kept: list[tuple[datetime, float]] = []
    strange: list[tuple[datetime, float]] = []
    for at, value, held in values:
        if not held:
            strange.append((at, value))
            continue
        kept += _lasting(strange, kept, lasting)
        strange = []
        kept.append((at, value))
    return kept + _lasting(strange, kept, lasting)


def _lasting(
    strange: list[tuple[datetime, float]],
    before: Sequence[tuple[datetime, float]],
    lasting: int,
) -> list[tuple[datetime, float]]:
    """Return values out of place if they are a new level, else none.

    A new level wanders about as much as the one before, or by a twentieth of itself.
    """
    if not lasting or len(strange) < lasting:
        return []
    usual, new = (
        [value for _, value in some] for some in (before[-STEPS:], strange[-STEPS:])
    )
    level = median(new)
    spread = _scale([value - level for value in new])
    known = _scale([value - median(usual) for value in usual]) if usual else 0.0
    return strange if spread <= max(AGREE * known, 0.05 * abs(level)) else []


def _tried(method: str, past: Past, now: datetime) -> tuple[float, float] | None:
    """Return the forecast of a method, and the scale of its errors in the past."""
    if method in SEASONS:
        return _season(SEASONS[method], past, now)
    values = [value for _, value in past]
    begin = max(len(past) - STEPS, min(ENOUGH, len(past) - 2))
    if method == "level":
        return median(values), _scale(_errors_of_level(values, begin))
    if method == "recent":
        errors = [
            values[n] - median(values[max(0, n - RECENT) : n])
            for n in range(begin, len(values))
        ]
        return median(values[-RECENT:]), _scale(errors)
    if method == "step":
        steps = [
            values[n] - _next(values[max(0, n - RECENT - 1) : n])
            for n in range(max(begin, 2), len(values))
        ]
        return _next(values[-RECENT - 1 :]), _scale(steps)
    if len(past) < 2 * ENOUGH:
        return None
    begin = max(begin, 2 * ENOUGH - 2)
    errors = [
        past[n][1] - _on_line(past[max(0, n - STEPS) : n], past[n][0])
        for n in range(begin, len(past))
    ]
    return _on_line(past[-STEPS:], now), _scale(errors)


def _next(values: Sequence[float]) -> float:
    """Return the last value, and one step on."""
    return values[-1] + median(b - a for a, b in pairwise(values))


def _errors_of_level(values: Sequence[float], begin: int) -> list[float]:
    ranked = sorted(values[:begin])
    errors = []
    for value in values[begin:]:
        half, odd = divmod(len(ranked), 2)
        middle = ranked[half] if odd else (ranked[half - 1] + ranked[half]) / 2
        errors.append(value - middle)
        insort(ranked, value)
    return errors


def _season(season: Season, past: Past, now: datetime) -> tuple[float, float] | None:
    """Forecast the median of the values of the same season."""
    groups: dict[Hashable, list[float]] = {}
    errors = []
    for at, value in past:
        group = groups.setdefault(season(at), [])
        if len(group) >= 2:
            errors.append(value - median(group))
        group.append(value)
    same = groups.get(season(now), [])
    if len(same) < ENOUGH or len(groups) < 2 or len(errors) < ENOUGH:
        return None
    return median(same), _scale(errors[-STEPS:])


def _on_line(past: Past, now: datetime) -> float:
    """Return where the straight line through some values is now."""
    begin = past[0][0]
    times = [(at - begin).total_seconds() for at, _ in past]
    values = [value for _, value in past]
    half = len(past) // 2
    slopes = [
        (values[n + half] - values[n]) / (times[n + half] - times[n])
        for n in range(len(past) - half)
        if times[n + half] > times[n]
    ]
    slope = median(slopes) if slopes else 0.0
    rest = median(v - slope * t for v, t in zip(values, times, strict=True))
    return rest + slope * (now - begin).total_seconds()


def _scale(errors: Sequence[float]) -> float:
    """Return the scale of errors around 0: a forecast that is always off is wrong."""
    if not errors:
        return math.inf
    sizes = sorted(map(abs, errors))
    decile = sizes[min(len(sizes) - 1, math.ceil(0.9 * len(sizes)) - 1)]
    return max(NORMAL * median(sizes), decile / NINE_TENTHS)


def in_words(number: float) -> str:
    """Return a number as people read it, with four digits at least."""
    return f"{number:,.4g}" if abs(number) < 1e4 else f"{number:,.0f}"


def counted(number: float) -> str:
    """Return a number of things as people read it."""
    return f"{round(number):,}"
