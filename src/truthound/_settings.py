"""What environment variables set for the toolkit, in one place."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

from truthound.errors import ConfigurationError

PREFIX = "TRUTHOUND_ASYNC_"
DOCUMENTED_PREFIX = "SPECIFY_ASYNC_"  # of the documents; ours wins


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Defaults of the toolkit; an argument that is given wins over them.

    Attributes:
        workers: jobs that an ``AsyncRunner`` runs at once (``…_WORKERS``).
        timeout: seconds for an HTTP request as a whole (``…_TIMEOUT``).
        retry_max: tries after the first one (``…_RETRY_MAX``).
        pool_size: connections that an HTTP client holds (``…_POOL_SIZE``).
    """

    workers: int = 10
    timeout: float = 30.0
    retry_max: int = 3
    pool_size: int = 100


_DEFAULTS = Settings()


def settings() -> Settings:
    """Read the environment as it is now.

    Raises:
        ConfigurationError: a variable is not a number, or out of range. The message
            names the variable.
    """
    return Settings(
        workers=_whole("WORKERS", _DEFAULTS.workers, least=1),
        timeout=_seconds("TIMEOUT", _DEFAULTS.timeout),
        retry_max=_whole("RETRY_MAX", _DEFAULTS.retry_max, least=0),
        pool_size=_whole("POOL_SIZE", _DEFAULTS.pool_size, least=1),
    )


def _found(name: str) -> tuple[str, str]:
    for prefix in (PREFIX, DOCUMENTED_PREFIX):
        text = os.environ.get(prefix + name, "").strip()
        if text:
            return prefix + name, text
    return "", ""


def _whole(name: str, default: int, least: int) -> int:
    variable, text = _found(name)
    if not variable:
        return default
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise ConfigurationError(
            f"{variable}={text!r}: expected a whole number, {least} or more"
        )
    return number


def _seconds(name: str, default: float) -> float:
    variable, text = _found(name)
    if not variable:
        return default
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ConfigurationError(
            f"{variable}={text!r}: expected seconds, a number greater than 0"
        )
    return number
