"""How a column is compared with what is expected of it: numbers and categories."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from truthound._words import plural
from truthound.data import Column, Metric, Predicate, count, samples
from truthound.validators.base import Check, Finding, Question
from truthound.validators.drift import jensen_shannon, psi, psi_part, shares
from truthound.validators.expected import POINTS, Cut, Expected, learned, readable
from truthound.validators.metrics import nans_of, nulls_of, rows_of, statistic
from truthound.validators.repeats import distinct

if TYPE_CHECKING:
    from truthound.validators.distribution import (  # noqa: TC004 - it imports this
        DistributionValidator,
    )

CATEGORIES = 1_000  # categories that are told apart; the rest is one more
NEW = 100  # new categories that a result names
IDENTIFIER = "passed over: an identifier rather than a category"


@dataclass(frozen=True, slots=True)
class Numbers:
    """The comparison of one column of numbers or times."""

    validator: DistributionValidator
    column: Column
    where: Predicate | None

    def grid(self) -> Metric:
        """Return the quantiles of the column, and how many values are around each."""
        return self._metric(("grid", POINTS), lambda v: samples.grid_of(v, POINTS))

    def check(self, method: str, expected: Expected) -> Check:
        """Return the check against what is expected."""
        if method == "psi":
            cuts, before, total = expected.bins()
            bins = shares(before, total)
            judge = partial(self._judge_psi, expected.rows, cuts, bins)
            return self._made(judge, [self._before(cut) for cut in cuts])
        metric = self._metric(("ks", *expected.key()), expected.ks)
        return self._made(partial(self._judge_ks, expected), [metric])

    def learning(self, key: str) -> Check:
        """Return the check that learns what to expect."""
        metrics = [
            self.grid(),
            self._metric(("number mean",), lambda v: v.filter(v.is_finite()).mean()),
            self._metric(("number std",), lambda v: v.filter(v.is_finite()).std()),
        ]
        # What is learned is of the whole table, also if groups are judged later.
        check = self._made(self._judge_learning, metrics)
        return replace(check, validator=replace(self.validator, by=None), learns=key)

    def _judge_psi(
        self,
        expected_rows: int | None,
        cuts: Sequence[Cut],
        expected: Sequence[float],
        checked: int,
        nans: int,
        *before: int,
    ) -> Finding:
        actual = shares([number or 0 for number in before], checked)
        found = psi(expected, actual)
        filled = sum(e > 0 or a > 0 for e, a in zip(expected, actual, strict=True))
        limit = self.validator.limit("psi", checked, expected_rows, filled)
        if found <= limit:
            return self.validator.finding("psi", checked, found, limit)
        names = [self._named(cuts, n) for n in range(len(expected))]
        moves = list(zip(names, expected, actual, strict=True))
        worst = max(moves, key=lambda move: psi_part(*move[1:]))
        return self.validator.finding(
            "psi",
            checked,
            found,
            limit,
            words=f"; {_moved(*worst)}",
            details={
                "bins": [{"bin": b, "expected": e, "actual": a} for b, e, a in moves]
            },
        )

    def _named(self, cuts: Sequence[Cut], n: int) -> str:
        """Say which values the n-th bin holds."""
        low = cuts[n - 1] if n else None
        high = cuts[n] if n < len(cuts) else None
        if low is None or high is None:
            cut = high or low
            assert cut is not None  # there is one cut at least
            words = (
                ("up to" if cut.included else "below")
                if high
                else ("above" if cut.included else "from")
            )
            return f"{words} {readable(cut.value, self.column)}"
        if low.value == high.value:
            return readable(low.value, self.column)
        return (
            f"{readable(low.value, self.column)} to {readable(high.value, self.column)}"
        )

    def _judge_ks(
        self, expected: Expected, checked: int, nans: int, measured: Any
    ) -> Finding:
        limit = self.validator.limit("ks", checked, expected.rows, 0)
        found = expected.distance(measured, checked)
        return self.validator.finding("ks", checked, found, limit)

    def _judge_learning(
        self, checked: int, nans: int, grid: Sequence[Any], mean: Any, std: Any
    ) -> Finding:
        values = checked - nans
        known = learned(grid, values, mean, std)
        beside = f"; {_nans(nans, checked)}" if nans else ""
        if known is None:
            message = f"nothing learned: no values{beside}"
        else:
            message = (
                f"learned: {POINTS} quantiles of {plural(values, 'value')}{beside}"
            )
        low, high = grid[0], grid[POINTS - 1]
        return Finding(
            passed=not nans,
            checked=checked,
            observed=None
            if known is None
            else f"{readable(low, self.column)} to {readable(high, self.column)}",
            message=message,
            details={"nan": nans} if nans else {},
            whole_table=True,
            learned=known,
        )

    def _before(self, cut: Cut) -> Metric:
        def build(values: Any, ns: Any) -> Any:
            numbers = values
            if self.column.is_a("temporal"):
                numbers = samples.as_numbers(values, self.column)
            elif self.column.kind == "decimal":
                numbers = values.cast(ns.Float64)
            before = numbers <= cut.value if cut.included else numbers < cut.value
            return count(ns, before)

        return statistic(
            ("before", cut.value, cut.included),
            self.column.name,
            build,
            self.where,
            portable=self.column.is_a("numeric"),
        )

    def _metric(self, kind: tuple[Any, ...], build: Callable[[Any], Any]) -> Metric:
        return statistic(
            kind,
            self.column.name,
            lambda values, ns: build(samples.as_numbers(values, self.column)),
            self.where,
            portable=False,
        )

    def _made(self, judge: Callable[..., Finding], metrics: Sequence[Metric]) -> Check:
        name = self.column.name
        is_float = self.column.is_a("float")
        nans = (nans_of(name, self.where),) if is_float else ()
        learning = judge == self._judge_learning

        def first(rows: int, nulls: int, *measured: Any) -> Finding:
            found = int(measured[0] or 0) if is_float else 0
            checked = (rows or 0) - (nulls or 0)
            if not learning and (nothing := unjudged(rows or 0, checked, found)):
                return nothing
            return judge(checked, found, *(measured[1:] if is_float else measured))

        return Check(
            validator=self.validator,
            columns=(name,),
            metrics=(
                rows_of(self.where),
                nulls_of(name, self.where),
                *nans,
                *metrics,
            ),
            judge=first,
        )


@dataclass(frozen=True, slots=True)
class Categories:
    """The comparison of one column of categories."""

    validator: DistributionValidator
    column: Column
    where: Predicate | None

    def counts(self) -> Metric:
        """Return the most frequent categories with their counts."""
        return self._frequencies((), CATEGORIES)

    def check(self, known: Mapping[str, Any]) -> Check:
        """Return the check against what is expected, as ``shares_of`` made it."""

        def judge(rows: int, nulls: int, found: Sequence[Any] | None) -> Finding:
            checked = (rows or 0) - (nulls or 0)
            nothing = unjudged(rows or 0, checked, 0)
            return nothing or self._judge(known, checked, found or ())

        return Check(
            validator=self.validator,
            columns=(self.column.name,),
            metrics=(
                rows_of(self.where),
                nulls_of(self.column.name, self.where),
                self._frequencies(tuple(known["shares"]), NEW),
            ),
            judge=judge,
        )

    def learning(self, key: str, named: bool) -> Check:
        """Return the check that learns what to expect.

        Args:
            key: of the baseline.
            named: the user has named the column: it is learned in any case.
        """
        name = self.column.name

        def judge(rows: int, nulls: int, different: int) -> Finding | Question:
            checked, different = (rows or 0) - (nulls or 0), different or 0
            seen = f"{different:,} different values"
            if not checked:
                return _nothing_learned(checked, seen, "nothing learned: no values")
            if is_identifier(different, checked) and not named:
                return _nothing_learned(checked, seen, IDENTIFIER)
            return Question(
                (self._frequencies((), CATEGORIES),),
                lambda found: Finding(
                    passed=True,
                    checked=checked,
                    observed=seen,
                    message=f"learned: shares of {plural(len(found), 'category')}",
                    learned=shares_of(
                        [(entry["value"], entry["count"]) for entry in found], checked
                    ),
                ),
            )

        return Check(
            validator=replace(self.validator, by=None),
            columns=(name,),
            metrics=(
                rows_of(self.where),
                nulls_of(name, self.where),
                distinct((name,), self.where),
            ),
            judge=judge,
            learns=key,
        )

    def _frequencies(self, known: tuple[str, ...], others: int) -> Metric:
        return statistic(
            ("frequencies", known, others),
            self.column.name,
            lambda values, ns: samples.frequencies(values, known, others),
            self.where,
            portable=False,
        )

    def _judge(
        self, known: Mapping[str, Any], checked: int, found: Sequence[Any]
    ) -> Finding:
        expected: dict[str, float] = dict(known["shares"])
        counts = {entry["value"]: entry["count"] for entry in found}
        actual = {value: counts.get(value, 0) / checked for value in expected}
        others = [value for value in counts if value not in expected]
        rest = 1.0 - math.fsum(actual.values())
        filled = sum(share > 0 for share in expected.values()) + len(others)
        # A value may have any name, and so the rest has one that is no text.
        left: dict[Any, float] = {**expected, None: known["rest"]}
        right: dict[Any, float] = {**actual, None: rest if others else 0.0}
        distance = jensen_shannon(left, right)
        limit = self.validator.limit("js", checked, known["rows"], filled)
        # What was beyond the thousandth category then may be among the others now.
        new = [] if known["rest"] else others
        details: dict[str, Any] = {"new": new} if new else {}
        words = f"; new: {', '.join(map(repr, new[:5]))}" if new else ""
        if distance > limit and expected:
            worst = max(expected, key=lambda v: abs(actual[v] - expected[v]))
            moved = _moved(repr(worst), expected[worst], actual[worst])
            words = f"; {moved}{words}"
        return self.validator.finding(
            "js", checked, distance, limit, words=words, details=details
        )


def shares_of(counts: Sequence[tuple[str, int]], rows: int) -> dict[str, Any]:
    """Return what a baseline keeps of a column of categories.

    Args:
        counts: of each value, the most frequent first.
        rows: how many values there are.
    """
    kept = {value: number / rows for value, number in counts[:CATEGORIES]}
    others = rows - sum(number for _, number in counts[:CATEGORIES])
    return {"rows": rows, "shares": kept, "rest": others / rows if rows else 0.0}


def is_identifier(different: int, rows: int) -> bool:
    """Tell whether a column has too many different values to be one of categories."""
    return different > CATEGORIES or different > max(rows / 2, 20)


def _nothing_learned(checked: int, seen: str, why: str) -> Finding:
    return Finding(passed=True, checked=checked, observed=seen, message=why)


def unjudged(rows: int, checked: int, nans: int) -> Finding | None:
    """Return the verdict on a column that has no distribution; None if it has one."""
    if not rows:
        return Finding(passed=True, checked=0, message="no rows", whole_table=True)
    if nans:
        return Finding(
            passed=False,
            checked=checked,
            observed="NaN",
            message=_nans(nans, checked),
            details={"nan": nans},
            whole_table=True,
        )
    if not checked:
        return Finding(passed=False, checked=0, message="no values", whole_table=True)
    return None


def _nans(nans: int, checked: int) -> str:
    values = plural(checked, "value")
    return f"{nans:,} of {values} {'is' if nans == 1 else 'are'} NaN"


def _moved(what: str, expected: float, actual: float) -> str:
    return f"most moved: {what}, {expected:.1%} -> {actual:.1%}"
