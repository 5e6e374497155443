"""Logging in: against real servers, and against servers that want more than they should have."""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.runner import places, real, stand, test_kinds
from tests.runner.test_wait import waited
from webhook.errors import UsageError
from webhook.runner import targets
from webhook.runner.logins import scram

PASSWORD = "s3cr#t & tücke"
ROUGH = "s3cret\u00a0\u2168"  # SASLprep makes it `s3cret IX`
SECRETS = {
    "RIGHT_USER": "ledger",
    "RIGHT_PASSWORD": PASSWORD,
    "WRONG_USER": "ledger",
    "WRONG_PASSWORD": "gu3ssed-it",
    "ROUGH_USER": "rough",
    "ROUGH_PASSWORD": ROUGH,
    "ALONE_PASSWORD": PASSWORD,
}

pytestmark = pytest.mark.usefixtures("environment")


@pytest.fixture(scope="module")
def environment() -> Iterator[None]:
    """What the Secret references of a policy become in a container."""
    os.environ.update(SECRETS)
    yield
    for name in SECRETS:
        del os.environ[name]


@pytest.fixture
def place() -> Iterator[places.Place]:
    with places.place() as found:
        yield found


def look(*words: str, seconds: float = 10.0) -> str:
    return stand.looked(targets.read(words)[0], seconds)


def until_there(url: str) -> None:
    status, said = waited("--timeout", "60s", url)
    assert 0 == status, said


POSTGRES = """
host all plain all password
host all hashed all md5
host clear all all trust
host all all all scram-sha-256
"""


def test_postgres_lets_in_who_has_the_password(place: places.Place) -> None:
    """By each way that servers ask for it; what is wrong is said without the user."""
    here = ("postgres", "host=127.0.0.1", f"port={place.port}")
    tls = ("tls=true", f"ca={place.ca}")
    (place.folder / "own").write_text(PASSWORD + "\n")
    with real.postgres(place, POSTGRES).running():
        until_there(place.url("postgres"))
        before = look(*here, "login=RIGHT", "database=postgres")
        quoted = PASSWORD.replace("'", "''")
        for user in ("ledger", "plain"):
            real.in_postgres(place, f"CREATE ROLE {user} LOGIN PASSWORD '{quoted}'")
        real.in_postgres(place, f"CREATE ROLE rough LOGIN PASSWORD '{ROUGH}'")
        real.in_postgres(
            place, f"SET password_encryption = md5; CREATE ROLE hashed LOGIN PASSWORD '{quoted}'"
        )
        real.in_postgres(place, "CREATE DATABASE clear")
        seen = {
            "scram": look(*here, "login=RIGHT", "database=postgres"),
            "tls": look(*here, *tls, "login=RIGHT", "database=postgres"),
            "sasl": look(*here, "login=ROUGH", "database=postgres"),
            "md5": look(*here, "login=ALONE", "user=hashed", "database=postgres"),
            "clear": look(*here, "login=ALONE", "user=plain", "database=postgres"),
            "clear, tls": look(*here, *tls, "login=ALONE", "user=plain", "database=postgres"),
            "trust": look(*here, "login=WRONG", "database=clear"),
            "file": look(*here, "user=ledger", f"password-file={place.folder / 'own'}",
                         "database=postgres"),
            "wrong": look(*here, "login=WRONG", "database=postgres"),
            "nowhere": look(*here, "login=RIGHT", "database=nowhere"),
            "no file": look(*here, "user=ledger", "password-file=/nowhere"),
        }  # fmt: skip

    assert 'password authentication failed for user "…"' == before
    assert {
        "scram": "",
        "tls": "",
        "sasl": "",
        "md5": "",
        "clear": "the server asks for the password itself, which needs TLS; add tls=true",
        "clear, tls": "",
        "trust": "",
        "file": "",
        "wrong": 'password authentication failed for user "…"',
        "nowhere": 'database "nowhere" does not exist',
        "no file": "the file with the password cannot be read: No such file or directory",
    } == seen


