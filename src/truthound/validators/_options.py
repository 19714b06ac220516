"""Options common to all validators that make no sense for some of them."""

from __future__ import annotations

import dataclasses

from truthound.errors import ConfigurationError
from truthound.validators.base import Validator

OF_ROWS = ("column", "columns", "mostly", "where", "by")


def refuse(validator: Validator, *options: str) -> None:
    """Refuse common options that would be passed over in silence.

    Raises:
        ConfigurationError: one of them was given.
    """
    defaults = {f.name: f.default for f in dataclasses.fields(validator)}
    for option in options:
        if getattr(validator, option) != defaults[option]:
            raise ConfigurationError(f"{option} does not apply to {validator.rule}")


def check_counts(rule: str, **counts: int | None) -> None:
    """Refuse numbers of rows or columns that are none, and bounds without a between.

    Raises:
        ConfigurationError: naming the option.
    """
    for option, count in counts.items():
        if count is not None and (
            not isinstance(count, int) or isinstance(count, bool) or count < 0
        ):
            raise ConfigurationError(
                f"{option} of {rule} is a whole number from 0, not {count!r}"
            )
    least, most = counts.get("min"), counts.get("max")
    if least is not None and most is not None and least > most:
        raise ConfigurationError(f"min ({least}) is larger than max ({most})")
