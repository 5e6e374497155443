"""Signatures of minisign, those that this test makes and those of minisign itself."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests import needs
from tests.runner import shop

BODY = b"colour: green\n" * 1000
NUMBER = b"\x01\x02\x03\x04\x05\x06\x07\x08"
PRIVATE = Ed25519PrivateKey.generate()
PUBLIC = PRIVATE.public_key().public_bytes_raw()


def line(*parts: bytes) -> str:
    return base64.b64encode(b"".join(parts)).decode()


KEY = line(b"Ed", NUMBER, PUBLIC)


def signed(
    body: bytes, *, hashed: bool = True, comment: bytes = b"file:x", **other: bytes
) -> bytes:
    """A signature's file; `other` has what is to be wrong."""
    what = hashlib.blake2b(body).digest() if hashed else body
    signature = PRIVATE.sign(what)
    overall = PRIVATE.sign(signature + other.get("signed", comment))
    lines = [
        "untrusted comment: anything",
        line(other.get("kind", b"ED" if hashed else b"Ed"), other.get("number", NUMBER), signature),
        f"trusted comment: {comment.decode()}",
        line(overall),
    ]
    return "\n".join(lines).encode() + b"\n"


def got(tmp_path: Path, body: bytes, signature: bytes, *words: str) -> str:
    routes = {"/file": shop.fine(body), "/file.minisig": shop.fine(signature)}
    with shop.open_shop(routes) as server:
        said = shop.attempt(server.url(), f"{tmp_path}/x", f"minisign-key={KEY}", *words)
    assert (tmp_path / "x").exists() == said.endswith(f"to {tmp_path}/x")
    return said


@pytest.mark.parametrize("hashed", [True, False])
@pytest.mark.parametrize("body", [BODY, b""])
def test_a_file_that_is_signed_comes(body: bytes, hashed: bool, tmp_path: Path) -> None:
    """Signed itself, or by its hash."""
    said = got(tmp_path, body, signed(body, hashed=hashed))

    assert said.endswith(f", signature verified, to {tmp_path}/x")
    assert body == (tmp_path / "x").read_bytes()


WRONG = [
    (BODY + b"x", signed(BODY), "the signature is wrong"),
    (BODY + b"x", signed(BODY, hashed=False), "the signature is wrong"),
    (BODY, signed(BODY, signed=b"file:y"), "the signature is wrong"),
    (BODY, signed(BODY, kind=b"Ed"), "the signature is wrong"),
    (BODY, signed(BODY, number=b"\x09" * 8), "the signature is of another key, 0909090909090909,"
     " not 0807060504030201"),
    (BODY, signed(BODY, kind=b"XX"), "the signature is none of minisign"),
    (BODY, signed(BODY)[:-20], "the signature is none of minisign"),
    (BODY, b"hello", "the signature is none of minisign"),
    (BODY, b"", "the signature is none of minisign"),
    (BODY, b"x" * 20_000, "is larger than max-size, 16 KiB"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "signature", "why"), WRONG, ids=range(len(WRONG)))
def test_a_file_with_a_wrong_signature_does_not(
    body: bytes, signature: bytes, why: str, tmp_path: Path
) -> None:
    """Changed, of another key, with another comment, or no signature at all."""
    assert f"failed: {why}" == got(tmp_path, body, signature)


def test_a_missing_signature_is_told(tmp_path: Path) -> None:
    """Before the file is fetched."""
    with shop.open_shop({"/file": shop.fine(BODY)}) as server:
        words = (server.url(), f"{tmp_path}/x", f"minisign-key={KEY}")
        said = shop.attempt(*words)
        further = shop.attempt(*words, f"minisign-url={server.url('/signature')}")

    assert "failed: status 404" == said == further
    assert ["/file.minisig", "/signature"] == server.paths


@pytest.mark.parametrize("legacy", [[], ["-l"]])
def test_what_minisign_signs_is_verified(legacy: list[str], tmp_path: Path) -> None:
    """By the program itself."""
    program = needs.program("minisign", how="apt-get install minisign")
    file, public, secret = (tmp_path / name for name in ("file", "key.pub", "key"))
    file.write_bytes(BODY)
    for command in (
        ["-G", "-W", "-p", public, "-s", secret],
        ["-S", *legacy, "-s", secret, "-m", file, "-t", "of a test"],
    ):
        subprocess.run(
            [program, *command], check=True, capture_output=True, stdin=subprocess.DEVNULL
        )
    signature = (tmp_path / "file.minisig").read_bytes()
    with shop.open_shop(
        {"/file": shop.fine(BODY), "/file.minisig": shop.fine(signature)}
    ) as server:
        key = public.read_text().splitlines()[1]
        said = shop.attempt(server.url(), f"{tmp_path}/x", f"minisign-key={key}")

    assert said.endswith(f", signature verified, to {tmp_path}/x")


def test_minisign_verifies_what_this_test_signs(tmp_path: Path) -> None:
    """So what is said here of signatures is what they are."""
    program = needs.program("minisign", how="apt-get install minisign")
    for hashed in (True, False):
        (tmp_path / "file").write_bytes(BODY)
        (tmp_path / "file.minisig").write_bytes(signed(BODY, hashed=hashed))
        call = [program, "-V", "-P", KEY, "-m", tmp_path / "file"]

        assert 0 == subprocess.run(call, capture_output=True, check=False).returncode