def test_mariadb_lets_in_who_has_the_password(place: places.Place) -> None:
    """With TLS and without, to a database that is there."""
    here = ("mysql", "host=127.0.0.1", f"port={place.port}")
    tls = ("tls=true", f"ca={place.ca}")
    statements = [
        f"CREATE USER ledger IDENTIFIED BY '{PASSWORD}'",
        "CREATE USER nobody IDENTIFIED VIA ed25519 USING PASSWORD('x')",
        "CREATE DATABASE orders",
        "GRANT ALL ON orders.* TO ledger",
        "SET GLOBAL max_connect_errors = 3",
    ]
    with real.mariadb(
        place, ["INSTALL SONAME 'auth_ed25519'", "SET NAMES utf8mb4", *statements]
    ).running():
        until_there(place.url("mysql"))
        seen = {
            "right": look(*here, "login=RIGHT"),
            "database": look(*here, "login=RIGHT", "database=orders"),
            "tls": look(*here, *tls, "login=RIGHT", "database=orders"),
            "wrong": look(*here, "login=WRONG"),
            "nowhere": look(*here, "login=RIGHT", "database=nowhere"),
            "unknown": look(*here, "login=ALONE", "user=nobody"),
        }
        again = [look(*here, "login=RIGHT") for _ in range(6)]

    assert {
        "right": "",
        "database": "",
        "tls": "",
        "wrong": "Access denied for user '…'@'127.0.0.1' (using password: YES)",
        "nowhere": "Access denied for user '…'@'%' to database 'nowhere'",
        "unknown": "the server asks for the login client_ed25519, which is not possible here",
    } == seen
    assert [""] * 6 == again


def test_redis_lets_in_who_has_the_password(place: places.Place) -> None:
    """As a user of its own, and as the one without a name."""
    here = ("redis", "host=127.0.0.1", f"port={place.port}")
    (place.folder / "users").write_text(
        f"user default on #{hashlib.sha256(PASSWORD.encode()).hexdigest()} ~* +@all\n"
        f"user ledger on #{hashlib.sha256(PASSWORD.encode()).hexdigest()} ~* +get\n"
    )
    with real.redis(place, "--aclfile", str(place.folder / "users")).running():
        until_there(place.url("redis"))
        seen = {
            "alone": look(*here, "login=ALONE"),
            "user": look(*here, "login=RIGHT"),
            "wrong": look(*here, "login=WRONG"),
        }

    assert {
        "alone": "",
        "user": "",
        "wrong": "WRONGPASS invalid username-password pair or user is disabled.",
    } == seen


def test_the_command_shows_neither_user_nor_password() -> None:
    """Not in a line, whatever a server makes of it."""
    said = f"-ERR ledger said {PASSWORD}, ledgers did not\r\n".encode()
    with stand.standing(stand.saying(said)) as server:
        status, lines = waited("--timeout", "500ms", server.url("redis", "#login=RIGHT"))
        name = server.url("redis")

    assert 210 == status
    assert f"initject wait: {name}: not ready: ERR … said …, ledgers did not" == lines[0]


WRONG = [
    (("postgres", "host=db", "login=NOBODY"),
     "postgres://db: has no user; set NOBODY_USER, or write user=NAME"),
    (("postgres", "host=db", "password-file=/p"), "postgres://db: has no user; write user=NAME"),
    (("mysql", "host=db", "login=NOBODY", "user=x"),
     "mysql://db: has no password; set NOBODY_PASSWORD, or write password-file=FILE"),
    (("redis", "host=db", "login=A-B"),
     "redis://db: login is no name; write one like DB, for DB_USER and DB_PASSWORD"),
    (("redis", "host=db", "user=x"),
     "redis://db: option 'user' is for a login; add login=NAME or password-file=FILE"),
    (("mysql", "host=db", "database=x"),
     "mysql://db/x: a target of mysql has no path; write mysql://db"),
    (("kafka", "host=db", "login=RIGHT"),
     "kafka://db: unknown option 'login'; it has: ca, name, tls, verify"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "said"), WRONG)
