"""Records that outlive a run: baselines, and the journal of runs."""

from truthound.store.baselines import Baseline, Baselines
from truthound.store.journal import Journal, MemoryJournal
from truthound.store.records import (
    Notice,
    NoticeState,
    Outcome,
    Part,
    Past,
    RunRecord,
    RunState,
)

__all__ = [
    "Baseline",
    "Baselines",
    "Journal",
    "MemoryJournal",
    "Notice",
    "NoticeState",
    "Outcome",
    "Part",
    "Past",
    "RunRecord",
    "RunState",
]
