"""Records that outlive a run: baselines, and the journal of runs."""

from truthound.store.baselines import Baseline, Baselines
from truthound.store.journal import Journal, MemoryJournal, RunRecord, RunState

__all__ = [
    "Baseline",
    "Baselines",
    "Journal",
    "MemoryJournal",
    "RunRecord",
    "RunState",
]
