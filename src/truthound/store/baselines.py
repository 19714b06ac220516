"""Baselines: what a first run learned, kept as one JSON file each."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from truthound import _atomic
from truthound.errors import StoreError
from truthound.store._place import beside_configuration

FOLDER = Path(".truthound", "baselines")
_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What was learned of one source by one checkpoint.

    Attributes:
        checkpoint: the checkpoint's name.
        source: the data, as results call it.
        learned_at: when, ISO 8601 in UTC.
        values: what was learned, by the key of the check: ``range:fare``.
    """

    checkpoint: str
    source: str
    learned_at: str
    values: Mapping[str, Any]


class Baselines:
    """The baselines in one folder.

    Args:
        folder: where they are kept; made when the first one is written.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder: Path = Path(folder)

    @classmethod
    def near(cls, start: str | os.PathLike[str] = ".") -> Baselines:
        """Return those beside the nearest ``truthound.yaml`` upwards, else here."""
        return cls(beside_configuration(start) / FOLDER)

    def path(self, checkpoint: str, source: str) -> Path:
        """Return the file of one baseline, whether it exists or not."""
        readable = re.sub(r"[^A-Za-z0-9._-]+", "_", f"{checkpoint}-{source}")[-80:]
        digest = hashlib.sha256(f"{checkpoint}\0{source}".encode()).hexdigest()[:12]
        return self.folder / f"{readable.lstrip('._')}-{digest}.json"

    def get(self, checkpoint: str, source: str) -> Baseline | None:
        """Return a baseline, None if nothing was learned yet.

        Raises:
            StoreError: the file cannot be read or is damaged.
        """
        return _read(self.path(checkpoint, source))

    def put(self, baseline: Baseline) -> None:
        """Keep a baseline in place of the one that was there.

        Raises:
            StoreError: the folder or the file cannot be written.
        """
        path = self.path(baseline.checkpoint, baseline.source)
        record = {
            "version": _VERSION,
            "checkpoint": baseline.checkpoint,
            "source": baseline.source,
            "learned_at": baseline.learned_at,
            "values": dict(baseline.values),
        }
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
            _atomic.write_text(path, text + "\n")
        except (OSError, ValueError) as error:
            raise StoreError(f"cannot keep the baseline in {path}: {error}") from error

    def remove(self, checkpoint: str, source: str) -> bool:
        """Forget a baseline; tell whether there was one.

        Raises:
            StoreError: the file cannot be removed.
        """
        path = self.path(checkpoint, source)
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreError(f"cannot remove {path}: {error}") from error
        return True

    def all(self) -> list[Baseline]:
        """Return every baseline in the folder, by checkpoint and source.

        Raises:
            StoreError: a file cannot be read or is damaged.
        """
        found = [_read(path) for path in sorted(self.folder.glob("*.json"))]
        known = [baseline for baseline in found if baseline is not None]
        return sorted(known, key=lambda b: (b.checkpoint, b.source))


def _read(path: Path) -> Baseline | None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["version"] != _VERSION:
            raise StoreError(
                f"{path} is of version {record['version']}, which this release "
                f"cannot read; it reads version {_VERSION}"
            )
        return Baseline(
            checkpoint=record["checkpoint"],
            source=record["source"],
            learned_at=record["learned_at"],
            values=dict(record["values"]),
        )
    except (FileNotFoundError, NotADirectoryError):
        return None
    except StoreError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"the baseline in {path} cannot be read ({error}); "
            f"'truthound baseline reset' makes the next run learn a new one"
        ) from error
