"""This project without example rows, which the peers are not asked for either."""

from __future__ import annotations

from functools import partial

from _harness import main
from adapter_ours import prepare

if __name__ == "__main__":
    main("truthound-async", partial(prepare, sample_rows=0))
