"""What a checkpoint can be asked beside a run."""

from __future__ import annotations

import os
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from truthound.validators.validation import Validation

if TYPE_CHECKING:
    from truthound.profile import Profile


class Asked:
    """The questions; see :class:`truthound.checkpoint.Checkpoint`."""

    @abstractmethod
    def _validation(self) -> Validation: ...

    @abstractmethod
    def _source(self) -> Any: ...

    @abstractmethod
    def _reading(self) -> dict[str, Any]: ...

    def explain(self) -> str:
        """Say in words what a run will ask the data; only its columns are looked at.

        Raises:
            DataError: the source cannot be opened.
        """
        return self._validation().plan(self._source()).explain()

    def profile(self) -> Profile:
        """Describe the columns of its data, without the values of ``redact``. Blocks.

        Raises:
            DataError: the data cannot be read.
        """
        from truthound.profile import profile

        redact = self._validation().examples.redact
        return profile(self._source(), redact=redact, **self._reading())

    def write_failing(self, path: str | os.PathLike[str]) -> int:
        """Write all rows that fail a check to a file, so that they can be set aside.

        Blocks; the data is read once more. Before its own columns a row has
        ``_row``, its number from 1, and ``_failed_checks``, the names of the checks
        that it fails. Rows that ``mostly`` puts up with are among them.

        Args:
            path: ends with ``.parquet`` or ``.csv``; an existing file is replaced.

        Returns:
            How many rows were written.

        Raises:
            ConfigurationError: another suffix.
            DataError: the data cannot be read.
            StoreError: the file cannot be written.
        """
        return self._validation().write_failing(self._source(), path)
