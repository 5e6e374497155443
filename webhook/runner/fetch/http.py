"""`http`: a file of a server, proven, and unpacked where that is asked for."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass, replace
from typing import BinaryIO, cast
from urllib.parse import unquote

from webhook.errors import UsageError
from webhook.runner import address, words
from webhook.runner.address import Address
from webhook.runner.deadline import Deadline
from webhook.runner.fetch import download, minisign, proof, redirect, settle, size, stage, target
from webhook.runner.fetch.order import Order
from webhook.runner.fetch.stage import Stage
from webhook.runner.fetch.target import Target
from webhook.runner.fetch.tree import CHUNK, Bounds, Tree
from webhook.runner.fetch.words import Fields

_PARTS = ("host", "port", "path", "query")  # of the place, where it is not written as a URL
_PROOFS = ("sha256", "minisign-key", "unverified")
_FIELDS = (
    *("url", *_PARTS, "to", *_PROOFS, "minisign-url", "header-env", "ca", "redirects", "max-size"),
    *("unpack", "strip", "replace", "max-unpacked", "max-entries", "mode", "dir-mode"),
)
_OF_ARCHIVES = ("strip", "replace", "max-unpacked", "max-entries")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([A-Za-z_][A-Za-z0-9_]*)")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]+")
_OURS = ("host", "content-length", "transfer-encoding", "connection")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is fetched, how it is proven, and what becomes of it."""

    place: Address
    way: download.Way
    to: Target
    sha256: str
    key: minisign.Key | None
    signature: Address
    most: int
    unpack: str
    strip: int
    replace: bool
    bounds: Bounds


def read(fields: Fields, stall: float) -> Order:
    """From its fields; raises UsageError."""
    fields.know(*_FIELDS)
    wanted = _wanted(fields, stall)

    def attempt(deadline: Deadline) -> str:
        counted: list[int] = []
        with stage.told(wanted.to.path, counted):
            if said := _there(wanted):
                return said
            wanted.to.prepare(wanted.bounds.folder)
            with stage.beside(wanted.to.folder, wanted.to.name) as beside:
                return _fetch(wanted, beside, deadline, counted)

    return Order(str(wanted.place), attempt)


def _fetch(wanted: _Wanted, beside: Stage, deadline: Deadline, counted: list[int]) -> str:
    reading = _reading(wanted, deadline)
    with beside.file("body") as file:

        def put(data: bytes) -> None:
            file.write(data)
            reading.put(data)
            counted.append(len(data))

        told = isinstance(reading, proof.Unverified)
        count = download.get(wanted.place, wanted.way, wanted.most, deadline, put, told=told)
        proven = f"{size.written(count)}, {reading.end(file)}"
        if wanted.unpack == "none":
            os.fchmod(file.fileno(), wanted.bounds.mode)
            file.flush()
            os.fsync(file.fileno())
            settle.file(beside, "body", wanted.to.name)
            return f"{proven}, to {wanted.to.path}"
        written = _unpack(wanted, beside, file, deadline)
    return f"{proven}, {written} to {wanted.to.path}"


def _unpack(wanted: _Wanted, beside: Stage, file: BinaryIO, deadline: Deadline) -> str:
    if wanted.unpack == "tar":
        from webhook.runner.fetch.tar import unpack
    else:
        from webhook.runner.fetch.zip import unpack
    file.seek(0)
    with beside.new("tree") as root:
        tree = Tree(root, wanted.bounds, deadline)
        unpack(file, wanted.strip, tree)
        tree.end()
    settle.folder(beside, "tree", wanted.to.name, replace=wanted.replace)
    return f"{tree.files} files with {size.written(tree.written)}"


