"""What the runner is given for targets: words, variables and files.

Every value stands in a word of its own behind `name=`, so that what fills a template cannot become
another option.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from webhook.document.problem import Finding
from webhook.form.part import fields
from webhook.recipes import address, objects, reference
from webhook.recipes.reference import File, Held
from webhook.recipes.targets import DatabaseLogin, Grpc, Http, Mysql, Redis, Target, Tls

LOGIN = "INITJECT_LOGIN_"  # begins the names of the variables of a login


class WrongError(ValueError):
    """What is wrong with a field of a target."""

    def __init__(self, what: str, *field: str, advice: str = "") -> None:
        super().__init__(what)
        self.field, self.what, self.advice = field, what, advice


@dataclass(slots=True)
class Asked:
    """What a waiting container needs: the words behind its options, variables and files.

    `account` is whether the API server is asked, `dns` whether anybody else is, by a name.
    `findings` have paths below the list of targets. `name` is the step's, and begins the names of
    the volumes.
    """

    name: str
    words: list[str] = field(default_factory=list)
    env: list[dict[str, Any]] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    logins: int = 0
    account: bool = False
    dns: bool = False
    findings: list[Finding] = field(default_factory=list)

    def add(self, index: int, target: Target) -> None:
        """One more target, the `index`-th of the list."""
        kind = next(k for k in fields(Target) if getattr(target, _attribute(k)) is not None)
        written = getattr(target, _attribute(kind))
        if isinstance(written, objects.Named | objects.AnyObject):
            self.account = True
        else:
            self.dns = True
        try:
            self.words += self._words(kind, written)
        except WrongError as error:
            self.findings.append(Finding((index, kind, *error.field), error.what, error.advice))

    def _words(self, kind: str, target: Any) -> Iterator[str]:
        if kind == "urls":
            yield f"--targets={target}"
        elif isinstance(target, Http):
            yield from self._http(target)
        elif isinstance(target, objects.Named | objects.AnyObject):
            yield kind.lower()
            yield from _object(target)
        elif isinstance(target, Grpc) and target.tls:
            yield "grpcs"
            yield from self._options(dataclasses.replace(target, tls=None))
            yield from self._options(target.tls)
        else:
            _check_login(target)
            yield kind
            yield from self._options(target)

    def _http(self, target: Http) -> Iterator[str]:
        try:
            url = address.web(target.url)
        except ValueError as error:
            raise WrongError(str(error), "url") from None
        yield from url.words
        wanted = ((name, getattr(target, name)) for name in ("method", "status", "body"))
        yield from (f"{name}={value}" for name, value in wanted if value)
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
            elif isinstance(value, DatabaseLogin):
                yield f"login={self._login(value)}"
            elif isinstance(value, Held):
                if not part.verify:
                    what = "stands beside verify: false, which trusts everybody"
                    raise WrongError(what, name)
                yield f"{name}={self._file(value, name)}"
            elif isinstance(value, bool):
                yield from [f"{name}={str(value).lower()}"] if value != one.default else []
            elif value is not None:
                yield f"{name}={value}"

    def _login(self, login: DatabaseLogin) -> str:
        """What the variables of a login begin with."""
        name = f"{LOGIN}{self.logins}"
        self.logins += 1
        for what, of in (("USER", login.user), ("PASSWORD", login.password)):
            if of:
                self.env.append(reference.variable(f"{name}_{what}", of))
        return name

    def _file(self, held: Held, kind: str) -> str:
        """The path of a held value."""
        volume = f"{self.name}-{kind}-{len(self.files)}"
        wanted = reference.file(volume, held)
        self.files.append(wanted)
        return wanted.path


def _object(target: objects.Named | objects.AnyObject) -> Iterator[str]:
    if isinstance(target, objects.AnyObject):
        yield f"api-version={target.api_version}"
        yield f"kind={target.kind}"
    yield f"name={target.name}"
    if target.namespace is not None:
        yield f"namespace={target.namespace}"
    if isinstance(target, objects.AnyObject):
        yield f"condition={target.condition.type}"
        yield f"status={target.condition.status}"


def _check_login(target: Any) -> None:
    """Raises WrongError for a login that is not whole, or stands beside what says it twice."""
    login = getattr(target, "login", None)
    if login is None:
        if isinstance(target, Mysql) and target.database is not None:
            what = "is only asked for by a login"
            raise WrongError(what, "database", advice="add login, or remove database")
    elif getattr(target, "user", None) is not None:
        what = "stands beside login, which has a user of its own"
        raise WrongError(what, "user", advice="write it as login.user: {value: …}")
    elif login.user is None and not isinstance(target, Redis):
        what = "is missing: only Redis has a user without a name"
        raise WrongError(what, "login", "user", advice="add user: {secret: {name: …, key: …}}")


def _attribute(name: str) -> str:
    return fields(Target)[name].attribute


def asked(name: str, targets: tuple[Target, ...]) -> Asked:
    """What the step of that name needs to wait for all these targets."""
    found = Asked(name)
    for index, target in enumerate(targets):
        found.add(index, target)
    if found.account:
        found.files.append(reference.account(f"{name}-account"))
    return found
