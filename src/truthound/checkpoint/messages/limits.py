"""The limits of each vendor, in one place, and how a text is made to fit."""

from __future__ import annotations

import re


def cut(text: str, longest: int) -> str:
    """Return a text of at most so many characters; one that was cut ends with ``…``.

    An escaped character (``&amp;``) is not torn.
    """
    if len(text) <= longest:
        return text
    return re.sub(r"&[#\w]*\Z", "", text[: longest - 1]) + "…"
