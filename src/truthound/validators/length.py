"""length: text must have so many characters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from truthound._words import numbered
from truthound.data import Column
from truthound.errors import ConfigurationError
from truthound.validators.base import RowValidator
from truthound.validators.bounds import interval, within


@dataclass(kw_only=True, eq=False)
class LengthValidator(RowValidator):
    """Text must have so many characters (Unicode code points, not bytes).

    Args:
        min: at least so many.
        max: at most so many.
        equals: exactly so many; instead of both.

    Example:
        >>> import polars as pl, truthound
        >>> codes = pl.DataFrame({"iata": ["JFK", "LA"]})
        >>> rule = {"length": {"column": "iata", "equals": 3}}
        >>> truthound.check(codes, [rule]).checks[0].examples
        [{'row': 2, 'iata': 'LA'}]
    """

    rule = "length"
    row_by_row = True
    null_for_null = True
    accepts: ClassVar[tuple[str, ...]] = ("string",)

    min: int | None = None
    max: int | None = None
    equals: int | None = None

    def check_options(self) -> None:
        given = [self.min, self.max, self.equals]
        if given == [None, None, None]:
            raise ConfigurationError("length needs min, max or equals")
        if self.equals is not None and (self.min is not None or self.max is not None):
            raise ConfigurationError("length takes equals, or min and max, not both")
        for number in given:
            if number is not None and (isinstance(number, bool) or number < 0):
                raise ConfigurationError(f"a length is 0 or more, not {number!r}")

    def holds(self, column: Column, ns: Any) -> Any:
        length = ns.col(column.name).str.len_chars()
        return within(length, column, *self._bounds())

    def expectation(self) -> str:
        low, high = self._bounds()
        noun = numbered(low if high is None else high, "character")
        return f"{interval(low, high)} {noun}"

    def _bounds(self) -> tuple[int | None, int | None]:
        if self.equals is not None:
            return self.equals, self.equals
        return self.min, self.max
