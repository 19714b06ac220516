"""Records that outlive a run; baselines for now."""

from truthound.store.baselines import Baseline, Baselines

__all__ = ["Baseline", "Baselines"]
