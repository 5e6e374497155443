"""What each kind of server says, and whether that is ready."""

from __future__ import annotations

import socket
import struct

import pytest

from tests.runner import stand
from webhook.runner import schemes


def postgres_error(state: str, message: str) -> bytes:
    fields = f"SFATAL\0VFATAL\0C{state}\0M{message}\0Fpostmaster.c\0\0".encode()
    return b"E" + struct.pack("!I", 4 + len(fields)) + fields


def packet(sequence: int, data: bytes) -> bytes:
    return len(data).to_bytes(3, "little") + bytes([sequence]) + data


GREETING = packet(
    0,
    b"\x0a8.4.0\0" + struct.pack("<I", 7) + b"12345678\0" + b"\xff\xff\x2d\x02\x00\xff\xdf\x15"
    + bytes(10) + b"123456789012\0" + b"caching_sha2_password\0",
)  # fmt: skip


def mysql_error(sequence: int, code: int, text: str) -> bytes:
    return packet(sequence, b"\xff" + struct.pack("<H", code) + text.encode())


def mongodb(fields: bytes) -> bytes:
    document = struct.pack("<i", len(fields) + 5) + fields + b"\0"
    body = bytes(5) + document
    return struct.pack("<iiii", 16 + len(body), 1, 1, 2013) + body


def kafka(error: int) -> bytes:
    return struct.pack("!iih", 10, 0x696E6974, error) + struct.pack("!i", 0)


OK = b"\x01ok\0" + struct.pack("<d", 1.0)
START = b"\x01\0\0\0\0\0\x0c\0\x0a\0\x0a\0\x09" + bytes(7)
NAME = b"\x02setName\0" + struct.pack("<i", 3) + b"rs\0"

ANSWERS = [
    ("postgres", b"R\0\0\0\x08\0\0\0\x05", ""),
    ("postgres", postgres_error("28000", "no pg_hba.conf entry"), ""),
    ("postgres", postgres_error("57P03", "the database system is starting up"),
     "the database system is starting up"),
    ("postgres", postgres_error("53300", "sorry, too many clients already"),
     "sorry, too many clients already"),
    ("postgres", postgres_error("57P03", "\x1b[2Jclear\r\n"), "[2Jclear"),
    ("postgres", b"HTTP/1.1 400 Bad Request\r\n", "answers, and not as PostgreSQL does"),
    ("postgres", b"E\x7f\xff\xff\xff", "answers, and not as PostgreSQL does"),
    ("redis", b"+PONG\r\n", ""),
    ("redis", b"-NOAUTH Authentication required.\r\n", ""),
    ("redis", b"-LOADING Redis is loading the dataset in memory\r\n",
     "LOADING Redis is loading the dataset in memory"),
    ("redis", b"-DENIED Redis is running in protected mode\r\n",
     "DENIED Redis is running in protected mode"),
    ("redis", b"-ERR max number of clients reached\r\n", "ERR max number of clients reached"),
    ("redis", b"HTTP/1.1 400 Bad Request\r\n", "answers, and not as Redis does"),
    ("redis", b"+" * 3000, "answers with a line of more than 1024 bytes"),
    ("rabbitmq", START, ""),
    ("amqp", b"AMQP\x00\x01\x00\x00", "speaks another version of AMQP than 0-9-1"),
    ("amqp", b"\x01\0\0\xff\xff\xff\xff\0\0\0\0", "answers, and not as RabbitMQ does"),
    ("amqp", b"\x01\0\0\0\0\0\x0c\0\x0a\0\x32\0\x09", "answers, and not as RabbitMQ does"),
    ("kafka", kafka(0), ""),
    ("kafka", kafka(35), ""),
    ("kafka", kafka(-1), "answers with error -1"),
    ("kafka", b"\x15\x03\x03\x00\x02\x02\x50\x00", "answers, and not as Kafka does"),
    ("mongodb", mongodb(NAME + b"\x08isWritablePrimary\0\x01" + OK), ""),
    ("mongodb", mongodb(b"\x08isWritablePrimary\0\0\x08secondary\0\x01" + OK), ""),
    ("mongodb", mongodb(b"\x08isWritablePrimary\0\0\x08secondary\0\0" + OK),
     "is neither primary nor secondary yet"),
    ("mongodb", mongodb(b"\x01ok\0" + bytes(8) + b"\x10code\0" + struct.pack("<i", 91)),
     "refuses: error 91"),
    ("mongodb", mongodb(b"\x02name\0\xff\xff\xff\x7f"), "answers, and not as MongoDB does"),
    ("mongodb", struct.pack("<iiii", 2**31 - 1, 1, 1, 2013), "answers, and not as MongoDB does"),
]  # fmt: skip


