"""Servers that tests use if they are there: where they are, and a place in them."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg

from needs import skip_or_fail

POSTGRES = "postgresql://postgres@127.0.0.1:5432/test"


def postgres_url() -> str:
    """Return the address of a PostgreSQL that answers, or skip the test."""
    url = os.environ.get("TRUTHOUND_TEST_POSTGRES_URL", POSTGRES)
    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.OperationalError as error:
        skip_or_fail(f"no PostgreSQL at {url}: {str(error).splitlines()[0]}")
    return url


@contextlib.contextmanager
def postgres_schema() -> Iterator[str]:
    """Yield the address of an empty schema, which is dropped in the end."""
    url, name = postgres_url(), f"truthound_{secrets.token_hex(6)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    try:
        joint = "&" if "?" in url else "?"
        yield f"{url}{joint}options=-csearch_path%3D{name}"
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA {name} CASCADE")


REDIS = "redis://127.0.0.1:6379/0"
NATS = "nats://127.0.0.1:4222"
RABBITMQ = "amqp://guest:guest@127.0.0.1:5672/"
MQTT = "mqtt://127.0.0.1:1883"


def redis_url() -> str:
    """Return the address of a Redis that answers, or skip the test."""
    url = os.environ.get("TRUTHOUND_TEST_REDIS_URL", REDIS)
    return _answering(url, 6379, "Redis")


def nats_url() -> str:
    """Return the address of a NATS server that answers, or skip the test."""
    url = os.environ.get("TRUTHOUND_TEST_NATS_URL", NATS)
    return _answering(url, 4222, "NATS")


def rabbitmq_url() -> str:
    """Return the address of a RabbitMQ that answers, or skip the test."""
    url = os.environ.get("TRUTHOUND_TEST_RABBITMQ_URL", RABBITMQ)
    return _answering(url, 5672, "RabbitMQ")


def mqtt_url() -> str:
    """Return the address of an MQTT server that answers, or skip the test."""
    url = os.environ.get("TRUTHOUND_TEST_MQTT_URL", MQTT)
    return _answering(url, 1883, "MQTT server")


def _answering(url: str, port: int, what: str) -> str:
    """Return an address if somebody listens there, else skip the test."""
    parts = urlsplit(url)
    try:
        place = (parts.hostname or "127.0.0.1", parts.port or port)
        socket.create_connection(place, timeout=3).close()
    except OSError as error:
        skip_or_fail(f"no {what} at {place[0]}:{place[1]}: {error}")
    return url
