"""format: text must be in a well-known format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from truthound.data import Column
from truthound.errors import ConfigurationError, UnknownNameError
from truthound.validators.base import RowValidator
from truthound.validators.formats import FORMATS


@dataclass(kw_only=True, eq=False)
class FormatValidator(RowValidator):
    """Text must be in a well-known format.

    Args:
        format: ``email``, ``url``, ``uuid``, ``ipv4``, ``ipv6``, ``date``,
            ``datetime``, ``json``, ``e164``, ``iban``, ``credit_card``, ``country`` or
            ``currency``.

    Example:
        >>> import polars as pl, truthound
        >>> days = pl.DataFrame({"day": ["2024-02-29", "2023-02-29"]})
        >>> rule = {"format": {"column": "day", "format": "date"}}
        >>> truthound.check(days, [rule]).checks[0].examples
        [{'row': 2, 'day': '2023-02-29'}]
    """

    rule = "format"
    row_by_row = True
    accepts: ClassVar[tuple[str, ...]] = ("string",)
    portable = False

    format: str = ""

    def check_options(self) -> None:
        if not self.format:
            raise ConfigurationError(f"format needs a format: {', '.join(FORMATS)}")
        if self.format not in FORMATS:
            raise UnknownNameError("format", self.format, FORMATS)

    def holds(self, column: Column, ns: Any) -> Any:
        return FORMATS[self.format].holds(ns.col(column.name), ns)

    def expectation(self) -> str:
        return FORMATS[self.format].words
