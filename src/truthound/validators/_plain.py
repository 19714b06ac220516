"""Values as JSON can hold them; what it cannot hold becomes text, never an error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any


def to_plain(value: Any) -> Any:
    """Return a value made of None, bool, int, float, str, list and dict only.

    Dates and times become ISO 8601, NaN and the infinities become None, and what is
    left becomes ``str(value)``.
    """
    # Most values are of these very types, and a result has hundreds.
    kind = type(value)
    if kind in _AS_IT_IS or (kind is str and value.isascii()):
        return value
    return _converted(value)


_AS_IT_IS = frozenset({type(None), int, bool})


def _converted(value: Any) -> Any:
    if value is None or (
        isinstance(value, (bool, int)) and not isinstance(value, Enum)
    ):
        return value
    if isinstance(value, Enum):
        return to_plain(value.value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        # A lone surrogate cannot be written as UTF-8.
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return float(value) if value.is_finite() else None
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (Sequence, Set)) and not isinstance(value, (bytes, bytearray)):
        return [to_plain(item) for item in value]
    return str(value)
