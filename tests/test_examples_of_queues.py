"""The example programs for messages run, and say what they promise."""

from __future__ import annotations

import pytest

import services
from test_examples import run


def test_rabbitmq_queue() -> None:
    lines = run("rabbitmq_queue.py", services.rabbitmq_url()).splitlines()
    assert lines[:2] == [
        "message-0, delivery 1: success",
        "message-1, delivery 1: warning",
    ]
    assert "message-2, delivery 2: error" in lines
    assert lines[-1] == "dead letter b'?': TypeError: a message without a day: '?'"


def test_mqtt_topic() -> None:
    lines = run("mqtt_topic.py", services.mqtt_url()).splitlines()
    assert lines[-4:] == [
        "nobody listens now",
        "and now again",
        "oven/readings says a: warning",
        "oven/readings says b: warning",
    ]


@pytest.mark.timeout(120)
def test_kafka_topic() -> None:
    lines = run("kafka_topic.py").splitlines()
    assert lines[-1] == "stopped"
    days = [line for line in lines if line.startswith("days [")]
    assert days[-1] == "days [7, 8, 9]: success"
    assert len(days) == 3


def test_postgres_table() -> None:
    lines = run("postgres_table.py", services.postgres_url()).splitlines()
    assert lines == [
        "monday.csv: success",
        "loaded tuesday.csv",
        "tuesday.csv: success",
        "row 1: done after 1 attempt",
        "row 2: done after 1 attempt",
    ]