def _there(wanted: _Wanted) -> str:
    """What is said when an earlier run has left the file, proven by its checksum; or nothing."""
    if not wanted.sha256 or wanted.unpack != "none":
        return ""
    try:
        found = os.open(wanted.to.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    with os.fdopen(found, "rb") as file:
        status = os.fstat(found)
        if not stat.S_ISREG(status.st_mode) or status.st_size > wanted.most:
            return ""
        known = hashlib.sha256()
        while data := file.read(CHUNK):
            known.update(data)
    if known.hexdigest() != wanted.sha256 or stat.S_IMODE(status.st_mode) != wanted.bounds.mode:
        return ""
    return f"{size.written(status.st_size)}, sha256 verified, was there before, at {wanted.to.path}"


def _reading(wanted: _Wanted, deadline: Deadline) -> proof.Reading:
    if wanted.sha256:
        return proof.Digest(wanted.sha256)
    if not wanted.key:
        return proof.Unverified()
    text = bytearray()
    most = minisign.MAX_SIGNATURE
    download.get(wanted.signature, wanted.way, most, deadline, text.extend, told=False)
    return proof.Signature(wanted.key, minisign.signature(bytes(text)))


def _wanted(fields: Fields, stall: float) -> _Wanted:
    place = _asked(fields)
    unpack = fields.choice("unpack", "none", "tar", "zip")
    if unpack == "none":
        for name in _OF_ARCHIVES:
            if fields.every(name):
                fields.refuse(f"field {name!r} is for archives; add unpack=tar or unpack=zip")
        to = target.file(fields, unquote(place.path.rpartition("/")[2]))
    else:
        to = target.folder(fields)
    redirects = fields.choice("redirects", "same-host", "any", "none")
    way = download.Way(
        _headers(fields), _ca(fields, place), cast("redirect.Redirects", redirects), stall
    )
    _one_proof(fields)
    return _Wanted(
        place,
        way,
        to,
        _sha256(fields),
        _key(fields),
        _signature(fields, place),
        fields.size("max-size", "100Mi"),
        unpack,
        fields.count("strip", 0),
        fields.switch("replace"),
        Bounds(
            fields.size("max-unpacked", "1Gi"),
            fields.count("max-entries", 10_000, 1),
            fields.mode("mode", "0644", 0o400),
            fields.mode("dir-mode", "0755", 0o700),
        ),
    )


def _asked(fields: Fields) -> Address:
    """What a URL says, or its parts, each of which stays what it is (see `words`)."""
    said = tuple((name, value) for name in _PARTS for value in fields.every(name))
    if not said:
        return _place(fields, fields.needed("url", "https://config.internal/app.yaml"))
    if fields.every("url"):
        fields.refuse(f"url says it whole; leave out {', '.join(dict(said))}")
    return words.parse(words.Group(fields.source, said))


def _place(fields: Fields, url: str) -> Address:
    try:
        place = address.parse(url)
    except UsageError as error:
        fields.refuse(str(error))
    if "#" in url:
        fields.refuse(f"{place}: has a #; leave it out, fields say what is more to say")
    if place.scheme not in ("http", "https"):
        fields.refuse(f"{place}: is not http or https")
    return place


def _one_proof(fields: Fields) -> None:
    written = [name for name in _PROOFS if fields.one(name) not in ("", "false")]
    if len(written) != 1:
        fields.refuse("write one of sha256=HEX, minisign-key=KEY and unverified=true")
    fields.switch("unverified")
    if fields.every("minisign-url") and "minisign-key" not in written:
        fields.refuse("field 'minisign-url' is for a signature; add minisign-key=KEY")


def _sha256(fields: Fields) -> str:
    value = fields.one("sha256").lower()
    if value and not re.fullmatch(r"[0-9a-f]{64}", value):
        fields.refuse("field 'sha256' is no SHA-256; write its 64 hexadecimal digits")
    return value


def _key(fields: Fields) -> minisign.Key | None:
    value = fields.one("minisign-key")
    if not value:
        return None
    try:
        return minisign.key(value)
    except ValueError as error:
        fields.refuse(f"field 'minisign-key' {error}")


def _signature(fields: Fields, place: Address) -> Address:
    value = fields.one("minisign-url")
    return _place(fields, value) if value else replace(place, path=f"{place.path}.minisig")


def _ca(fields: Fields, place: Address) -> str:
    """The file, after a look at whether it is one."""
    file = fields.one("ca")
    if file:
        from webhook.runner import trust

        trust.read(replace(place, options=(("ca", file),)))
    return file


def _headers(fields: Fields) -> dict[str, str]:
    headers = {}
    for text in fields.every("header-env"):
        found = _HEADER.fullmatch(text)
        if not found or found[1].lower() in _OURS:
            fields.refuse("field 'header-env' is none; write header-env=Authorization:VARIABLE")
        value = os.environ.get(found[2], "").strip()
        if not _VALUE.fullmatch(value) or not value.isascii():  # not quoted: it is a secret
            fields.refuse(f"the variable {found[2]} is not set, or holds what no header may have")
        headers[found[1]] = value
    return headers
