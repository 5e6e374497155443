"""Who logs in, from a target's options and the environment; neither is ever shown."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from webhook.errors import NotReadyError
from webhook.runner import check
from webhook.runner.address import CONTROL, Address

OPTIONS = ("login", "user", "password-file")
MAX_FILE = 4096  # bytes of a file with a password; a guess: four times what servers take

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Login:
    """A user and a password; with `file` the password is what that file holds at each look."""

    user: str
    _password: str = field(repr=False)
    _file: str = ""

    def password(self) -> str:
        """The password; raises NotReadyError while its file cannot be read."""
        if not self._file:
            return self._password
        try:
            with Path(self._file).open("rb") as file:
                data = file.read(MAX_FILE)
            return data.decode().removesuffix("\n").removesuffix("\r")
        except OSError as error:
            msg = f"the file with the password cannot be read: {error.strerror}"
            raise NotReadyError(msg) from None
        except ValueError:
            msg = "the file with the password is no UTF-8"
            raise NotReadyError(msg) from None

    def sentence(self, text: bytes) -> str:
        """What a server says, as `check.sentence`, without the user and the password."""
        said = text.decode("utf-8", "replace")
        if secret := self.password():
            said = said.replace(secret, "…")
        if self.user:
            said = re.sub(rf"(?<!\w){re.escape(self.user)}(?!\w)", "…", said)
        return check.sentence(said.encode())


def read(address: Address, *, anonymous: bool = False) -> Login | None:
    """The login that a target names by `login` or `password-file`, or None.

    `login=NAME` is the user in the variable NAME_USER with the password in NAME_PASSWORD; the
    options `user` and `password-file` stand for either. Raises UsageError where one is missing;
    with `anonymous` a password alone is enough.
    """
    name, file = address.one("login"), address.one("password-file")
    if not (name or file):
        return None
    if name and not _NAME.fullmatch(name):
        address.refuse("login is no name; write one like DB, for DB_USER and DB_PASSWORD")
    user = address.one("user") or _variable(address, name, "USER")
    password = _variable(address, name, "PASSWORD")
    if not (user or anonymous):
        address.refuse(f"has no user; {_advice(name, 'USER')}user=NAME")
    if not (password or file):
        address.refuse(f"has no password; {_advice(name, 'PASSWORD')}password-file=FILE")
    return Login(user, password, file)


def _variable(address: Address, name: str, what: str) -> str:
    value = os.environ.get(f"{name}_{what}", "") if name else ""
    if CONTROL.search(value):  # a password is one line in every client
        address.refuse(f"{name}_{what} has a control character, or is no UTF-8")
    return value


def _advice(name: str, what: str) -> str:
    return f"set {name}_{what}, or write " if name else "write "
