"""What can be waited for, as it is written in a policy, and the words that the runner takes for it.

Every value stands in a word of its own behind `name=`, so that what fills a template cannot become
another option.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from webhook.document.problem import Finding
from webhook.form.form import Boolean, Choice, Filled, Integer, ListOf, MapOf, Text
from webhook.form.part import Part, fields, needed, told
from webhook.recipes import address
from webhook.recipes.reference import HELD, File, Held, file

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
    """A PostgreSQL server that takes connections, as pg_isready means it."""

    host: str = needed(_HOST, "The name or address of the host.")
    port: int | str = told(_PORT, "The port.", default=5432)
    database: str | None = told(_TEXT, "The database to ask for.")
    user: str | None = told(_TEXT, "The user to ask as; nobody logs in.")
    tls: Tls | None = told(_TLS, _SPOKEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that answers its protocol's own first question."""

    host: str = needed(_HOST, "The name or address of the host.")
    port: int | str | None = told(_PORT, "The port; the protocol's own without it.")
    tls: Tls | None = told(_TLS, _SPOKEN)


_SERVER = Part(Server)


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
    mysql: Server | None = told(_SERVER, "A MySQL or MariaDB server that takes connections.")
    redis: Server | None = told(_SERVER, "A Redis server that has loaded its data.")
    mongodb: Server | None = told(_SERVER, "A MongoDB server that can be read from.")
    rabbitmq: Server | None = told(_SERVER, "A RabbitMQ server that begins AMQP's handshake.")
    kafka: Server | None = told(_SERVER, "A Kafka broker that answers.")
    urls: str | None = told(
        Filled(Text(4096)),
        "Targets as URLs, separated by commas, such as `tcp://db:5432, http://auth/healthz`: the "
        "short form for application teams, from a parameter.",
    )


FORM = ListOf(Part(Target, single=True), least=1, most=16)


class WrongError(ValueError):
    """What is wrong with a field of a target."""

    def __init__(self, what: str, field: str = "url") -> None:
        super().__init__(what)
        self.field, self.what = field, what


@dataclass(slots=True)
class Asked:
    """What a waiting container needs: the words behind its options, variables and files.

    `findings` have paths below the list of targets. `name` is the step's, and begins the names of
    the volumes.
    """

    name: str
    words: list[str] = field(default_factory=list)
    env: list[dict[str, Any]] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def add(self, index: int, target: Target) -> None:
        """One more target, the `index`-th of the list."""
        kind = next(k for k in fields(Target) if getattr(target, _attribute(k)) is not None)
        try:
            self.words += self._words(kind, getattr(target, _attribute(kind)))
        except WrongError as error:
            self.findings.append(Finding((index, kind, error.field), error.what))

    def _words(self, kind: str, target: Any) -> Iterator[str]:
        if kind == "urls":
            yield f"--targets={target}"
        elif isinstance(target, Http):
            yield from self._http(target)
        elif isinstance(target, Grpc) and target.tls:
            yield "grpcs"
            yield from self._options(dataclasses.replace(target, tls=None))
            yield from self._options(target.tls)
        else:
            yield kind
            yield from self._options(target)

    def _http(self, target: Http) -> Iterator[str]:
        try:
            url = address.split(target.url)
        except ValueError as error:
            raise WrongError(str(error)) from None
        if url.scheme not in ("http", "https"):
            what = f"is of the scheme {url.scheme}, not http or https"
            raise WrongError(what)
        yield url.scheme
        parts = ((name, getattr(url, name)) for name in ("host", "port", "path", "query"))
        wanted = ((name, getattr(target, name)) for name in ("method", "status", "body"))
        yield from (f"{name}={value}" for name, value in (*parts, *wanted) if value)
        for name, entries in (("header", target.headers), ("expect", target.expect)):
            yield from (f"{name}={key}: {value}" for key, value in sorted((entries or {}).items()))
        if target.headers_from:
            yield f"header-file={self._file(target.headers_from, 'headers')}"
        if target.tls:
            yield from self._options(target.tls)

    def _options(self, part: Any) -> Iterator[str]:
        """`name=value` for each field that says something else than its default."""
        kind: Any = type(part)
        for name, one in fields(kind).items():
            value = getattr(part, one.attribute)
            if isinstance(value, Tls):
                yield "tls=true"
                yield from self._options(value)
            elif isinstance(value, Held):
                if not part.verify:
                    what = "stands beside verify: false, which trusts everybody"
                    raise WrongError(what, name)
                yield f"{name}={self._file(value, name)}"
            elif isinstance(value, bool):
                yield from [f"{name}={str(value).lower()}"] if value != one.default else []
            elif value is not None:
                yield f"{name}={value}"

    def _file(self, held: Held, kind: str) -> str:
        """The path of a held value."""
        volume = f"{self.name}-{kind}-{len(self.files)}"
        wanted = file(volume, held)
        self.files.append(wanted)
        return wanted.path


def _attribute(name: str) -> str:
    return fields(Target)[name].attribute


def asked(name: str, targets: tuple[Target, ...]) -> Asked:
    """What the step of that name needs to wait for all these targets."""
    found = Asked(name)
    for index, target in enumerate(targets):
        found.add(index, target)
    return found
