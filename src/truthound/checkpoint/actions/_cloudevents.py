"""CloudEvents 1.0: the attributes around what a webhook sends, in both modes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from truthound.checkpoint.messages.message import MessageKind
from truthound.checkpoint.model import CheckpointResult

MODES = ("structured", "binary")
STRUCTURED = "application/cloudevents+json; charset=utf-8"
# In a header these stand as they are: printable ASCII but space, quote and percent.
_PLAIN = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
# Further along than the standard allows texts: control characters.
_CONTROL = dict.fromkeys((*range(32), *range(127, 160)))


def attributes(
    result: CheckpointResult, *, key: str, kind: MessageKind, source: str | None
) -> dict[str, str]:
    """Return the attributes of an event, but for the type of its data.

    Args:
        result: of the run about which it is.
        key: the same each time it is sent.
        kind: why it is sent.
        source: who sends it, a reference to a URI; None: the checkpoint.
    """
    what = "test" if kind is MessageKind.TEST else "completed"
    if kind in (MessageKind.ALARM, MessageKind.REMINDER, MessageKind.RESOLVED):
        what = str(kind)
    name = quote(result.checkpoint_name, safe="")
    return {
        "specversion": "1.0",
        "id": key,
        "source": source or f"/truthound/checkpoints/{name}",
        "type": f"dev.truthound.checkpoint.{what}",
        "subject": result.run_id.translate(_CONTROL),
        "time": _moment(result.run_time),
    }


def structured(event: Mapping[str, str], data: Any, kind: str) -> str:
    """Return an event as one text of JSON.

    Args:
        event: its attributes.
        data: a text, or what becomes JSON.
        kind: of the data, as HTTP calls it.
    """
    whole = {**event, "datacontenttype": kind, "data": data}
    return json.dumps(whole, allow_nan=False)


def headers(event: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of an event whose data is the body."""
    return {f"ce-{name}": quote(event[name], safe=_PLAIN) for name in event}


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
