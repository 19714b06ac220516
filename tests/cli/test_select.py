"""Choosing checkpoints by name, pattern and tag."""

from __future__ import annotations

import pytest

from truthound.checkpoint import Checkpoint
from truthound.cli._select import selected
from truthound.errors import UnknownNameError


@pytest.fixture
def three():
    return [
        Checkpoint(name, data_source="x.csv", validators=["null"], tags=tags)
        for name, tags in (
            ("rides", {"team": "pricing", "nightly": ""}),
            ("rides_eu", {"team": "Pricing EU"}),
            ("zones", {}),
        )
    ]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ([], ["rides", "rides_eu", "zones"]),
        (["zones", "rides"], ["rides", "zones"]),
        (["rides*"], ["rides", "rides_eu"]),
        (["tag:team"], ["rides", "rides_eu"]),
        (["tag:team=pricing"], ["rides"]),
        (["tag:team=*EU"], ["rides_eu"]),
        (["tag:nightly="], ["rides"]),
        (["tag:no"], []),
        (["no*"], []),
    ],
    ids=str,
)
def test_selection_is_kept_in_order(three, wanted, expected):
    assert [c.name for c in selected(three, wanted)] == expected


def test_unknown_name_is_refused_with_the_nearest(three):
    with pytest.raises(UnknownNameError, match="did you mean 'zones'"):
        selected(three, ["zone"])
