"""The beginning of a delimited file: its columns, and what gives a wrong file away."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from truthound._words import plural
from truthound.data.options import ReadOptions
from truthound.data.origin import HEAD, Origin
from truthound.data.reading import reading
from truthound.errors import ConfigurationError, MalformedDataError

_LONGEST = 1 << 26  # bytes; a header is not longer
_MARKS = {
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_OTHERS = {b"PAR1": "Parquet", b"PK\x03\x04": "zip", b"ARROW1": "Arrow"}
_DELIMITERS = (";", "\t", "|", ",")


@dataclass(frozen=True, slots=True)
class Header:
    """What the first lines of a file say.

    Attributes:
        names: the columns.
        lines: lines before the first row.
        above: lines before the header.
        delimiter: the character between fields.
    """

    names: tuple[str, ...]
    lines: int
    above: int
    delimiter: str


def read_header(origin: Origin, options: ReadOptions, delimiter: str) -> Header:
    """Read the names of the columns.

    Raises:
        MalformedDataError: the file is empty, of another kind or encoding, or two
            columns have one name.
        ConfigurationError: ``column_names`` does not fit.
        DataError: it cannot be read.
    """
    size = HEAD
    while True:
        with reading(origin.name):
            head = origin.head(size)
        _check_kind(origin.name, head)
        text = head.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
        first, above, lines, ended = _first_record(origin.name, text, delimiter)
        if ended or len(head) < size or size > _LONGEST:
            break
        size *= 16
    if not first:
        raise MalformedDataError(origin.name, "the file holds nothing but line ends")
    names = _names(origin.name, first, options)
    if len(names) == 1 and options.delimiter is None:
        _check_delimiter(origin.name, first[0], delimiter)
    return Header(names, lines if options.has_header else above, above, delimiter)


def _check_kind(name: str, head: bytes) -> None:
    if not head:
        raise MalformedDataError(name, "the file is empty")
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            raise MalformedDataError(
                name, f"the text is {encoding.upper()}; give encoding={encoding!r}"
            )
    for mark, kind in _OTHERS.items():
        if head.startswith(mark):
            raise MalformedDataError(
                name, f"this is a file of another kind ({kind}); give its format"
            )
    begin = head[:400]
    if begin.count(b"\0") > len(begin) // 4:
        order = "le" if begin[1::2].count(b"\0") > begin[::2].count(b"\0") else "be"
        raise MalformedDataError(
            name,
            f"the text has a NUL at every other byte, as UTF-16 has; give "
            f"encoding='utf-16-{order}'",
        )
    if b"\r" in head.rstrip(b"\r") and b"\n" not in head:
        raise MalformedDataError(
            name,
            "its lines end with a carriage return alone (old Mac style); convert "
            "them to line feeds first",
        )


def _first_record(
    name: str, text: str, delimiter: str
) -> tuple[list[str], int, int, bool]:
    """Return the first record, the lines above it and with it, and if it has ended."""
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter)
    above = 0
    try:
        for record in reader:
            lines = reader.line_num
            if record:
                return record, above, lines, _holds_lines(text, lines)
            above = lines
    except csv.Error as error:
        raise MalformedDataError(name, f"the header is damaged ({error})") from error
    return [], above, above, False


def _holds_lines(text: str, number: int) -> bool:
    """Tell whether so many lines end; it looks no further than it must."""
    place = -1
    for _ in range(number):
        place = text.find("\n", place + 1)
        if place < 0:
            return False
    return True


def _names(name: str, first: list[str], options: ReadOptions) -> tuple[str, ...]:
    given = options.column_names
    if given is not None:
        if len(given) != len(first):
            raise ConfigurationError(
                f"column_names has {plural(len(given), 'name')}, but {name} has "
                f"{plural(len(first), 'column')}"
            )
        return tuple(given)
    if not options.has_header:
        return tuple(f"column_{n + 1}" for n in range(len(first)))
    for column in first:
        if not column.isprintable() and any("\ud800" <= c <= "\udfff" for c in column):
            raise MalformedDataError(
                name,
                "the header is not UTF-8; give the encoding of the file, such as "
                "encoding='latin-1'",
            )
    _check_duplicates(name, first)
    return tuple(first)


def _check_duplicates(name: str, names: Sequence[str]) -> None:
    twice = [column for column, times in Counter(names).items() if times > 1]
    if twice:
        listed = ", ".join(repr(column) for column in twice[:5])
        raise MalformedDataError(
            name,
            f"several columns are called {listed}; give column_names, a list of "
            f"{len(names)} different names",
        )


def _check_delimiter(name: str, column: str, delimiter: str) -> None:
    for other in _DELIMITERS:
        if other != delimiter and other in column:
            raise MalformedDataError(
                name,
                f"there is one column only, called {column[:60]!r}; if its fields are "
                f"separated by {other!r}, give delimiter={other!r}, else "
                f"delimiter={delimiter!r}",
            )


def check_same(origin: Origin, first: Header, other: Header) -> None:
    """Make sure that a file has the columns of the first one.

    Raises:
        MalformedDataError: it has others, or in another order.
    """
    if other.names == first.names:
        if other.lines != first.lines:
            raise MalformedDataError(
                origin.name, "there are other empty lines before its header"
            )
        return
    missing = [name for name in first.names if name not in other.names]
    more = [name for name in other.names if name not in first.names]
    parts = [f"without {', '.join(missing)}"] if missing else []
    parts += [f"with {', '.join(more)}"] if more else []
    said = " and ".join(parts) or "in another order"
    raise MalformedDataError(
        origin.name, f"its columns differ from those of the first file: {said}"
    )
