"""Whether there is a store, without the database behind it."""

from __future__ import annotations

import os

VARIABLE = "TRUTHOUND_STORE"  # a path or an address


def named() -> str | None:
    """Return the place that the environment names; None: none."""
    return os.environ.get(VARIABLE, "").strip() or None


def has_store(place: object = None) -> bool:
    """Tell whether an option, or ``TRUTHOUND_STORE``, names a store."""
    return place is not None or named() is not None
