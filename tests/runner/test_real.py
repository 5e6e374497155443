"""The handshakes against real servers, from before they start until they are there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.runner import places, real, stand
from tests.runner.test_wait import waited


@pytest.fixture
def place() -> Iterator[places.Place]:
    with places.place() as found:
        yield found


def test_redis_with_a_password(place: places.Place) -> None:
    """Asking for a password is ready."""
    url = place.url("redis")
    assert "connection refused" == stand.look(url)

    with real.redis(place, "--requirepass", "x").running():
        status, said = waited("--timeout", "30s", url)

    assert 0 == status, said


def test_postgres_with_a_password(place: places.Place) -> None:
    """Asking for a password is ready, whoever asks; so is refusing a database that is not there."""
    url = place.url("postgres")
    with real.postgres(place).running():
        status, said = waited("--timeout", "60s", url, f"{url}/nowhere#user=nobody")
        secured = stand.look(f"{url}#tls=true&ca={place.ca}")

    assert 0 == status, said
    assert "" == secured
    assert "connection refused" == stand.look(url)


def test_mariadb_with_a_password(place: places.Place) -> None:
    """A server that lets in nobody without a password is ready, and does not block who asks."""
    url = place.url("mysql")
    with real.mariadb(place, ["SET GLOBAL max_connect_errors = 3"]).running():
        status, said = waited("--timeout", "60s", url, f"{url}#tls=true&ca={place.ca}")
        looks = [stand.look(url) for _ in range(6)]

    assert 0 == status, said
    assert [""] * 6 == looks


@pytest.mark.parametrize(
    ("kind", "server"),
    [("mongodb", real.mongodb), ("kafka", real.kafka), ("rabbitmq", real.rabbitmq)],
)
def test_servers_of_messages_and_documents(place: places.Place, kind: str, server: Any) -> None:
    """From before they listen until they answer; when they are gone, so are they here."""
    url = place.url(kind)
    assert "connection refused" == stand.look(url)

    with server(place).running():
        status, said = waited("--timeout", "90s", url)
        ready = stand.look(url)

    assert (0, "") == (status, ready), said
    assert "connection refused" == stand.look(url)
