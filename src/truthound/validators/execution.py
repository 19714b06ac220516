"""One run of a plan: rounds of selects, verdicts, examples, results."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from truthound._words import plural
from truthound.data import Batch, Metric, Predicate, Showing, Table
from truthound.errors import CheckError, TruthoundError
from truthound.validators.base import Check, Finding, Judge, Question, Validator
from truthound.validators.estimates import judged
from truthound.validators.examples import REDACTED, Examples
from truthound.validators.metrics import ROWS, name_of
from truthound.validators.result import CheckResult, GroupResult, Severity

logger: logging.Logger = logging.getLogger("truthound.validators")

Values = tuple[Any, ...]
Grouping = tuple[str, ...]
MAX_GROUPS = 1_000  # groups that a result names, failing ones first


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of a plan found.

    Attributes:
        row_count: rows of the table.
        checks: one result a check, in the order of the validators.
        learned: what is to be kept as baseline, by key.
        metrics: the numbers by name, for runs to come that look back.
    """

    row_count: int
    checks: list[CheckResult]
    learned: dict[str, Any]
    metrics: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ask:
    """A judge that waits for the values of its metrics.

    Attributes:
        number: the place of its check among all.
        by: the grouping that it wants them by.
        group: the one group that asks back; empty at first, when all are judged.
    """

    number: int
    metrics: tuple[Metric, ...]
    judge: Judge
    by: Grouping = ()
    group: Values = ()


@dataclass(slots=True)
class Round:
    """One select: a batch of metrics and those who wait for it."""

    batch: Batch
    asks: list[Ask]
    pickers: list[Callable[[Values], Values]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)  # of the metrics

    def __post_init__(self) -> None:
        if not self.batch.by:
            self.names += map(name_of, self.batch.metrics)
        shift = len(self.batch.by)  # a grouped row begins with the group's values
        positions = self.batch.positions
        for ask in self.asks:
            places = [positions[metric] + shift for metric in ask.metrics]
            self.pickers.append(_picker(places))


def rounds_of(asks: Sequence[Ask], always: Sequence[Metric] = ()) -> list[Round]:
    """Put those who want the same grouping into one round.

    Args:
        asks: who waits for what.
        always: metrics that are wanted of the whole table in any case.
    """
    groupings: dict[Grouping, list[Ask]] = {(): []} if always else {}
    for ask in asks:
        groupings.setdefault(ask.by, []).append(ask)
    return [
        Round(
            Batch(
                [
                    *(always if not by else ()),
                    *(m for ask in some for m in ask.metrics),
                ],
                by,
            ),
            some,
        )
        for by, some in sorted(groupings.items(), key=itemgetter(0))
    ]


