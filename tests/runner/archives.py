"""Archives made by hand, right ones and others."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from collections.abc import Iterable
from typing import Any

Member = tuple[str, Any]  # a name, and content, or what a TarInfo is given


def tar(members: Iterable[Member], how: str = "w", **options: Any) -> bytes:
    """Content as text is a file; a dict is for TarInfo, with `data`."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=how, **options) as archive:  # type: ignore[call-overload]
        for name, what in members:
            info = tarfile.TarInfo(name)
            given = {"data": what, "mode": 0o644} if isinstance(what, str) else dict(what)
            data = given.pop("data", "").encode()
            info.size = len(data)
            for key, value in given.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def folder(name: str) -> Member:
    return name, {"type": tarfile.DIRTYPE, "mode": 0o700}


def link(name: str, to: str) -> Member:
    return name, {"type": tarfile.SYMTYPE, "linkname": to}


def same(name: str, to: str) -> Member:
    return name, {"type": tarfile.LNKTYPE, "linkname": to}


def zipped(
    members: Iterable[tuple[str, str | bytes, int]], how: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """Name, content and Unix mode with its type."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as archive:
        for name, content, mode in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = how
            archive.writestr(info, content)
    return out.getvalue()


def patched(archive: bytes, offset_in_entry: int, value: int) -> bytes:
    """A zip whose entries have 16 bits changed, here and in the table of contents."""
    data = bytearray(archive)
    for signature, further in ((b"PK\x03\x04", 0), (b"PK\x01\x02", 2)):
        at = data.find(signature)
        while at >= 0:
            struct.pack_into("<H", data, at + offset_in_entry + further, value)
            at = data.find(signature, at + 4)
    return bytes(data)
