"""Whether there is a store, without the database behind it."""

from __future__ import annotations

import os
from pathlib import Path

FILE = Path(".truthound", "truthound.db")
CONFIGURATIONS = ("truthound.yaml", "truthound.yml", "truthound.json")
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


def find_configuration(start: str | os.PathLike[str] = ".") -> Path | None:
    """Return the nearest configuration file in a folder or one above it."""
    here = Path(start).resolve()
    for folder in (here, *here.parents):
        for name in CONFIGURATIONS:
            if (folder / name).is_file():
                return folder / name
    return None


def beside_configuration(start: str | os.PathLike[str] = ".") -> Path:
    """Return the folder of the nearest configuration upwards, else this one."""
    file = find_configuration(start)
    return Path(start).resolve() if file is None else file.parent