class Execution:
    """One run: asks the table round by round until every judge has said.

    Args:
        slots: the checks, and the results of those that could not be stated.
        table: the data.
    """

    def __init__(self, slots: Sequence[Check | CheckResult], table: Table) -> None:
        self.slots = slots
        self.table = table
        self.row_count: int = 0
        self.findings: dict[int, Finding | CheckError] = {}
        self.grouped: dict[int, dict[Values, Finding]] = {}
        self._measured: list[tuple[Round, Values]] = []  # of the whole table

    def ask(self, rounds: list[Round]) -> None:
        """Ask the rounds, and those that follow from them."""
        while rounds:
            again: list[Ask] = []
            for round_ in rounds:
                again += self._ask_one(round_)
            rounds = rounds_of(again) if again else []

    def _ask_one(self, round_: Round) -> list[Ask]:
        """Ask one round; return those who want to know more."""
        try:
            rows = self.table.measure(round_.batch)
        except CheckError as error:
            return self._ask_apart(round_, error)
        batch = round_.batch
        if ROWS in batch.positions and not batch.by:
            self.row_count = rows[0][batch.positions[ROWS]]
        if not batch.by:
            self._measured.append((round_, rows[0]))
        groups = {row[: len(batch.by)]: row for row in rows}
        again: list[Ask] = []
        for ask, pick in zip(round_.asks, round_.pickers, strict=True):
            try:
                again += self._judge(ask, pick, groups)
            except CheckError as error:
                self.findings[ask.number] = error
        return again

    def _ask_apart(self, round_: Round, error: CheckError) -> list[Ask]:
        """Ask those of a round one by one, so that the faulty one fails alone."""
        if len(round_.asks) == 1:
            self.findings[round_.asks[0].number] = error
            if ROWS in round_.batch.positions and not round_.batch.by:
                self._ask_one(Round(Batch([ROWS]), []))
            return []
        again = self._ask_one(Round(Batch([ROWS]), []))
        for ask in round_.asks:
            again += self._ask_one(Round(Batch(ask.metrics, ask.by), [ask]))
        return again

    def _judge(
        self,
        ask: Ask,
        pick: Callable[[Values], Values],
        groups: Mapping[Values, Values],
    ) -> list[Ask]:
        again = []
        # At first every group is judged, later the one that asked back.
        for group in [ask.group] if ask.group else groups:
            verdict = _verdict(ask, pick(groups[group]))
            if isinstance(verdict, Question):
                again.append(
                    Ask(ask.number, verdict.metrics, verdict.judge, ask.by, group)
                )
            elif ask.by:
                self.grouped.setdefault(ask.number, {})[group] = verdict
            else:
                self.findings[ask.number] = verdict
        return again

    def fails(self, number: int) -> bool:
        """Tell whether a check was evaluated and does not hold."""
        finding = self.findings.get(number)
        if finding is not None:
            return isinstance(finding, Finding) and not finding.passed
        groups = self.grouped.get(number, {})
        return any(not group.passed for group in groups.values())

    def quicker(self, number: int) -> Predicate | None:
        """Return the condition for the failing rows that a judge made, if one did."""
        finding = self.findings.get(number)
        return finding.failing if isinstance(finding, Finding) else None

    def examples(
        self, wanted: Mapping[int, Showing]
    ) -> dict[int, list[dict[str, Any]]]:
        """Fetch the failing rows that are to be shown, by check."""
        if not wanted:
            return {}
        try:
            found = self.table.examples(list(wanted.values()))
            return dict(zip(wanted, found, strict=True))
        except CheckError as error:
            if len(wanted) == 1:
                # The verdict stands; there is only nothing to show for it.
                logger.warning("no example rows: %s", error)
                return {}
        return {
            number: rows
            for one, showing in wanted.items()
            for number, rows in self.examples({one: showing}).items()
        }

    def report(
        self, rows: Mapping[int, list[dict[str, Any]]], examples: Examples
    ) -> Outcome:
        """Make the results of all that was found."""
        results: list[CheckResult] = []
        learned: dict[str, Any] = {}
        for number, slot in enumerate(self.slots):
            if isinstance(slot, CheckResult):
                results.append(slot)
                continue
            finding = self.findings.get(number)
            if isinstance(finding, CheckError):
                results.append(unevaluated(slot, finding))
                continue
            groups = self.grouped.get(number, {})
            if finding is None:
                finding = _merged(groups)
            if slot.learns and finding.learned is not None:
                learned[slot.learns] = finding.learned
            shown = rows.get(number, ())
            if examples.redact:
                shown = [examples.redacted(row) for row in shown]
            results.append(_result(slot, finding, shown, groups, examples))
        return Outcome(
            self.row_count, results, learned, self._metrics(results, examples)
        )

    def _metrics(
        self, results: Sequence[CheckResult], examples: Examples
    ) -> dict[str, Any]:
        """Return the numbers of the run by name, and one for each check."""
        found: dict[str, Any] = {}
        for round_, values in self._measured:
            found.update(zip(round_.names, values, strict=True))
            if examples.redact:  # a count tells nothing of a value
                for name, metric in zip(
                    round_.names, round_.batch.metrics, strict=True
                ):
                    hidden = any(map(examples.hides, metric.reads))
                    if hidden and metric.key[0] not in COUNTS:
                        del found[name]
        for result in results:
            if result.status == "error":
                continue
            seen = result.observed
            is_number = isinstance(seen, (int, float)) and not isinstance(seen, bool)
            if not is_number or any(map(examples.hides, result.columns)):
                seen = result.failed
            found[f"check:{result.name}"] = seen
            if result.status == "failed":
                found[f"failed:{result.name}"] = True
        return found


