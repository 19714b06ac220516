"""``AppriseAction``: whatever the library Apprise can write to."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from truthound.checkpoint._threads import ACTIONS, in_thread
from truthound.checkpoint.actions._notifying import Notification, NotificationConfig
from truthound.checkpoint.actions._places import one_line
from truthound.checkpoint.actions._sending import secret
from truthound.checkpoint.messages.message import Message, MessageKind
from truthound.checkpoint.messages.text import as_text
from truthound.checkpoint.model import ActionResult, CheckpointResult
from truthound.errors import ActionError, ConfigurationError, MissingDependencyError
from truthound.secrets import Secret

REMEMBERED = 1_000  # messages of which some addresses have not got theirs
SHOWN = 200  # characters of what the library says
# What the library and what it sends by would print, addresses and all.
LOGGERS = ("apprise", "urllib3.connectionpool")
KINDS = {
    "success": "success",
    "warning": "warning",
    "failure": "failure",
    "error": "failure",
}

_LOADING = threading.Lock()
_loaded: dict[str, Any] = {}

# What the library says of the sending that goes on in this context.
_SAID: ContextVar[list[str] | None] = ContextVar("truthound_apprise", default=None)


@dataclass
class AppriseConfig(NotificationConfig):
    """Options of an :class:`AppriseAction`.

    Attributes:
        urls: where to write, in the words of Apprise (``ntfy://…``, ``matrix://…``): a
            list, or one text; secrets, also as ``${NAME}``.
    """

    urls: Sequence[Secret | str] | Secret | str = field(default_factory=list)

    def check(self) -> None:
        super().check()
        given = self.urls
        listed = [given] if isinstance(given, (str, Secret)) else given
        if not isinstance(listed, (list, tuple)):
            raise ConfigurationError("urls is a list of addresses")
        self.urls = [
            secret(f"urls[{place}]", url, needed=True)
            for place, url in enumerate(listed)
        ]
        if not self.urls:
            raise ConfigurationError("the option urls is missing")


class AppriseAction(Notification[AppriseConfig]):
    """Writes to every address that Apprise knows how to write to.

    Each address is written to on a thread of its own. If some of them fail, the error
    says which, by their places in the list, and the next try leaves out those that have
    got the message (as long as the process lives). What the library logs meanwhile is
    kept from the logs, as it holds addresses.

    Example:
        >>> AppriseAction(urls=["ntfy://${NTFY_TOKEN}@ntfy.example.com/data"]).urls
        [Secret(***)]
    """

    action_type: str = "apprise"

    def __init__(self, config: AppriseConfig | None = None, **options: Any) -> None:
        super().__init__(config, **options)
        # By message, the places of the addresses that have got it.
        self._told: OrderedDict[str, set[int]] = OrderedDict()

    def validate_config(self) -> list[str]:
        found = []
        for place, url in enumerate(self._urls()):
            try:
                with _silent():
                    _service(url.reveal(), place)
            except (ActionError, ConfigurationError) as error:
                found.append(self._safe(str(error)))
        return list(dict.fromkeys(found))

    def _urls(self) -> list[Secret]:
        return self._config.urls  # type: ignore[return-value]

    def _secrets(self) -> list[Secret]:
        found = []
        for url in self._urls():
            found.append(url)
            with contextlib.suppress(ConfigurationError):  # a variable is not set
                found.append(Secret(unquote(url.reveal()).replace("${", "$${")))
        return found

    def _is_threaded(self) -> bool:
        return True

    async def _notify(
        self, message: Message, checkpoint_result: CheckpointResult
    ) -> ActionResult:
        key = f"{self._key(checkpoint_result)}:{message.kind}"
        told = self._told.get(key, set())
        places = [n for n in range(len(self._urls())) if n not in told]
        async with asyncio.TaskGroup() as group:
            sending = {
                place: group.create_task(self._sent(place, message)) for place in places
            }
        failed = [task.result() for task in sending.values() if task.result()]
        told |= {place for place in places if sending[place].result() is None}
        self._told.pop(key, None)
        if not failed:
            return self.result("success", "sent", sent=len(self._urls()))
        self._told[key] = told
        while len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        listed = "; ".join(str(problem) for problem in failed)
        raise ActionError(
            f"{len(failed)} of {len(self._urls())} not sent: {self._safe(listed)}",
            is_final=all(getattr(problem, "is_final", False) for problem in failed),
        )

    async def _sent(self, place: int, message: Message) -> ActionError | None:
        """Write to one address; return what went wrong."""
        url = self._urls()[place].reveal()
        title = {"title": one_line(message.title), "type": _kind(message)}
        self._note_sent("Apprise", _named(url, place), title, as_text(message))
        try:
            await in_thread(lambda: _write(url, place, message), ACTIONS)
        except ActionError as error:
            return error
        except Exception as error:  # noqa: BLE001 - of one of 150 plug-ins
            return ActionError(f"{_named(url, place)}: {type(error).__name__}: {error}")
        return None


def _kind(message: Message) -> str:
    is_test = message.kind is MessageKind.TEST
    return "info" if is_test else KINDS.get(message.status, "info")


def _write(url: str, place: int, message: Message) -> None:
    with _silent() as said:
        service = _service(url, place)
        notifier = _library().Apprise()
        notifier.add(service)
        is_sent = notifier.notify(
            title=one_line(message.title),
            body=as_text(message),
            notify_type=_kind(message),
            body_format="text",
        )
    if not is_sent:
        why = " ".join("; ".join(said).split())[:SHOWN]
        raise ActionError(f"{_named(url, place)}{': ' + why if why else ''}")


def _service(url: str, place: int) -> Any:
    """Return what writes to an address.

    Raises:
        ActionError: the library does not understand it, or is not there; final.
    """
    service = _library().Apprise.instantiate(url, asset=_asset())
    if service is None:
        raise ActionError(
            f"{_named(url, place)}: no address that Apprise understands", is_final=True
        )
    return service


def _asset() -> Any:
    """Return what lets the library send on our thread.

    Its own threads would hold up the end of the process.
    """
    library = _library()
    try:
        return library.AppriseAsset(async_mode=False, service_timeout=0)
    except (AttributeError, TypeError):  # before 2.0 there was no such limit
        return library.AppriseAsset(async_mode=False)


def _library() -> Any:
    """Return the library with its plug-ins. Blocks, the first time for a second.

    Raises:
        ActionError: it is not installed; final.
    """
    try:
        # The first use of an address imports 150 plug-ins, and what they warn of at
        # that is nothing that a user could do anything about.
        with _LOADING, warnings.catch_warnings():
            if "apprise" not in _loaded:
                warnings.simplefilter("ignore")
                import apprise

                apprise.Apprise.instantiate("json://localhost")
                _loaded["apprise"] = apprise
    except ImportError as error:
        needed = MissingDependencyError("apprise", "apprise", "the action apprise")
        raise ActionError(str(needed), is_final=True) from error
    return _loaded["apprise"]


def _named(url: str, place: int) -> str:
    scheme, separator, _ = url.partition("://")
    is_known = separator and scheme.isalnum() and len(scheme) < 16
    return f"urls[{place}] ({scheme})" if is_known else f"urls[{place}]"


class _Keeping(logging.Filter):
    """Keeps what is said while something is sent from everybody's logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        said = _SAID.get()
        if said is None:
            return True
        if record.levelno >= logging.WARNING:
            with contextlib.suppress(Exception):  # a message that does not fit
                said.append(record.getMessage())
        return False


_KEEPING = _Keeping()


@contextlib.contextmanager
def _silent() -> Iterator[list[str]]:
    """Keep what the library says in the block, and yield it."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_KEEPING)  # once, however often
    said: list[str] = []
    token = _SAID.set(said)
    try:
        yield said
    finally:
        _SAID.reset(token)
