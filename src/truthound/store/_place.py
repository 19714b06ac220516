"""Whether there is a store, without the database behind it."""

from __future__ import annotations

import os
from pathlib import Path

FILE = Path(".truthound", "truthound.db")
VARIABLE = "TRUTHOUND_STORE"  # a path or an address


def named() -> str | None:
    """Return the place that the environment names; None: none."""
    return os.environ.get(VARIABLE, "").strip() or None


def has_store(place: object = None) -> bool:
    """Tell whether an option, or ``TRUTHOUND_STORE``, names a store.

    Args:
        place: None: what the variable says; False: there is none in any case.
    """
    return named() is not None if place is None else place is not False
