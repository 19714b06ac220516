from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from truthound.errors import DataNotFoundError
from truthound.profile import outline, profile

FRAME = pl.DataFrame(
    {
        "id": [1, 2, 2, None],
        "name": ["a", None, "", "a"],
        "share": [0.5, float("nan"), None, 0.5],
        "tags": [["x"], None, [], ["x"]],
        "none": [None, None, None, None],
    }
)


def test_outline_counts_what_the_columns_hold():
    found = outline(FRAME)

    assert found.row_count == 4
    assert {c.name: (c.dtype, c.nulls, c.distinct) for c in found.columns} == {
        "id": ("int64", 1, 2),
        "name": ("string", 1, 2),
        "share": ("float64", 1, 2),
        "tags": ("list[string]", 1, None),
        "none": ("null", 4, None),
    }


def test_outline_and_profile_say_the_same():
    told = {c.name: (c.dtype, c.kind, c.nulls, c.distinct) for c in profile(FRAME)}

    found = outline(FRAME).columns

    assert {c.name: (c.dtype, c.kind, c.nulls, c.distinct) for c in found} == told


def test_outline_of_no_rows():
    found = outline(FRAME.clear())

    assert found.row_count == 0
    assert [column.nulls for column in found.columns] == [0] * 5


def test_outline_refuses_a_missing_file():
    with pytest.raises(DataNotFoundError):
        outline("nowhere.csv")


@pytest.mark.parametrize("look", [outline, profile], ids=["outline", "profile"])
def test_type_that_changes_late_in_a_file(look):
    rows = "".join(f"{n},{n}\n" for n in range(200_000))
    Path("late.csv").write_text(f"a,b\n{rows}x,1\n")

    columns = {c.name: (c.dtype, c.distinct) for c in look("late.csv").columns}

    assert columns == {"a": ("string", 200_001), "b": ("int64", 200_000)}