@pytest.mark.parametrize(("scheme", "answer", "reason"), ANSWERS)
def test_an_answer_is_ready_or_says_why_not(scheme: str, answer: bytes, reason: str) -> None:
    """Ready is what lets in or asks for a password; what a server says is the reason."""
    with stand.standing(stand.saying(answer)) as server:
        assert reason == stand.look(server.url(scheme))


GREETINGS = [
    (mysql_error(0, 1040, "Too many connections"), "Too many connections"),
    (mysql_error(0, 1129, "Host '10.0.0.1' is blocked"), "Host '10.0.0.1' is blocked"),
    (b"\xff\xff\xff\0", "answers, and not as MySQL does"),
    (packet(0, b"\x09old"), "answers, and not as MySQL does"),
    (b"", "the connection was closed without an answer"),
]


@pytest.mark.parametrize(("greeting", "reason"), GREETINGS)
def test_mysql_may_refuse_before_the_login(greeting: bytes, reason: str) -> None:
    """A server that is full or has blocked us says so instead of its greeting."""
    with stand.standing(stand.saying(greeting, reads=False)) as server:
        assert reason == stand.look(server.url("mysql"))


LOGINS = [
    ((mysql_error(2, 1045, "#28000Access denied"),), ""),
    ((packet(2, b"\x00\0\0\x02\0\0\0"),), ""),
    ((packet(2, b"\xfemysql_native_password\0salt\0"), mysql_error(4, 1045, "#28000No")), ""),
    ((packet(2, b"\xfex\0"), mysql_error(4, 1040, "#08004Too many connections")),
     "Too many connections"),
    ((packet(2, b"\x07"),), "answers, and not as MySQL does"),
]  # fmt: skip


@pytest.mark.parametrize(("answers", "reason"), LOGINS)
def test_mysql_is_ready_when_only_the_user_is_refused(
    answers: tuple[bytes, ...], reason: str
) -> None:
    """The handshake is gone through to its end, or the server would count it as broken off."""
    got = []

    def talk(client: socket.socket) -> None:
        client.sendall(GREETING)
        for answer in answers:
            got.append(client.recv(4096))
            client.sendall(answer)
        stand.silent(client)

    with stand.standing(talk) as server:
        assert reason == stand.look(server.url("mysql"))

    assert got[0].endswith(b"initject\0\0caching_sha2_password\0")
    assert [1, 3][: len(got)] == [data[3] for data in got]


def test_an_old_mongodb_is_asked_again() -> None:
    """A server without `hello` says so, and is asked with its older name."""

    def talk(client: socket.socket) -> None:
        assert b"hello" in client.recv(4096)
        client.sendall(mongodb(b"\x10code\0" + struct.pack("<i", 59)))
        assert b"isMaster" in client.recv(4096)
        client.sendall(mongodb(b"\x08ismaster\0\x01" + OK))
        stand.silent(client)

    with stand.standing(talk) as server:
        assert "" == stand.look(server.url("mongodb"))


def test_tcp_is_ready_when_a_connection_is_accepted() -> None:
    """Nothing is sent."""
    with stand.standing(stand.silent) as server:
        assert "" == stand.look(server.url("tcp"))

    assert "connection refused" == stand.look(server.url("tcp"))


def test_dns_is_ready_when_a_name_has_an_address() -> None:
    """The machine's own name for itself has one, one below .invalid never."""
    assert "" == stand.look("dns://localhost")
    assert stand.look("dns://nowhere.invalid").startswith("the name is not found: ")


@pytest.mark.parametrize(
    "scheme", [s for s, module in schemes.SCHEMES.items() if module not in ("tcp", "dns", "object")]
)
@pytest.mark.parametrize(
    "talk",
    [stand.silent, stand.saying(b""), stand.saying(b"\0" * 100_000), stand.saying(b"\xff" * 9999)],
    ids=["silent", "closes", "zeros", "ones"],
)
def test_no_server_makes_a_look_last(scheme: str, talk: stand.Talk) -> None:
    """Whatever it says or does not say: not ready, with a reason, in time."""
    with stand.standing(talk) as server:
        reason = stand.look(server.url(scheme), 0.5)

    assert reason
    assert "internal" not in reason
