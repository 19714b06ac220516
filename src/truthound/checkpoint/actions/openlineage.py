"""``OpenLineageAction``: what was found of the data, to a catalogue."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from truthound._version import __version__
from truthound.checkpoint._action import ActionConfig
from truthound.checkpoint._tries import TESTING
from truthound.checkpoint.actions._lineage import Lineage, dataset_of, lineage_id
from truthound.checkpoint.actions._sending import SendingAction, check_address, secret
from truthound.checkpoint.model import ActionResult, CheckpointResult
from truthound.errors import ConfigurationError
from truthound.secrets import Secret

PARENT = "OPENLINEAGE_PARENT_ID"  # set by who starts us: NAMESPACE/NAME/ID of its run
TRIAL = ".truthound-test"  # behind the names of the job and the data of a test


@dataclass
class OpenLineageConfig(ActionConfig):
    """Options of an :class:`OpenLineageAction`.

    Attributes:
        url: of the server, such as ``http://marquez:5000``; a secret.
        endpoint: the path there.
        api_key: sent as a bearer token; a secret.
        namespace: of the job; its name is the checkpoint's.
        dataset_namespace: of the data; None: by its source.
        dataset_name: of the data; None: by its source.
        parent: the run that has started this one, as NAMESPACE/NAME/ID; None: what
            ``OPENLINEAGE_PARENT_ID`` says, else the run after which this one came.
        start_event: tell of the beginning, too (after the run, with its time).
        producer: who makes the events, a URI.
    """

    url: Secret | str = ""
    endpoint: str = "api/v1/lineage"
    api_key: Secret | str = ""
    namespace: str = "truthound"
    dataset_namespace: str | None = None
    dataset_name: str | None = None
    parent: str | None = None
    start_event: bool = True
    producer: str = f"urn:truthound-async:{__version__}"

    def check(self) -> None:
        super().check()
        self.url = secret("url", self.url, needed=True)
        self.api_key = secret("api_key", self.api_key)
        if not self.namespace:
            raise ConfigurationError("namespace is a text, and not empty")
        if self.parent:
            parent_of(self.parent, "parent")
        if not urlsplit(self.producer).scheme:
            raise ConfigurationError(f"producer is a URI, not {self.producer!r}")


class OpenLineageAction(SendingAction[OpenLineageConfig]):
    """Sends events of OpenLineage: the job, the run, the data, and what was found.

    A run whose checks fail is complete, and its assertions say so; one that could not
    be completed has failed. The id of a run is a UUID made of ours, so that what is
    sent again is the same.

    Example:
        >>> OpenLineageAction(url="http://marquez:5000", api_key="${KEY}").namespace
        'truthound'
    """

    action_type: str = "openlineage"

    def validate_config(self) -> list[str]:
        config: Any = self._config
        found = self._problems_of("url", config.url)
        try:
            config.api_key.reveal()
        except ConfigurationError as error:
            found.append(str(error))
        return found

    def _secrets(self) -> list[Secret]:
        config: Any = self._config
        return [config.url, config.api_key]

    async def _execute_async(self, checkpoint_result: CheckpointResult) -> ActionResult:
        config: Any = self._config
        namespace, dataset = self._dataset(checkpoint_result)
        parent = None
        if TESTING.get():  # the history of the job and the data is to have none of it
            job = f"{checkpoint_result.checkpoint_name}{TRIAL}"
            checkpoint_result = replace(checkpoint_result, checkpoint_name=job)
            dataset += TRIAL
        else:
            parent = self._parent(checkpoint_result)
        lineage = Lineage(
            checkpoint_result,
            namespace=config.namespace,
            producer=config.producer,
            dataset=(namespace, dataset),
            parent=parent,
        )
        address = self._address()
        headers = {}
        if key := config.api_key.reveal():
            headers["Authorization"] = f"Bearer {key}"
        events = [lineage.start(), lineage.end()]
        for event in events[0 if config.start_event else 1 :]:
            await self._send("POST", address, headers=headers, body=event)
        return self.result(
            "success",
            f"sent {events[1]['eventType']}",
            lineage_run_id=lineage_id(checkpoint_result.run_id),
        )

    def _address(self) -> Secret:
        config: Any = self._config
        parts = urlsplit(check_address("url", config.url))
        path = f"{parts.path.rstrip('/')}/{config.endpoint.strip('/')}"
        whole = urlunsplit(parts._replace(path=path))
        return Secret(whole.replace("${", "$${"))

    def _dataset(self, result: CheckpointResult) -> tuple[str, str]:
        config = self._config
        namespace, name = dataset_of(result.data_asset, config.namespace)
        return config.dataset_namespace or namespace, config.dataset_name or name

    def _parent(self, result: CheckpointResult) -> tuple[str, str, str] | None:
        given = self._config.parent
        if given:
            return parent_of(given, "parent")
        if known := os.environ.get(PARENT):
            return parent_of(known, PARENT)
        upstream = result.metadata.get("upstream")
        if not isinstance(upstream, dict) or not upstream.get("run_id"):
            return None
        name, run_id = str(upstream.get("checkpoint")), str(upstream["run_id"])
        return self._config.namespace, name, lineage_id(run_id)


def parent_of(text: str, option: str) -> tuple[str, str, str]:
    """Return namespace, name and id of a run.

    Raises:
        ConfigurationError: it is not NAMESPACE/NAME/ID with a UUID.
    """
    namespace, _, rest = text.partition("/")
    name, _, run_id = rest.rpartition("/")
    try:
        uuid.UUID(run_id)
    except ValueError:
        name = ""
    if not namespace or not name:
        raise ConfigurationError(
            f"{option}: expected NAMESPACE/NAME/ID with a UUID, not {text!r}"
        )
    return namespace, name, run_id
