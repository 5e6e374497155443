"""The API server as a test speaks to it."""

from __future__ import annotations

import json
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.cluster import keys
from tests.cluster.network import Inside

Json = dict[str, Any]
WARNING = re.compile(r'299 - "((?:[^"\\]|\\.)*)"')  # RFC 7234 §5.5, as the API server writes it


@dataclass(frozen=True, slots=True)
class Answer:
    """Status code, body, the warnings that kubectl would print, and the body as it came."""

    code: int
    body: Json
    warnings: tuple[str, ...] = ()
    text: str = ""

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))


@dataclass(frozen=True, slots=True)
class User:
    """Somebody to act as, with all rights; `case` goes into the extra field of that name."""

    name: str
    groups: tuple[str, ...] = ()
    case: str = ""

    def headers(self) -> list[tuple[str, str]]:
        """Those of impersonation."""
        groups = ("system:masters", *self.groups)
        extra = [("Impersonate-Extra-Case", self.case)] if self.case else []
        named = [("Impersonate-User", self.name)]
        return named + [("Impersonate-Group", group) for group in groups] + extra


@dataclass(slots=True)
class Api:
    """A client inside the cluster's network with the administrator's token.

    Without `ca` it asks `url` as it is: `kubectl proxy` knows who we are.
    """

    inside: Inside
    ca: Path | None
    url: str = f"https://127.0.0.1:{keys.PORT}"
    _client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self._client = httpx.Client(
            base_url=self.url,
            verify=ssl.create_default_context(cafile=str(self.ca)) if self.ca else False,
            headers={"Authorization": f"Bearer {keys.TOKEN}"} if self.ca else {},
            trust_env=False,
            timeout=30,
        )

    def ask(
        self, method: str, path: str, body: Json | None = None, *, user: User | None = None
    ) -> Answer:
        """One request; as the administrator, or as `user`."""
        headers = user.headers() if user else []
        return self._ask(method, path, json=body, headers=headers)

    def apply(self, value: Json) -> Answer:
        """Create or change an object as `kubectl apply --server-side --force-conflicts` does."""
        query = "?fieldManager=tests&force=true&fieldValidation=Strict"
        path = f"{collection(value)}/{value['metadata']['name']}{query}"
        headers = {"Content-Type": "application/apply-patch+yaml"}
        return self._ask("PATCH", path, content=json.dumps(value), headers=headers)

    def _ask(self, method: str, path: str, **more: Any) -> Answer:
        answer = self.inside(self._client.request, method, path, **more)
        warnings = tuple(
            re.sub(r"\\(.)", r"\1", text)
            for header in answer.headers.get_list("warning")
            for text in WARNING.findall(header)
        )
        return Answer(answer.status_code, parsed(answer), warnings, answer.text)

    def create(self, value: Json, *, user: User | None = None, dry_run: bool = False) -> Answer:
        """POST an object where its kind and namespace say; unknown fields are refused."""
        query = "?fieldValidation=Strict" + ("&dryRun=All" if dry_run else "")
        return self.ask("POST", collection(value) + query, value, user=user)

    def ensure(self, *values: Json) -> None:
        """Create what is not there yet."""
        for value in values:
            answer = self.create(value)
            if answer.code not in {201, 409}:
                message = f"{value['kind']} {value['metadata'].get('name')}: {answer.message}"
                raise AssertionError(message)

    def space(self, name: str, labels: Json | None = None) -> None:
        """A namespace with its ServiceAccount `default`, whose controller does not run here."""
        metadata = {"name": name, "labels": labels or {}}
        account = {"name": "default", "namespace": name}
        self.ensure(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata},
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account},
        )

    def close(self) -> None:
        self.inside(self._client.close)


def collection(value: Json) -> str:
    """The path under which objects of this kind live."""
    version, kind = value["apiVersion"], value["kind"]
    top = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    namespace = value["metadata"].get("namespace")
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"{top}{scope}/{plural(kind.lower())}"


def plural(name: str) -> str:
    """As Kubernetes' own kinds do, and ours."""
    if name.endswith("y"):
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith("s") else f"{name}s"


def parsed(answer: httpx.Response) -> Json:
    """The body; where the server knows no such path it is plain text."""
    try:
        body: Json = answer.json()
    except ValueError:
        return {"message": answer.text}
    return body