COUNTS = frozenset({"rows", "nulls", "nans", "fails"})


def _verdict(ask: Ask, values: Values) -> Finding | Question:
    try:
        found: Finding | Question = judged(ask.judge, ask.metrics, values)
        return found
    except TruthoundError:
        raise
    except Exception as error:
        # A judge may be the user's own: what it raises is its check's error only.
        logger.error("a check could not judge %r", values, exc_info=error)
        raise CheckError(f"{type(error).__name__}: {error}") from error


def _picker(places: list[int]) -> Callable[[Values], Values]:
    if len(places) > 1:
        return itemgetter(*places)
    if not places:
        return lambda _: ()
    place = places[0]
    return lambda row: (row[place],)


def _merged(groups: Mapping[Values, Finding]) -> Finding:
    """Make one finding of the groups': it holds if it holds in each of them."""
    bad = sum(not finding.passed for finding in groups.values())
    first = next(iter(groups.values()), None)
    return Finding(
        passed=not bad,
        checked=sum(finding.checked for finding in groups.values()),
        failed=sum(finding.failed for finding in groups.values()),
        observed=f"fails in {bad:,} of {plural(len(groups), 'group')}",
        expected=first.expected if first else None,
        whole_table=first.whole_table if first else False,
    )


def _result(
    check: Check,
    finding: Finding,
    rows: Sequence[Mapping[str, Any]],
    groups: Mapping[Values, Finding],
    examples: Examples,
) -> CheckResult:
    validator = check.validator
    severity = None
    if not finding.passed:
        severity = _severity(validator, finding, groups)
    return CheckResult(
        name=check.name,
        validator=validator.rule,
        columns=check.columns,
        status="passed" if finding.passed else "failed",
        severity=severity,
        checked=finding.checked,
        failed=finding.failed,
        observed=finding.observed,
        expected=finding.expected,
        message=finding.message or _message(finding),
        examples=rows,
        groups=_group_results(validator.groups, groups, examples) if groups else (),
        details=finding.details,
        where=None if validator.where is None else str(validator.where),
    )


def _severity(
    validator: Validator, finding: Finding, groups: Mapping[Values, Finding]
) -> Severity:
    if validator.severity is not None:
        return Severity.parse(validator.severity)
    if finding.whole_table and not groups:
        return Severity.CRITICAL
    if groups:  # the worst group decides
        return max(
            (
                Severity.CRITICAL
                if group.whole_table
                else Severity.of_share(_share(group))
                for group in groups.values()
                if not group.passed
            ),
            key=lambda severity: severity.rank,
        )
    return Severity.of_share(_share(finding))


def _share(finding: Finding) -> float:
    return finding.failed / finding.checked if finding.checked else 0.0


def _message(finding: Finding) -> str:
    if finding.expected is None:
        return str(finding.observed)
    return f"expected {finding.expected}; {finding.observed}"


def _group_results(
    by: tuple[str, ...], groups: Mapping[Values, Finding], examples: Examples
) -> list[GroupResult]:
    found = [
        GroupResult(
            group={
                name: REDACTED if examples.hides(name) else value
                for name, value in zip(by, group, strict=True)
            },
            passed=finding.passed,
            checked=finding.checked,
            failed=finding.failed,
            observed=finding.observed,
        )
        for group, finding in groups.items()
    ]
    found.sort(key=lambda result: (result.passed, -result.failed))
    return found[:MAX_GROUPS]


def unevaluated(check: Check, error: Exception) -> CheckResult:
    """Make the result of a check that could not be evaluated."""
    return CheckResult(
        name=check.name,
        validator=check.rule,
        columns=check.columns,
        status="error",
        message=str(error),
        error=str(error),
    )