def test_a_login_that_is_not_whole_is_wrong_usage(words: tuple[str, ...], said: str) -> None:
    """With what to write."""
    with pytest.raises(UsageError) as caught:
        targets.read(words)

    assert said == str(caught.value)


def test_scram_is_that_of_its_rfc() -> None:
    """The example of RFC 7677."""
    nonce = "rOprNGfwEbeRWgbNEkqO"
    server = (
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    )
    found = scram.proof("pencil", nonce, server, "user")

    assert b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO" == scram.first(nonce, "user")
    assert found.message.endswith(b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    assert b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" == found.expected


PREPARED = [
    ("I\u00adX", "IX"),
    ("user", "user"),
    ("\u00aa", "a"),
    ("\u2168", "IX"),
    ("\u0007", "\u0007"),  # refused by the rules, hence raw
    ("\u0627\u0031", "\u0627\u0031"),
]


@pytest.mark.parametrize(("written", "prepared"), PREPARED)
def test_a_password_is_prepared_as_saslprep_says(written: str, prepared: str) -> None:
    """The examples of RFC 4013; what it refuses stays as it is, as in PostgreSQL."""
    assert prepared == scram.prepared(written)


def told(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", 4 + len(body)) + body


SASL = told(b"R", struct.pack("!I", 10) + b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0")
FINAL = told(b"R", struct.pack("!I", 12) + b"v=AAAA")


def postgres(rounds: bytes, last: bytes, *, own: bool = False) -> stand.Talk:
    """A server that asks for `rounds`, with a nonce of its own alone, and says `last`."""

    def talk(client: socket.socket) -> None:
        client.recv(4096)
        client.sendall(SASL)
        nonce = client.recv(4096).rpartition(b"r=")[2]
        said = b"r=" + (b"" if own else nonce) + b"more,s=c2FsdA==,i=" + rounds
        client.sendall(told(b"R", struct.pack("!I", 11) + said))
        client.recv(4096)
        client.sendall(last)
        stand.silent(client)

    return talk


OTHER = "answers, and not as PostgreSQL does"


HARM = {
    "knows nothing": (
        postgres(b"4096", FINAL),
        "the server does not know the password itself: it may be another than it says",
    ),
    "skips the proof": (postgres(b"4096", told(b"R", bytes(4)) + told(b"Z", b"I")), OTHER),
    "makes us work": (postgres(b"2000000000", FINAL), OTHER),
    "counts in words": (postgres(b"many", FINAL), OTHER),
    "forgets our nonce": (postgres(b"4096", FINAL, own=True), OTHER),
    "asks otherwise": (
        stand.saying(told(b"R", struct.pack("!I", 7))),
        "the server asks for a login of a kind that is not known here",
    ),
    "has no row": (
        stand.saying(told(b"R", bytes(4)) + told(b"Z", b"I") * 2),
        "the query gave no row",
    ),
    "says nothing": (stand.saying(told(b"R", b"")), OTHER),
}


@pytest.mark.parametrize(("talk", "reason"), HARM.values(), ids=HARM)
def test_a_postgres_that_means_harm_learns_nothing(talk: stand.Talk, reason: str) -> None:
    """One that cannot prove that it knows the password, skips the proof, or makes us work."""
    with stand.standing(talk) as server:
        assert reason == look(server.url("postgres", "#login=RIGHT"))


@pytest.mark.parametrize(
    "data",
    [told(b"S", b"x" * 1000) * 50, told(b"N", b""), b"\0" * 9999],
    ids=["long", "empty", "zeros"],
)
@pytest.mark.parametrize("scheme", ["postgres", "mysql", "redis"])
def test_no_server_makes_a_login_last(scheme: str, data: bytes) -> None:
    """One that sends for ever is left by the deadline, or before."""

    def talk(client: socket.socket) -> None:
        client.sendall(told(b"R", bytes(4)))
        while True:
            client.sendall(data)

    with stand.standing(talk) as server:
        reason = look(server.url(scheme, "#login=RIGHT"), seconds=0.5)

    assert reason
    assert "internal" not in reason


KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
SALT = b"12345678" + b"123456789012"
ROW = b"".join(
    [
        test_kinds.packet(1, b"\x01"),
        test_kinds.packet(2, b"\x03def"),
        test_kinds.packet(3, b"\xfe\0\0\x02\0"),
        test_kinds.packet(4, b"\x011"),
        test_kinds.packet(5, b"\xfe\0\0\x02\0"),
    ]
)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def masked(data: bytes, mask: bytes) -> bytes:
    return bytes(a ^ mask[n % len(mask)] for n, a in enumerate(data))


def scrambled(data: bytes) -> bool:
    """Whether the answer in a login is one that only who has the password can give."""
    answer = data.partition(b"ledger\0\x20")[2][:32]
    stored = sha256(sha256(PASSWORD.encode()))  # all that a server keeps
    return stored == sha256(masked(answer, sha256(stored + SALT)))


def caching(
    said: dict[str, object], *, known: bool, tls: ssl.SSLContext | None = None
) -> stand.Talk:
    """MySQL 8 with caching_sha2_password, which has seen the user since it started, or not."""

    def talk(client: socket.socket) -> None:
        client.sendall(test_kinds.GREETING)
        if tls:
            client.recv(36)
            client = tls.wrap_socket(client, server_side=True)
        with client:
            data = client.recv(4096)
            number = data[3] + 1
            said["scrambled"] = scrambled(data)
            client.sendall(test_kinds.packet(number, b"\x01\x03" if known else b"\x01\x04"))
            if not known:
                number += 2
                data = client.recv(4096)
                said["password"] = data[4:]
                if data[4:] == b"\x02":
                    client.sendall(test_kinds.packet(number, b"\x01" + PEM))
                    oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
                    said["password"] = masked(KEY.decrypt(client.recv(4096)[4:], oaep), SALT)
                    number += 2
            client.sendall(test_kinds.packet(number + 1, b"\0\0\0\x02\0\0\0"))
            said["query"] = client.recv(4096)
            client.sendall(ROW)
            stand.silent(client)

    return talk


WHOLE = PASSWORD.encode() + b"\0"


@pytest.mark.parametrize("secure", [True, False])
@pytest.mark.parametrize(("known", "password"), [(True, None), (False, WHOLE)])
def test_mysql_8_lets_in_who_has_the_password(
    known: bool, password: bytes | None, secure: bool, tmp_path: Path
) -> None:
    """By the short proof, and whole where the server needs it: under TLS or for its key."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.crt")
    more = f"&tls=true&ca={tmp_path / 'ca.crt'}" if secure else ""
    said: dict[str, object] = {}

    with stand.standing(caching(said, known=known, tls=context if secure else None)) as server:
        assert "" == look(server.url("mysql", f"#login=RIGHT{more}"))

    assert (True, password, b"\x09\0\0\0\x03SELECT 1") == (
        said["scrambled"],
        said.get("password"),
        said["query"],
    )


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"\xfemysql_clear_password\0", "the server asks for the login mysql_clear_password, "
         "which is not possible here; add tls=true"),
        (b"\xfe", "the server asks for the login one without a name, which is not possible here"),
        (b"\x01\x05", "answers, and not as MySQL does"),
    ],
)  # fmt: skip
def test_a_mysql_that_means_harm_learns_nothing(answer: bytes, reason: str) -> None:
    """The password is not said to who asks for it."""
    got: list[bytes] = []

    def talk(client: socket.socket) -> None:
        client.sendall(test_kinds.GREETING)
        got.append(client.recv(4096))
        client.sendall(test_kinds.packet(2, answer))
        while data := client.recv(4096):
            got.append(data)

    with stand.standing(talk) as server:
        assert reason == look(server.url("mysql", "#login=RIGHT"))

    assert PASSWORD.encode() not in b"".join(got)
