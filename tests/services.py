"""Servers that tests use if they are there: where they are, and a place in them."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator

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
