"""A site's data: opened where it lies, or fetched first."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from truthound.automation._ending import Signals
from truthound.checkpoint._threads import in_thread
from truthound.data import ReadOptions, Table, open_source
from truthound.errors import ConfigurationError, DataError
from truthound.secrets import (
    Reference,
    Secret,
    hidden,
    references,
    without_password,
)

FETCHING = ("truthound.automation._fetch", "anyio._backends._asyncio")
TELLING = 8  # characters of a word in a header that may be a key
# RFC 9110, 5.1 and 5.5: a token, and visible characters with spaces between them.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?")


class Source(Reference):
    """The data of a site, for a checkpoint: shown as it was written.

    Calling it opens the data, after fetching it if it is an http address. Nothing is
    tried twice: whoever runs the site decides about that.

    Args:
        written: the path or the address.
        headers: sent along when it is fetched.
        options: how it is read.

    Attributes:
        table: what was opened, for other questions to the same data.
        refused: what was wrong with the options, once that is known.

    Raises:
        ConfigurationError: a variable is not set, or a header cannot be sent.
    """

    def __init__(
        self, written: Reference, headers: Mapping[str, Secret], options: ReadOptions
    ) -> None:
        super().__init__(written.text, written.folder, written.places)
        self.options = options
        self.table: Table | None = None
        self.refused: ConfigurationError | None = None
        self._address = super().__fspath__()
        self._headers = {name: _checked(name, value) for name, value in headers.items()}
        self._folder: Path | None = None
        self._fetched: Path | None = None

    @property
    def is_remote(self) -> bool:
        """Whether it has to be fetched."""
        return self._address.partition("://")[0].lower() in ("http", "https")

    @contextlib.contextmanager
    def room(self, signals: Signals) -> Iterator[None]:
        """Keep a temporary folder in the block, if one is needed.

        Raises:
            DataError: there can be none.
        """
        if not self.is_remote:
            yield
            return
        # Imported where it is needed, and before a loop runs that it would hold up.
        for module in FETCHING:
            importlib.import_module(module)
        try:
            with signals.held():
                try:
                    self._folder = Path(tempfile.mkdtemp(prefix="truthound-site-"))
                except OSError as error:
                    raise DataError(
                        f"there is no temporary folder to fetch {self} to: {error}"
                    ) from error
            yield
        finally:
            if self._folder is not None:
                with signals.held():
                    shutil.rmtree(self._folder, ignore_errors=True)

    async def __call__(self) -> Table:
        """Open the data.

        Raises:
            DataError: it cannot be fetched or read.
            ConfigurationError: an option of reading does not apply.
        """
        if self.is_remote:
            await self._fetch()
        self.table = await in_thread(self._open)
        return self.table

    def __fspath__(self) -> str:
        return self._address if self._fetched is None else str(self._fetched)

    def hidden(self, message: str) -> str:
        """Return a message in which neither keys nor temporary paths are left."""
        if self.is_remote:
            for path in (self._fetched, self._folder):
                message = message.replace(str(path), str(self)) if path else message
            for form in (self._address, without_password(self._address)):
                message = message.replace(form, str(self))
            # An address holds what it is given in a form of its own.
            for name in references(self.text):
                value = quote(os.environ.get(name, ""), safe="")
                if len(value) > 3:
                    message = message.replace(value, f"${{{name}}}")
            for value in self._headers.values():
                words = {value, *re.split(r"\s+", value), *re.split(r"[\s,;=]+", value)}
                for word in sorted(words, key=len, reverse=True):
                    if len(word) >= TELLING:
                        message = message.replace(word, "***")
            return without_password(hidden(message, references(self.text)))
        return super().hidden(message)

    def _open(self) -> Table:
        try:
            return open_source(self, self.options)
        except ConfigurationError as error:
            self.refused = error
            raise

    async def _fetch(self) -> None:
        from truthound.automation._fetch import FetchError, fetch

        assert self._folder is not None  # there is room
        try:
            self._fetched = await fetch(
                self._address,
                self._folder,
                self._headers,
                needs_suffix=self.options.format is None,
            )
        except FetchError as error:
            why = self.hidden(str(error))
            raise DataError(f"{self} was not fetched: {why}") from None


def _checked(name: str, secret: Secret) -> str:
    value = secret.reveal()
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"headers: {name!r} is no name of a header")
    if not _VALUE.fullmatch(value):
        raise ConfigurationError(
            f"headers: {name}: expected a text of visible ASCII characters, without "
            "a space at its ends"
        )
    return value
