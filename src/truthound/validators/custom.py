"""custom: a function of the user's own says what is right."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from truthound.data import Column, by_value, opposite, whole
from truthound.errors import CheckError, ConfigurationError, did_you_mean
from truthound.validators.base import Check, RowValidator, Scope

_MODES = ("expression", "value")


@dataclass(kw_only=True, eq=False)
class CustomValidator(RowValidator):
    """A function of your own says which values are right.

    Missing values are not judged, and the function does not see the values that
    ``where`` leaves out. What it raises becomes the check's error.

    Args:
        function: the function, or where to import it from: ``"package.module:name"``.
        mode: ``expression``: it is called with the column as a Polars expression and
            returns a boolean expression; ``value``: it is called once with each
            different value and returns True or False.

    Example:
        >>> import polars as pl, truthound
        >>> def is_even(values):
        ...     return values % 2 == 0
        >>> ids = pl.DataFrame({"id": [2, 3]})
        >>> rule = {"custom": {"column": "id", "function": is_even}}
        >>> truthound.check(ids, [rule]).checks[0].examples
        [{'row': 2, 'id': 3}]
    """

    rule = "custom"
    portable = False
    # What a user's function takes its time for must not hold up others.
    calls_python = True

    function: Any = None
    mode: str = "expression"

    def check_options(self) -> None:
        if self.mode not in _MODES:
            raise ConfigurationError(
                f"mode is expression or value, not {self.mode!r}"
                f"{did_you_mean(str(self.mode), _MODES)}"
            )
        if isinstance(self.function, str):
            self.function = imported("function", self.function)
        if not callable(self.function):
            raise ConfigurationError(
                f"function is a callable or 'module:name', not {self.function!r}"
            )

    def holds(self, column: Column, ns: Any) -> Any:
        return self._right(column, ns.col(column.name), (), ns)

    def expectation(self) -> str:
        return f"values that {_name(self.function)} accepts"

    def checks(self, scope: Scope) -> Iterator[Check]:
        yield from self.checks_across(scope, self._right)

    def _right(
        self, column: Column, values: Any, groups: tuple[str, ...], ns: Any
    ) -> Any:
        if self.mode == "value":
            return by_value(values, self.function)
        # Twice the opposite: an error unless it says yes or no.
        return ~opposite(whole(partial(self._expression, values), ns, groups), ns)

    def _expression(self, values: Any, ns: Any) -> Any:
        name = _name(self.function)
        try:
            found = self.function(values)
        except Exception as error:
            hint = ""
            if isinstance(error, TypeError):  # what most functions of a value raise
                hint = "; for a function of a single value say mode='value'"
            said = str(error).partition("\n")[0]
            raise CheckError(f"{name}: {type(error).__name__}: {said}{hint}") from error
        if not isinstance(found, ns.Expr):
            raise CheckError(
                f"{name} returned {found!r:.80}, expected a boolean expression; for a "
                f"function of a single value say mode='value'"
            )
        return found


def imported(option: str, path: str) -> Callable[..., Any]:
    """Return what ``module:name`` leads to.

    Raises:
        ConfigurationError: it leads nowhere; the message names the option.
    """
    module, colon, name = path.partition(":")
    if not (module and colon and name):
        raise ConfigurationError(f"{option} is 'module:name', not {path!r}")
    try:
        owner: Any = importlib.import_module(module)
    except Exception as error:
        # Whatever the module does when it is imported.
        raise ConfigurationError(
            f"{option}: {path}: {type(error).__name__}: {error}"
        ) from error
    for part in name.split("."):
        found = getattr(owner, part, None)
        if found is None:
            hint = did_you_mean(part, dir(owner))
            raise ConfigurationError(f"{option}: {path}: there is no {part!r}{hint}")
        owner = found
    function: Callable[..., Any] = owner
    return function


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", type(function).__name__)
