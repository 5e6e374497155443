"""A tree of a git repository: git-sync clones it once, ours copies what is asked for."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass

from webhook.document.problem import Finding, Path
from webhook.form.form import Boolean, Filled, Text
from webhook.form.part import Part, needed, told
from webhook.recipes import address, reference
from webhook.recipes.address import Address
from webhook.recipes.fetch.clerk import TMP, Clerk
from webhook.recipes.fetch.room import Want
from webhook.recipes.reference import HELD, File, Held
from webhook.recipes.rendered import Raw, Rendered

_SCHEMES = ("https", "http", "ssh")
_SSH_USER = re.compile(r"(ssh://)[a-z_][-a-z0-9_]*@")  # on an author's policy
USER = 65533  # the image's own: ssh asks for a user who has a name

_HERE: Path = ("from", "git")


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A user with a password or a token."""

    user: str = needed(Filled(Text(256)), "The user; for most tokens any.")
    password: Held = needed(HELD, "The password or token.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ssh:
    """A key, and the keys of the host."""

    key: Held = needed(HELD, "The private key, without a passphrase.")
    known_hosts: Held = needed(HELD, "The host's keys, as a file known_hosts has them.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A tree of a repository, without its history."""

    url: str = needed(
        Filled(Text(2048)),
        "The repository: `https://`, `http://` or `ssh://`, host and path; with SSH a user, too, "
        "such as `git@`. Templates may fill the path.",
    )
    ref: str | None = told(
        Filled(Text(256)),
        "A branch, a tag or a commit; the repository's HEAD without it. Templates stand behind "
        "something, such as `refs/tags/`.",
    )
    path: str | None = told(
        Filled(Text(1024)), "A folder of the repository, the only one that is fetched."
    )
    submodules: bool = told(
        Boolean(), "Fetch its submodules, from wherever they are.", default=False
    )
    login: Login | None = told(Part(Login), "How to log in over HTTPS.")
    ssh: Ssh | None = told(Part(Ssh), "How to log in over SSH, and how the host is known.")
    ca: Held | None = told(
        HELD, "The CAs to trust over HTTPS, in PEM; those of the image without it."
    )


FORM = Part(Repository)


def render(written: Repository, want: Want) -> Rendered:
    """A step that clones, and one that copies."""
    files = _files(written, want.name)
    clerk = Clerk(want)
    tool = {
        "image": want.defaults.tool("git-sync"),
        "command": ["/git-sync"],
        "args": [
            f"--repo={written.url}",
            *([f"--ref={written.ref}"] if written.ref else []),
            f"--root={clerk.path}/git",
            "--link=tree",
            "--depth=1",
            "--one-time",
            f"--submodules={'recursive' if written.submodules else 'off'}",
            f"--sync-timeout={want.timeout}",
            *_login(written, files),
        ],
        "env": list(_env(files)),
        "securityContext": {"runAsUser": USER, "runAsGroup": USER} if written.ssh else {},
    }
    part = [f"path={written.path}"] if written.path else []
    found = clerk.rendered(tool, "/git/tree", [*part, "without=.git"], tuple(files.values()))
    findings = (*_findings(written), *clerk.idle(_HERE, "exitCode"))
    return dataclasses.replace(found, findings=findings)


def _files(written: Repository, name: str) -> dict[str, File]:
    held = {
        "password": written.login and written.login.password,
        "key": written.ssh and written.ssh.key,
        "hosts": written.ssh and written.ssh.known_hosts,
        "ca": written.ca,
    }
    return {kind: reference.file(f"{name}-{kind}", one) for kind, one in held.items() if one}


def _login(written: Repository, files: dict[str, File]) -> Iterator[str]:
    if written.login:
        yield f"--username={written.login.user}"
        yield f"--password-file={files['password'].path}"
    if written.ssh:
        yield f"--ssh-key-file={files['key'].path}"
        yield f"--ssh-known-hosts-file={files['hosts'].path}"


def _env(files: dict[str, File]) -> Iterator[Raw]:
    yield {"name": "HOME", "value": TMP}
    if "ca" in files:
        yield {"name": "GIT_SSL_CAINFO", "value": files["ca"].path}


def _findings(written: Repository) -> Iterator[Finding]:
    try:
        url = address.split(_SSH_USER.sub(r"\1", written.url))
    except ValueError as error:
        yield Finding((*_HERE, "url"), str(error))
    else:
        yield from _of_the_url(url)
        yield from _of_logins(written, url.scheme)
    # git takes a word that begins with `-` for an option, and some of its options run programs.
    if (written.ref or "").startswith(("-", "$")):
        what = "must not begin with a template or '-', which could make it an option of git"
        yield Finding((*_HERE, "ref"), what, "write for example refs/tags/${…} or refs/heads/${…}")


def _of_the_url(url: Address) -> Iterator[Finding]:
    path = (*_HERE, "url")
    if url.scheme not in _SCHEMES:
        yield Finding(path, f"is of the scheme {url.scheme}, not {', '.join(_SCHEMES)}")
    elif "$" in url.host + url.port:
        yield Finding(path, "has a template in its host", "write the host and its port out")
    elif not url.path.strip("/"):
        yield Finding(path, "names no repository", "add its path")


def _of_logins(written: Repository, scheme: str) -> Iterator[Finding]:
    if scheme == "ssh" and not written.ssh:
        yield Finding((*_HERE, "ssh"), "is missing: nothing else logs in there", "add it")
    for field, one, fitting in (("login", written.login, "https"), ("ca", written.ca, "https"),
                                ("ssh", written.ssh, "ssh")):  # fmt: skip
        if one and scheme != fitting:
            what = f"is for {fitting}://, and the repository is at {scheme}://"
            yield Finding((*_HERE, field), what)
