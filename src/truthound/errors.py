"""Every exception that truthound raises on purpose.

::

    TruthoundError
    +-- ConfigurationError (ValueError)      an option, a key or a file of ours is wrong
    |   +-- ConfigurationFileError           all that is wrong in one YAML file
    |   +-- UnknownOptionError (TypeError)   an option that does not exist
    |   +-- UnknownNameError (KeyError)      a validator, checkpoint or format of that
    |                                        name does not exist
    +-- DataError                            the data cannot be read
    |   +-- DataNotFoundError (FileNotFoundError)
    |   +-- UnsupportedDataError (TypeError) no such kind of source
    |   +-- MalformedDataError (ValueError)  damaged, truncated or ambiguous content
    +-- CheckError                           one check cannot be evaluated on this data
    +-- StoreError (OSError)                 a baseline cannot be read or written
    +-- RunTimeoutError (TimeoutError)       ``timeout_seconds`` went by
    +-- ActionError                          an action has not done what it is for
    +-- TriggerError                         a trigger cannot say whether to run
    +-- RunnerStoppedError (RuntimeError)    a runner stopped itself after errors
    +-- FileEncodingError (UnicodeError)     text does not fit the encoding of a file
    +-- UnsafePathError (PermissionError)    a path leads out of the folder allowed
    +-- QueueClosed (RuntimeError)           an ``AsyncQueue`` takes or gives no more
    +-- NotRunningError (RuntimeError)       used before its start or after its end
    +-- CircuitOpenError (RuntimeError)      a circuit breaker lets no call through
    +-- ValidationFailedError                raised by ``raise_for_failure()`` only
    +-- MissingDependencyError (ImportError) an extra has to be installed

A validation that finds bad data is a result, not an exception: an exception means
that the check could not be done.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any


class TruthoundError(Exception):
    """Root of the tree: catch it to catch everything raised on purpose."""


class ConfigurationError(TruthoundError, ValueError):
    """Raised when an option has a value that makes no sense."""


class ConfigurationFileError(ConfigurationError):
    """Raised when a configuration file is wrong; it lists every fault at once.

    Attributes:
        problems: one line for each fault, as ``file:line:column: what is wrong``.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems: list[str] = list(problems)
        super().__init__("\n".join(self.problems))


class UnknownOptionError(ConfigurationError, TypeError):
    """Raised when an option does not exist; it names the nearest one that does."""

    def __init__(self, owner: str, option: str, known: Iterable[str]) -> None:
        self.owner = owner
        self.option = option
        self.known: list[str] = sorted(known)
        super().__init__(
            f"{owner} has no option {option!r}{did_you_mean(option, self.known)}; "
            f"it knows {', '.join(self.known)}"
        )


class UnknownNameError(ConfigurationError, KeyError):
    """Raised when nothing is registered under a name; it suggests the nearest."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        self.what = what
        self.name = name
        self.known: list[str] = sorted(known)
        listing = f"; there are {', '.join(self.known)}" if self.known else ""
        hint = did_you_mean(name, self.known)
        super().__init__(f"there is no {what} {name!r}{hint or listing}")

    def __str__(self) -> str:
        # KeyError would print the representation of its argument.
        return str(self.args[0])


class DataError(TruthoundError):
    """Raised when the data cannot be read; the message names the source."""


class DataNotFoundError(DataError, FileNotFoundError):
    """Raised when a path or pattern leads to no file."""

    def __str__(self) -> str:
        # FileNotFoundError would print its arguments as an errno pair.
        return str(self.args[0]) if self.args else ""


class UnsupportedDataError(DataError, TypeError):
    """Raised when a data source is of a kind that cannot be read."""


class MalformedDataError(DataError, ValueError):
    """Raised when a source is damaged, truncated or ambiguous.

    It is never read in part: a result that looks whole but is not would be worse
    than no result.

    Attributes:
        source: the file or address.
        row: the number of the offending row, counted from 1 without the header, or
            None where it is not known.
    """

    def __init__(self, source: str, problem: str, row: int | None = None) -> None:
        self.source = source
        self.problem = problem
        self.row = row
        where = source if row is None else f"{source}, row {row:,}"
        super().__init__(f"{where}: {problem}")


class CheckError(TruthoundError):
    """Raised when a check cannot be evaluated on the data at hand.

    A missing column, a range on text, a faulty pattern. The run ends as ``error``
    and names the check; the other checks still report.
    """


class StoreError(TruthoundError, OSError):
    """Raised when a stored baseline cannot be read or written."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class RunTimeoutError(TruthoundError, TimeoutError):
    """Raised when a run took longer than its ``timeout_seconds``."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class ActionError(TruthoundError):
    """Raised by an action that could not do what it is for.

    Args:
        message: what went wrong, without any secret.
        retry_after: seconds after which to try again, if the other side said so.
        is_final: trying again would not help.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        is_final: bool = False,
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.is_final = is_final


class TriggerError(TruthoundError):
    """Raised when a trigger raised or did not answer; the others go on."""


class RunnerStoppedError(TruthoundError, RuntimeError):
    """Told to ``error_callback`` when a runner stops itself, with the reason."""


class FileEncodingError(TruthoundError, UnicodeError):
    """Raised when a file, or what shall be written to one, is not of its encoding."""


class UnsafePathError(TruthoundError, PermissionError):
    """Raised when a path leads out of the folder in which it has to stay."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class QueueClosed(TruthoundError, RuntimeError):  # noqa: N818 - the documented name
    """Raised when a queue is closed, by ``put``; by ``get`` when it is empty, too."""


class NotRunningError(TruthoundError, RuntimeError):
    """Raised by what takes no jobs: not started yet, or shut down."""


class CircuitOpenError(TruthoundError, RuntimeError):
    """Raised instead of a call while a circuit breaker is open.

    Attributes:
        retry_after: seconds until it lets a call through to try.
    """

    def __init__(self, retry_after: float = 0.0) -> None:
        self.retry_after = retry_after
        super().__init__("Circuit breaker is OPEN")


class ValidationFailedError(TruthoundError):
    """Raised by ``raise_for_failure()`` when a result is not a success.

    Attributes:
        result: the result that it was called on.
    """

    def __init__(self, message: str, result: Any) -> None:
        self.result = result
        super().__init__(message)


class MissingDependencyError(TruthoundError, ImportError):
    """Raised when an optional package is needed; it names the extra to install."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(
            f"{purpose} needs the package {package!r}: "
            f"pip install 'truthound-async[{extra}]'"
        )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``", did you mean 'x'?"`` for the nearest known name, or ``""``."""
    near = difflib.get_close_matches(str(name), [str(k) for k in known], n=1)
    return f", did you mean {near[0]!r}?" if near else ""
