"""What is wrong with a delimited file that cannot be read, and in which row."""

from __future__ import annotations

from collections.abc import Sequence

from truthound._words import plural
from truthound.data.header import Header
from truthound.data.lines import Survey, survey
from truthound.data.origin import Origin
from truthound.data.reading import reading
from truthound.errors import DataError, MalformedDataError


class SecondLook:
    """Counts the fields of every record of some files, when it is first asked to.

    Args:
        origins: the files.
        headers: what their first lines say.
        width: fields that each record should have.
    """

    def __init__(
        self, origins: Sequence[Origin], headers: Sequence[Header], width: int
    ) -> None:
        self._files = list(zip(origins, headers, strict=True))
        self._width = width
        self._surveys: list[tuple[Origin, Survey]] | None = None

    def surveys(self) -> list[tuple[Origin, Survey]]:
        """Return each file with its records of an unusual number of fields.

        Raises:
            DataError: it cannot be read at all.
        """
        if self._surveys is None:
            found = []
            for origin, header in self._files:
                with reading(origin.name):
                    counted = survey(
                        origin.lines(), header.delimiter, header.lines, self._width
                    )
                found.append((origin, counted))
            self._surveys = found
        return self._surveys

    def damage(self, cause: Exception) -> DataError | None:
        """Return what is wrong with one of the files, if anything is.

        Args:
            cause: why they cannot be read, as Polars says it.
        """
        if "utf-8" in str(cause):
            return self._undecodable()
        try:
            return self.uneven()
        except DataError as error:
            return error

    def uneven(self) -> MalformedDataError | None:
        """Return the first row that is too long, or has a quote that stays open.

        Raises:
            DataError: a file cannot be read at all.
        """
        for origin, found in self.surveys():
            # A quote that stays open swallows the rows after it: look at it first.
            if found.unclosed is not None:
                row = found.row(found.unclosed)
                return MalformedDataError(origin.name, "a quote is never closed", row)
            if len(found.long):
                return MalformedDataError(
                    origin.name,
                    f"{plural(found.fields, 'field')}, but the header has "
                    f"{self._width}",
                    found.row(found.long[0]),
                )
        return None

    def _undecodable(self) -> DataError:
        for origin, header in self._files:
            if origin.path is None and not isinstance(origin.reads, bytes):
                continue
            error = _first_bad_byte(origin, header)
            if error is not None:
                return error
        names = ", ".join(origin.name for origin, _ in self._files)
        return MalformedDataError(names, "there are bytes that are not UTF-8")


def _first_bad_byte(origin: Origin, header: Header) -> MalformedDataError | None:
    with reading(origin.name):
        content = origin.content()
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1 - header.lines
        return MalformedDataError(
            origin.name,
            f"byte 0x{content[error.start]:02X} is not UTF-8; give the encoding of "
            f"the file, such as encoding='latin-1'",
            row if row > 0 else None,
        )
    return None
