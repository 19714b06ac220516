"""Records that outlive a run: baselines, and a database of runs and what they owe."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from truthound.store._place import has_store
from truthound.store.baselines import Baseline, Baselines
from truthound.store.journal import Journal, MemoryJournal
from truthound.store.records import (
    Notice,
    NoticeState,
    Outcome,
    Owner,
    Part,
    Past,
    Recovered,
    RunRecord,
    RunState,
    Settled,
)

if TYPE_CHECKING:
    from truthound.store._checking import Findings, check
    from truthound.store._salvage import Repaired, repair
    from truthound.store.database import MemoryStore, Store, store_of

__all__ = [
    "Baseline",
    "Baselines",
    "Findings",
    "Journal",
    "MemoryJournal",
    "MemoryStore",
    "Notice",
    "NoticeState",
    "Outcome",
    "Owner",
    "Part",
    "Past",
    "Recovered",
    "Repaired",
    "RunRecord",
    "RunState",
    "Settled",
    "Store",
    "check",
    "has_store",
    "repair",
    "store_of",
]

# SQLAlchemy takes a quarter of a second; who keeps nothing does not wait for it.
_LATER = {
    "Findings": "_checking",
    "Repaired": "_salvage",
    "check": "_checking",
    "repair": "_salvage",
    "MemoryStore": "database",
    "Store": "database",
    "store_of": "database",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
