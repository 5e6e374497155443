"""Where something is to go: a name in a folder, or into the root of a volume."""

from __future__ import annotations

import os
from dataclasses import dataclass

from webhook.runner.fetch import mount
from webhook.runner.fetch.words import Fields


@dataclass(frozen=True, slots=True)
class Target:
    """`name` in `folder`; an empty name is the folder itself, which cannot be moved."""

    folder: str
    name: str

    @property
    def path(self) -> str:
        """The whole."""
        return os.path.join(self.folder, self.name) if self.name else self.folder

    def prepare(self, mode: int) -> None:
        """Makes folders that are missing above it; raises OSError."""
        missing = []
        folder = self.folder
        while folder and not os.path.isdir(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        for path in reversed(missing):
            os.mkdir(path)
            os.chmod(path, mode)


def file(fields: Fields, usual: str) -> Target:
    """The file that `to` means: in a folder it is called `usual`; raises UsageError."""
    path = _path(fields)
    if not fields.one("to").endswith("/") and not os.path.isdir(path):
        return Target(*os.path.split(path))
    if usual in ("", ".", "..") or "/" in usual:
        fields.refuse("the URL ends in no name; write to=FOLDER/NAME")
    return Target(path, usual)


def folder(fields: Fields) -> Target:
    """The folder that `to` means; raises UsageError."""
    path = _path(fields)
    if path == "/" or mount.is_root(path):
        return Target(path, "")
    return Target(*os.path.split(path))


def _path(fields: Fields) -> str:
    """Absolute, and without `..`, by which a value could lead elsewhere than its folder says."""
    to = fields.needed("to", "/etc/app/settings.yaml")
    if ".." in to.split("/"):
        fields.refuse("field 'to' has '..' in it; write where it is to go")
    return os.path.normpath(os.path.join(os.getcwd(), to))
