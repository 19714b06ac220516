"""referential: values exist in a column of another source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from truthound.data import Column, Keys, Metric, distinct_keys
from truthound.errors import CheckError, ConfigurationError, DataError, did_you_mean
from truthound.validators.base import Check, Finding, Question, RowValidator, Scope

_PARTS = ("source", "column", "columns")


@dataclass(kw_only=True, eq=False)
class ReferentialValidator(RowValidator):
    """Values must exist in a column of another source.

    ``column`` is looked up by itself (each, if it means several), ``columns``
    together, as a key made of several columns. A row in which one of them is missing
    is not judged; a missing value in the references, or a NaN, is equal to none.
    Numbers are looked up among numbers, text among text; other types do not mix. The
    references are read once a run.

    How many different values are unknown stands in ``details["orphans"]``.

    Args:
        references: ``source`` (whatever ``truthound.check`` takes) and ``column`` or
            ``columns`` of it, which may be left out where the names are the same.

    Example:
        >>> import polars as pl, truthound
        >>> planes = pl.DataFrame({"tail": ["N1", "N2"]})
        >>> flights = pl.DataFrame({"tail": ["N1", "N9", None]})
        >>> rule = {"referential": {"column": "tail", "references": {"source": planes}}}
        >>> truthound.check(flights, [rule]).checks[0].examples
        [{'row': 2, 'tail': 'N9'}]
    """

    rule = "referential"
    row_by_row = True
    portable = False

    references: Mapping[str, Any] = field(default_factory=dict)

    def check_options(self) -> None:
        if not isinstance(self.references, Mapping):
            raise ConfigurationError(
                f"references is a mapping with source and column, "
                f"not {type(self.references).__name__}"
            )
        for part in self.references:
            if part not in _PARTS:
                raise ConfigurationError(
                    f"references has no {part!r}{did_you_mean(str(part), _PARTS)}; "
                    f"it has {', '.join(_PARTS)}"
                )
        if self.references.get("source") is None:
            raise ConfigurationError("references needs source, the data to look in")
        if self.references.get("column") and self.references.get("columns"):
            raise ConfigurationError("references has column or columns, not both")

    def holds(self, column: Column, ns: Any) -> Any:
        raise AssertionError("the condition needs the references")

    def expectation(self) -> str:
        names = self._names() or ["the same column"]
        return f"a value of {', '.join(names)} in the references"

    def checks(self, scope: Scope) -> Iterator[Check]:
        columns = self.selected(scope)
        table = scope.open(self.references["source"])
        names = self._names()
        lookups: list[tuple[list[Column], list[str]]]
        if self.columns is not None:
            lookups = [(columns, names or [column.name for column in columns])]
        else:
            lookups = [([column], names or [column.name]) for column in columns]
        for key, others in lookups:
            if len(key) != len(others):
                raise CheckError(
                    f"a key of {len(key)} ({', '.join(c.name for c in key)}) cannot "
                    f"be looked up in {len(others)} ({', '.join(others)})"
                )
            try:
                known = distinct_keys(table, others, key)
            except DataError as error:
                raise CheckError(str(error)) from error
            yield self._lookup(scope, tuple(c.name for c in key), known)

    def own_options(self) -> tuple[tuple[str, str], ...]:
        # Two rules with references of their own are never the same metric.
        source = self.references["source"]
        told = source if isinstance(source, str) else type(source).__name__
        return (("references", f"{told} ({id(self):x})"),)

    def _lookup(self, scope: Scope, names: tuple[str, ...], known: Keys) -> Check:
        where = self.filter(scope)
        check = self.row_check(
            scope, names, lambda ns: known.contain(names), lasting=False
        )
        assert check.failing is not None  # as of every check of rows
        failing, judge = check.failing, check.judge
        orphans = Metric(
            ("orphans", names, self.own_options(), where and where.key),
            lambda ns: (
                ns.struct([ns.col(name) for name in names])
                .filter(failing.build(ns))
                .n_unique()
            ),
            failing.reads,
            portable=False,
        )

        def judge_all(rows: int, nulls: int, failed: int) -> Finding | Question:
            found = judge(rows, nulls, failed)
            if not failed or isinstance(found, Question):
                return found
            return Question((orphans,), partial(self._with_orphans, found))

        return replace(check, judge=judge_all)

    def _with_orphans(self, found: Finding, orphans: int) -> Finding:
        noun = "value is" if orphans == 1 else "different values are"
        return replace(
            found,
            observed=f"{orphans:,} {noun} unknown",
            details={"orphans": orphans},
        )

    def _names(self) -> list[str]:
        given: str | Sequence[str] | None = self.references.get("columns")
        given = given or self.references.get("column")
        return [given] if isinstance(given, str) else list(given or ())
