"""How a source is to be read."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, Self

from truthound.errors import ConfigurationError, UnknownOptionError, did_you_mean

FORMATS = ("csv", "tsv", "parquet", "ndjson", "json", "arrow")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """Options of reading; what does not apply to a kind of source is refused there.

    Example:
        >>> import truthound
        >>> semicolons = ReadOptions(delimiter=";", null_values=["n/a"])
        >>> semicolons.given
        ('delimiter', 'null_values')

    Attributes:
        format: csv, tsv, parquet, ndjson, json, arrow; None to go by the name.
        delimiter: the character between the fields of a text file; a comma, or a
            tab for ``.tsv``.
        null_values: texts that stand for a missing value, beside the empty field.
        encoding: of a text file, as Python names encodings.
        schema_overrides: types of columns by name, such as ``{"zip": "string"}``.
        has_header: whether a delimited file begins with the names of its columns.
        column_names: names to use instead of those in the header, or in place of
            the header if there is none.
        strict: refuse a text file with rows that are too short, which are else read
            with missing values and a warning.
        sample_size: read only so many rows, spread evenly over the source.
        storage_options: keys and settings for object stores, as Polars takes them.
    """

    format: str | None = None
    delimiter: str | None = None
    null_values: str | Sequence[str] | None = None
    encoding: str | None = None
    schema_overrides: Mapping[str, Any] = field(default_factory=dict)
    has_header: bool = True
    column_names: Sequence[str] | None = None
    strict: bool = False
    sample_size: int | None = None
    # Holds keys and passwords: never printed.
    storage_options: Mapping[str, str] | None = field(default=None, repr=False)

    # Those that were given, in order; looked at on each run, so kept ready.
    given: tuple[str, ...] = field(default=(), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._check()
        given = tuple(
            f.name
            for f in fields(self)
            if f.init and not _is_default(f, getattr(self, f.name))
        )
        object.__setattr__(self, "given", given)

    def _check(self) -> None:
        if self.format is not None and self.format not in FORMATS:
            raise ConfigurationError(
                f"format is one of {', '.join(FORMATS)}, not {self.format!r}"
                f"{did_you_mean(self.format, FORMATS)}"
            )
        if self.delimiter is not None and (
            not isinstance(self.delimiter, str)
            or len(self.delimiter.encode()) != 1
            or self.delimiter in '"\r\n'
        ):
            raise ConfigurationError(
                f"delimiter is one ASCII character, not {self.delimiter!r}"
            )
        size = self.sample_size
        if size is not None and (
            not isinstance(size, int) or isinstance(size, bool) or size < 1
        ):
            raise ConfigurationError(
                f"sample_size is a number of rows from 1, not {size!r}"
            )
        if not isinstance(self.schema_overrides, Mapping):
            raise ConfigurationError(
                "schema_overrides maps column names to types, such as "
                f'{{"zip": "string"}}, but is {self.schema_overrides!r}'
            )
        self._check_texts()

    def _check_texts(self) -> None:
        if self.encoding is not None:
            try:
                codecs.lookup(self.encoding)
            except (LookupError, TypeError) as error:
                raise ConfigurationError(
                    f"there is no encoding {self.encoding!r}"
                ) from error
        nulls = self.null_values
        if nulls is not None and not isinstance(nulls, str) and not _texts(nulls):
            raise ConfigurationError(
                f"null_values is a text or a list of texts, not {nulls!r}"
            )
        names = self.column_names
        if names is not None:
            if isinstance(names, str) or not _texts(names):
                raise ConfigurationError(
                    f"column_names is a list of names, not {names!r}"
                )
            if len(set(names)) < len(names):
                raise ConfigurationError("column_names has the same name twice")

    def refuse_but(self, what: str, *applicable: str) -> None:
        """Refuse the options that make no sense for a kind of source.

        Raises:
            ConfigurationError: naming the first that was given all the same.
        """
        for option in self.given:
            if option not in applicable:
                fits = ", ".join(sorted(applicable)) or "no reading options"
                raise ConfigurationError(
                    f"{option} does not apply to {what}, which takes {fits}"
                )

    def refuse_all(self, what: str) -> None:
        """Refuse any option.

        Raises:
            ConfigurationError: naming the first that was given.
        """
        self.refuse_but(what)

    @classmethod
    def of(cls, options: Mapping[str, Any] | Self | None) -> Self:
        """Make them of a mapping.

        Raises:
            UnknownOptionError: an option that does not exist.
            ConfigurationError: a value that makes no sense.
        """
        if isinstance(options, cls):
            return options
        given: Mapping[str, Any] = options or {}  # type: ignore[assignment]
        known = [f.name for f in fields(cls) if f.init]
        for option in given:
            if option not in known:
                raise UnknownOptionError("reading", option, known)
        return cls(**given)


def _is_default(option: Field[Any], value: object) -> bool:
    if option.default_factory is not MISSING:
        return bool(value == option.default_factory())
    return bool(value == option.default)


def _texts(values: object) -> bool:
    return isinstance(values, Sequence) and all(isinstance(v, str) for v in values)
