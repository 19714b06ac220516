"""Regular expressions as the engine understands them."""

from __future__ import annotations

from truthound.data import pattern_problem
from truthound.errors import ConfigurationError


def check_pattern(rule: str, pattern: str) -> None:
    """Refuse a pattern that the engine does not understand.

    Raises:
        ConfigurationError: it is missing or faulty.
    """
    if not isinstance(pattern, str) or not pattern:
        raise ConfigurationError(f"{rule} needs a pattern, a text")
    if problem := pattern_problem(pattern):
        raise ConfigurationError(
            f"{rule}: {pattern!r} is not a regular expression: {problem}"
        )
