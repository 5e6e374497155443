"""What can be waited for, as it is written in a policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from webhook.form.form import Boolean, Choice, Filled, Integer, ListOf, MapOf, Text
from webhook.form.part import Part, needed, told
from webhook.recipes import objects
from webhook.recipes.reference import HELD, VALUE, Held, Value

_HOST = Filled(Text(253))
_PORT = Filled(Integer(32))
_TEXT = Filled(Text(1024))
_HEADERS = MapOf(Text(256), _TEXT, most=32)


_CA = "The CAs to trust, in PEM; those of the image without it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How a server is known. An empty one says that TLS is spoken."""

    ca: Held | None = told(HELD, _CA)
    name: str | None = told(_HOST, "The name that the certificate must have, if not the host.")
    verify: bool = told(
        Boolean(), "Whether the certificate must be one of a known CA.", default=True
    )


_TLS = Part(Tls)
_SPOKEN = "Speak TLS; without it, plain text."


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseLogin:
    """Who logs in."""

    user: Value | None = told(VALUE, "The user. Redis has one without a name.")
    password: Held = needed(HELD, "The password.")


_LOGIN = Part(DatabaseLogin)
_LET_IN = "Who logs in: ready when this user is let in and can query."


@dataclass(frozen=True, slots=True, kw_only=True)
class Tcp:
    """A port that accepts connections."""

    host: str = needed(_HOST, "The name or address of the host.")
    port: int | str = needed(_PORT, "The port.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsServer:
    """A port that completes a TLS handshake."""

    host: str = needed(_HOST, "The name or address of the host.")
    port: int | str = told(_PORT, "The port.", default=443)
    ca: Held | None = told(HELD, _CA)
    name: str | None = told(_HOST, "The name that the certificate must have, if not the host.")
    verify: bool = told(
        Boolean(), "Whether the certificate must be one of a known CA.", default=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Dns:
    """A name that has an address."""

    host: str = needed(_HOST, "The name.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """A page that answers as wanted."""

    url: str = needed(
        Filled(Text(2048)),
        "The page: `http://` or `https://`, host, port, path and query. Templates may fill any "
        "part but the scheme.",
    )
    method: Literal["GET", "HEAD", "POST", "PUT", "OPTIONS"] | None = told(
        Choice(("GET", "HEAD", "POST", "PUT", "OPTIONS")),
        "The method; GET without it. Nothing is sent as a body.",
    )
    status: str | None = told(
        Text(256), "The statuses that are ready: 200, 200-299 (without it) or 200,404."
    )
    body: str | None = told(
        Text(1024), "An RE2 expression that must match somewhere in the first 256 KiB of the body."
    )
    headers: Mapping[str, str] | None = told(_HEADERS, "Headers to send.")
    headers_from: Held | None = told(
        HELD, "Further headers, which are secret: lines of the form `NAME: VALUE`."
    )
    expect: Mapping[str, str] | None = told(
        _HEADERS, "Headers that the answer must have, each with an RE2 expression."
    )
    tls: Tls | None = told(_TLS, "How an https server is known.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grpc:
    """A server whose health service (grpc.health.v1) says SERVING."""

    host: str = needed(_HOST, "The name or address of the host.")
    port: int | str = needed(_PORT, "The port.")
    service: str | None = told(_TEXT, "The service to ask about; without it, the whole server.")
    tls: Tls | None = told(_TLS, _SPOKEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """A PostgreSQL server that takes connections, as pg_isready means it, or lets a user in."""

    host: str = needed(_HOST, "The name or address of the host.")
    port: int | str = told(_PORT, "The port.", default=5432)
    database: str | None = told(_TEXT, "The database to ask for.")
    user: str | None = told(_TEXT, "The user to ask as, where nobody logs in.")
    login: DatabaseLogin | None = told(_LOGIN, _LET_IN)
    tls: Tls | None = told(_TLS, _SPOKEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mysql:
    """A MySQL or MariaDB server that takes connections, or lets a user in."""

    host: str = needed(_HOST, "The name or address of the host.")
    port: int | str = told(_PORT, "The port.", default=3306)
    database: str | None = told(_TEXT, "The database in which the login may query.")
    login: DatabaseLogin | None = told(_LOGIN, _LET_IN)
    tls: Tls | None = told(_TLS, _SPOKEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redis:
    """A Redis server that has loaded its data, or lets a user in."""

    host: str = needed(_HOST, "The name or address of the host.")
    port: int | str = told(_PORT, "The port.", default=6379)
    login: DatabaseLogin | None = told(_LOGIN, _LET_IN)
    tls: Tls | None = told(_TLS, _SPOKEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that answers its protocol's own first question."""

    host: str = needed(_HOST, "The name or address of the host.")
    port: int | str | None = told(_PORT, "The port; the protocol's own without it.")
    tls: Tls | None = told(_TLS, _SPOKEN)


_SERVER = Part(Server)
_OBJECT = Part(objects.Named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One thing to wait for: exactly one of the fields."""

    tcp: Tcp | None = told(Part(Tcp), "A port that accepts connections.")
    tls: TlsServer | None = told(Part(TlsServer), "A port that completes a TLS handshake.")
    dns: Dns | None = told(Part(Dns), "A name that has an address.")
    http: Http | None = told(Part(Http), "A page that answers as wanted.")
    grpc: Grpc | None = told(Part(Grpc), "A server whose gRPC health service says SERVING.")
    postgres: Postgres | None = told(
        Part(Postgres), "A PostgreSQL server that takes connections, as pg_isready means it."
    )
    mysql: Mysql | None = told(Part(Mysql), "A MySQL or MariaDB server that takes connections.")
    redis: Redis | None = told(Part(Redis), "A Redis server that has loaded its data.")
    mongodb: Server | None = told(_SERVER, "A MongoDB server that can be read from.")
    rabbitmq: Server | None = told(_SERVER, "A RabbitMQ server that begins AMQP's handshake.")
    kafka: Server | None = told(_SERVER, "A Kafka broker that answers.")
    job: objects.Named | None = told(
        _OBJECT, "A Job that is complete; one that has failed ends the wait."
    )
    deployment: objects.Named | None = told(
        _OBJECT, "A Deployment that is rolled out, as `kubectl rollout status` means it."
    )
    stateful_set: objects.Named | None = told(
        _OBJECT, "A StatefulSet that is rolled out, as `kubectl rollout status` means it."
    )
    pod: objects.Named | None = told(_OBJECT, "A pod that is Ready, or has succeeded.")
    object: objects.AnyObject | None = told(
        Part(objects.AnyObject), "An object of any kind that has a condition."
    )
    urls: str | None = told(
        Filled(Text(4096)),
        "Targets as URLs, separated by commas, such as `tcp://db:5432, http://auth/healthz`: the "
        "short form for application teams, from a parameter.",
    )


FORM = ListOf(Part(Target, single=True), least=1, most=16)
