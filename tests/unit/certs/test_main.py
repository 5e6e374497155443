from __future__ import annotations

import base64
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certs import files
from certs.authority import Authority
from certs.bundle import Bundle


def _run(folder: Path, *arguments: str, module: str = "certs") -> tuple[int, str, str]:
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def _foreign(folder: Path) -> Bundle:
    now = datetime.now(UTC)
    bundle = Authority.create(now, name="theirs").issue(["a"], now, timedelta(days=1))
    files.write(folder, bundle)
    return bundle


def test_writes_a_pair_for_localhost(tmp_path: Path) -> None:
    """Without arguments a pair for this machine lies in .local/certs, and what to do is printed."""
    status, out, err = _run(tmp_path)
    bundle = files.read(tmp_path / ".local/certs")

    assert (0, "") == (status, err)
    assert ("localhost", "127.0.0.1", "::1") == bundle.names
    assert f"caBundle: {base64.b64encode(bundle.ca).decode()}" == out.splitlines()[-1]
    assert "initject serve --cert-dir .local/certs" in out


def test_keeps_the_authoritys_key_nowhere(tmp_path: Path) -> None:
    """The only key on disk is the server's own."""
    _run(tmp_path)

    keys = [
        path
        for path in tmp_path.rglob("*")
        if path.is_file() and not path.is_symlink() and b"PRIVATE KEY" in path.read_bytes()
    ]
    assert ["tls.key"] == [path.name for path in keys]


def test_takes_names_days_and_folder(tmp_path: Path) -> None:
    """Further names stand beside this machine's, and the lifetime is as asked."""
    arguments = ("--dir", "x", "--name", "a.b.svc", "--name", "10.0.0.1", "--days", "2")
    status, _, _ = _run(tmp_path, *arguments)
    bundle = files.read(tmp_path / "x")

    assert status == 0
    assert ("localhost", "a.b.svc", "127.0.0.1", "::1", "10.0.0.1") == bundle.names
    assert timedelta(days=2, minutes=5) == bundle.not_after - bundle.not_before


def test_replaces_its_own(tmp_path: Path) -> None:
    """Run again, it writes another pair over the one that it wrote."""
    _run(tmp_path)
    first = files.read(tmp_path / ".local/certs")
    status, _, _ = _run(tmp_path)

    assert status == 0
    assert first != files.read(tmp_path / ".local/certs")


def test_leaves_what_it_did_not_make(tmp_path: Path) -> None:
    """Somebody else's pair stays, until --force says otherwise."""
    folder = tmp_path / "theirs"
    foreign = _foreign(folder)
    status, _, err = _run(tmp_path, "--dir", "theirs")

    assert status == 1
    assert "theirs holds something that this did not make; choose another --dir, or --force" in err
    assert foreign == files.read(folder)

    status, _, _ = _run(tmp_path, "--dir", "theirs", "--force")
    assert status == 0
    assert foreign != files.read(folder)


def test_leaves_a_folder_of_other_things(tmp_path: Path) -> None:
    """A folder with anything else in it is not taken for ours."""
    (tmp_path / "notes.txt").write_text("mine")

    assert _run(tmp_path, "--dir", ".")[0] == 1
    assert ["notes.txt"] == os.listdir(tmp_path)


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_writes_no_key_into_a_package(tmp_path: Path, force: tuple[str, ...]) -> None:
    """A folder inside a Python package is refused, for a build would put the key into a wheel."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    status, _, err = _run(tmp_path, "--dir", "package/keys", *force)

    assert status == 2
    assert "keys do not belong in packages" in err
    assert not (tmp_path / "package" / "keys").exists()


def test_refuses_a_name_that_is_none(tmp_path: Path) -> None:
    """What is no host name is wrong usage."""
    status, _, err = _run(tmp_path, "--name", "https://a")

    assert status == 2
    assert "'https://a' is no host name and no IP address" in err


def test_is_a_verb_of_initject(tmp_path: Path) -> None:
    """`initject certs` is the same command."""
    status, out, _ = _run(tmp_path, "certs", module="webhook")

    assert status == 0
    assert out.startswith("Wrote tls.crt, tls.key and ca.crt to .local/certs\n")
