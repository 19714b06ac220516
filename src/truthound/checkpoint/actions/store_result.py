"""``StoreValidationResult``: each result as a file."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from truthound import _atomic
from truthound._clock import SYSTEM_CLOCK
from truthound.checkpoint._action import ActionConfig, NativeAction, check_number
from truthound.checkpoint._threads import ACTIONS, in_thread
from truthound.checkpoint.model import ActionResult, CheckpointResult
from truthound.errors import ActionError, ConfigurationError, did_you_mean

FORMATS = ("json", "yaml")
PARTITIONS = ("date", "checkpoint", "status", "")
DAY = 86_400.0  # seconds
LOOK = 600.0  # seconds between two looks for files that are too old
# What this action writes: nothing else is ever removed.
_OURS = re.compile(r".+_[0-9a-f]{8}\.(json|yaml)(\.gz)?\Z")


@dataclass
class StoreResultConfig(ActionConfig):
    """Options of a :class:`StoreValidationResult`.

    Attributes:
        store_path: the folder; made when it is needed.
        format: json or yaml.
        partition_by: folders in it, by date, checkpoint or status; "" for none.
        retention_days: remove what this action has written in ``store_path`` after so
            many days; 0 for never.
        compress: write ``.gz``.
    """

    store_path: str | os.PathLike[str] = "./truthound_results"
    format: str = "json"
    partition_by: str = "date"
    retention_days: float = 0
    compress: bool = False

    def check(self) -> None:
        super().check()
        for option, known in (("format", FORMATS), ("partition_by", PARTITIONS)):
            given = getattr(self, option)
            if given not in known:
                words = ", ".join(known[:3]) + (" or empty" if "" in known else "")
                raise ConfigurationError(
                    f"{option} is {words}, not {given!r}"
                    f"{did_you_mean(str(given), known)}"
                )
        check_number("retention_days", self.retention_days)
        if not str(self.store_path):
            raise ConfigurationError("store_path: the folder is missing")


class StoreValidationResult(NativeAction[StoreResultConfig]):
    """Writes each result to a file of its own, which appears whole or not at all.

    ``CheckpointResult.from_dict`` reads it again.
    """

    action_type: str = "store_result"

    async def _execute_async(self, checkpoint_result: CheckpointResult) -> ActionResult:
        found: ActionResult = await in_thread(
            lambda: self._written(checkpoint_result), ACTIONS
        )
        return found

    def _is_threaded(self) -> bool:
        return True

    def _written(self, result: CheckpointResult) -> ActionResult:
        path = self._path(result)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _atomic.write_bytes(path, self._content(result))
        except OSError as error:
            raise ActionError(f"{path}: {error.strerror or error}") from error
        removed = self._pruned()
        details: dict[str, Any] = {"path": str(path)}
        if removed:
            details["removed"] = removed
        return self.result("success", f"wrote {path}", **details)

    def _path(self, result: CheckpointResult) -> Path:
        config = self._config
        folders = {
            "date": f"{result.run_time:%Y-%m-%d}",
            "checkpoint": safe_name(result.checkpoint_name),
            "status": str(result.status),
            "": "",
        }
        suffix = f".{config.format}" + (".gz" if config.compress else "")
        name = safe_name(result.run_id) + suffix
        return Path(config.store_path) / folders[config.partition_by] / name

    def _content(self, result: CheckpointResult) -> bytes:
        record = result.to_dict()
        if self._config.format == "json":
            text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
        else:
            import yaml

            text = yaml.safe_dump(record, allow_unicode=True, sort_keys=False)
        content = text.encode("utf-8", "replace")
        return gzip.compress(content, mtime=0) if self._config.compress else content

    def _pruned(self) -> int:
        """Remove files that are too old, once in a while; return how many."""
        days, top = self._config.retention_days, Path(self._config.store_path)
        if not days:
            return 0
        key, now = os.path.realpath(top), SYSTEM_CLOCK.monotonic()
        with _lock:
            if now - _looked.get(key, float("-inf")) < LOOK:
                return 0
            _looked[key] = now
        oldest = SYSTEM_CLOCK.now().timestamp() - days * DAY
        removed = 0
        for path in [*top.glob("*"), *top.glob("*/*")]:
            with contextlib.suppress(OSError):
                is_old = path.is_file() and path.stat().st_mtime < oldest
                if is_old and _OURS.match(path.name):
                    path.unlink()
                    removed += 1
        return removed


_lock = threading.Lock()
_looked: dict[str, float] = {}  # by folder


def safe_name(text: str) -> str:
    """Return a text as the name of a file: nothing in it leads elsewhere."""
    cleaned = re.sub(r"[^\w.\-]+", "_", text).encode("utf-8", "replace")
    # The end, which tells runs apart; file systems count bytes.
    return cleaned[-150:].decode("utf-8", "ignore").lstrip(".") or "_"
