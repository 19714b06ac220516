"""A Kafka cluster for tests: the one inside librdkafka, over real TCP.

confluent-kafka starts it by ``test.mock.num.brokers``, too; by librdkafka's own
functions a test can also take the broker down, and groups need not wait for members.
It is a process of its own, so that tests can be watched for what they leave behind.

What it cannot do: a group of two members of aiokafka. It refuses the SyncGroup of a
follower that comes after the leader's (INVALID_REQUEST), where Kafka answers at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from needs import skip_or_fail


class KafkaCluster:
    """One broker. All methods block, for milliseconds.

    Attributes:
        servers: its address.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.servers = str(self._answer())
        if not self.servers:
            self.close()
            skip_or_fail("confluent-kafka has no librdkafka of its own here")

    def create(self, topic: str, partitions: int = 1) -> None:
        """Make a topic."""
        self._ask("create", topic, partitions)

    def send(self, topic: str, *bodies: bytes, partition: int = 0) -> None:
        """Send records, and wait until they are there."""
        self._ask("send", topic, partition, [body.decode("latin-1") for body in bodies])

    def down(self) -> None:
        """Close all connections and the port."""
        self._ask("down")

    def up(self) -> None:
        """Be there again."""
        self._ask("up")

    def close(self) -> None:
        """End it."""
        self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait(20)
        self._process.stdout.close()  # type: ignore[union-attr]

    def _ask(self, *words: Any) -> None:
        self._process.stdin.write(json.dumps(words) + "\n")  # type: ignore[union-attr]
        self._process.stdin.flush()  # type: ignore[union-attr]
        assert self._answer() == "done", words

    def _answer(self) -> Any:
        return json.loads(self._process.stdout.readline())  # type: ignore[union-attr]


@contextlib.contextmanager
def kafka_cluster() -> Iterator[KafkaCluster]:
    """Yield a cluster that is ended."""
    cluster = KafkaCluster()
    try:
        yield cluster
    finally:
        cluster.close()


class _Server:
    """The cluster itself, in its process."""

    def __init__(self, library: Any) -> None:
        from confluent_kafka import Producer

        self._library = library
        said = ctypes.create_string_buffer(512)
        configuration = ctypes.c_void_p(library.rd_kafka_conf_new())
        self._client = ctypes.c_void_p(
            library.rd_kafka_new(0, configuration, said, len(said))
        )
        self._cluster = ctypes.c_void_p(
            library.rd_kafka_mock_cluster_new(self._client, 1)
        )
        library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        found: bytes = library.rd_kafka_mock_cluster_bootstraps(self._cluster)
        self.servers = found.decode()
        self._producer = Producer({"bootstrap.servers": self.servers, "linger.ms": 0})

    def create(self, topic: str, partitions: int) -> None:
        assert not self._library.rd_kafka_mock_topic_create(
            self._cluster, topic.encode(), partitions, 1
        )

    def send(self, topic: str, partition: int, bodies: list[str]) -> None:
        for body in bodies:
            self._producer.produce(topic, body.encode("latin-1"), partition=partition)
        assert not self._producer.flush(20)

    def down(self) -> None:
        self._library.rd_kafka_mock_broker_set_down(self._cluster, 1)

    def up(self) -> None:
        self._library.rd_kafka_mock_broker_set_up(self._cluster, 1)


def _library() -> Any:
    import confluent_kafka

    folder = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    found = sorted(folder.glob("librdkafka*.so*"))
    if not found:
        return None
    library = ctypes.CDLL(str(found[0]))
    for name in ("rd_kafka_new", "rd_kafka_conf_new", "rd_kafka_mock_cluster_new"):
        getattr(library, name).restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return library


def _serve() -> None:
    library = _library()
    server = _Server(library) if library else None
    print(json.dumps(server.servers if server else ""), flush=True)
    for line in sys.stdin:
        name, *words = json.loads(line)
        getattr(server, name)(*words)
        print(json.dumps("done"), flush=True)


if __name__ == "__main__":
    _serve()
