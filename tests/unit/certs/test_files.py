from __future__ import annotations

import os
import shutil
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certs import files
from certs.authority import Authority
from certs.bundle import Bundle, CertificateError

NOW = datetime.now(UTC)
CA = Authority.create(NOW)


def _bundle() -> Bundle:
    return CA.issue(["a"], NOW, timedelta(days=1))


def _plain(folder: Path, bundle: Bundle) -> None:
    """As a person copies them: three files, one after the other."""
    folder.mkdir(exist_ok=True)
    (folder / "tls.crt").write_bytes(bundle.certificate)
    (folder / "tls.key").write_bytes(bundle.key)
    (folder / "ca.crt").write_bytes(bundle.ca)


def _refused(folder: Path) -> str:
    with pytest.raises(CertificateError) as caught:
        files.read(folder)
    return str(caught.value)


def test_reads_what_it_wrote(tmp_path: Path) -> None:
    """A written bundle is read back, and so is the one that replaces it."""
    one, other = _bundle(), _bundle()

    files.write(tmp_path / "new" / "folder", one)
    assert one == files.read(tmp_path / "new" / "folder")

    files.write(tmp_path / "new" / "folder", other)
    assert other == files.read(tmp_path / "new" / "folder")


def test_leaves_nothing_of_the_old_pair(tmp_path: Path) -> None:
    """After a second writing only the files in force are there."""
    files.write(tmp_path, _bundle())
    files.write(tmp_path, _bundle())

    names = sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith(".."))
    folders = [path for path in tmp_path.iterdir() if path.is_dir() and not path.is_symlink()]
    assert ["ca.crt", "tls.crt", "tls.key"] == names
    assert len(folders) == 1


def test_a_bundle_without_ca_takes_the_old_ca_away(tmp_path: Path) -> None:
    """What the new bundle does not have is not left over from the old one."""
    bundle = _bundle()
    files.write(tmp_path, bundle)
    files.write(tmp_path, Bundle(bundle.certificate, bundle.key))

    assert files.read(tmp_path).ca == b""
    assert not (tmp_path / "ca.crt").is_symlink()


def test_the_key_is_for_us_alone(tmp_path: Path) -> None:
    """Nobody else can read the key, whatever the umask."""
    before = os.umask(0)
    try:
        files.write(tmp_path / "folder", _bundle())
    finally:
        os.umask(before)

    assert (tmp_path / "folder" / "tls.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o700


def test_replaces_plain_files(tmp_path: Path) -> None:
    """Files that somebody put there by hand are replaced."""
    bundle = _bundle()
    _plain(tmp_path, _bundle())

    files.write(tmp_path, bundle)

    assert bundle == files.read(tmp_path)


def test_reads_plain_files(tmp_path: Path) -> None:
    """A folder without any link is read too; the CA may be missing."""
    bundle = _bundle()
    _plain(tmp_path, bundle)
    assert bundle == files.read(tmp_path)

    (tmp_path / "ca.crt").unlink()
    assert Bundle(bundle.certificate, bundle.key) == files.read(tmp_path)


def test_waits_for_the_second_of_two_plain_files(tmp_path: Path) -> None:
    """While only the certificate is replaced, reading waits a moment for its key."""
    bundle = _bundle()
    _plain(tmp_path, _bundle())
    (tmp_path / "tls.crt").write_bytes(bundle.certificate)
    timer = threading.Timer(0.1, (tmp_path / "tls.key").write_bytes, [bundle.key])
    timer.start()

    assert bundle.certificate == files.read(tmp_path).certificate
    timer.join()


def test_never_mixes_two_pairs(tmp_path: Path) -> None:
    """However often the kubelet's way replaces the pair, each reading is of one moment."""
    pairs = [Authority.create(NOW).issue(["a"], NOW, timedelta(days=1)) for _ in range(4)]
    files.write(tmp_path, pairs[0])
    stop = threading.Event()

    def replace() -> None:
        while not stop.is_set():
            for pair in pairs:
                files.write(tmp_path, pair)

    writer = threading.Thread(target=replace)
    writer.start()
    found: set[Bundle] = set()
    try:
        while not found >= set(pairs):
            found |= {files.read(tmp_path) for _ in range(150)}
    finally:
        stop.set()
        writer.join()

    assert found == set(pairs)


def test_reads_a_mounted_secret(tmp_path: Path) -> None:
    """The kubelet's layout, `tls.crt -> ..data/tls.crt`, is followed through its swap."""
    one, other = _bundle(), _bundle()
    _plain(tmp_path / "..2026_11_24_1", one)
    (tmp_path / "..data").symlink_to("..2026_11_24_1")
    for name in ("tls.crt", "tls.key", "ca.crt"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    assert one == files.read(tmp_path)

    before = files.signature(tmp_path)
    _plain(tmp_path / "..2026_11_24_2", other)
    (tmp_path / "..data_tmp").symlink_to("..2026_11_24_2")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")
    shutil.rmtree(tmp_path / "..2026_11_24_1")

    assert other == files.read(tmp_path)
    assert before != files.signature(tmp_path)


def test_says_which_file_is_missing(tmp_path: Path) -> None:
    """A missing file is named, with a way to get one."""
    bundle = _bundle()
    (tmp_path / "tls.crt").write_bytes(bundle.certificate)

    advice = "`initject certs` makes a pair for local work"
    assert f"{tmp_path}/tls.key: is not there; {advice}" == _refused(tmp_path)


def test_says_that_the_folder_is_missing(tmp_path: Path) -> None:
    """A folder that is not there is named, with the file that it should hold."""
    assert _refused(tmp_path / "no").startswith(f"{tmp_path}/no/tls.crt: is not there; ")


def test_names_the_folder_of_a_bad_pair(tmp_path: Path) -> None:
    """A pair that does not fit is refused with its folder."""
    _plain(tmp_path, _bundle())
    (tmp_path / "tls.key").write_bytes(_bundle().key)

    assert _refused(tmp_path).startswith(f"{tmp_path}: the key does not fit the certificate; ")


def test_refuses_a_large_file(tmp_path: Path) -> None:
    """What is larger than a Secret can be is not read."""
    _plain(tmp_path, _bundle())
    (tmp_path / "ca.crt").write_bytes(b" " * (1024 * 1024 + 1))

    advice = "it is no certificate or key"
    assert f"{tmp_path}/ca.crt: holds more than 1048576 bytes; {advice}" == _refused(tmp_path)


def test_is_not_held_up_by_a_pipe(tmp_path: Path) -> None:
    """A named pipe in place of a file is refused at once."""
    _plain(tmp_path, _bundle())
    (tmp_path / "tls.key").unlink()
    os.mkfifo(tmp_path / "tls.key")

    assert "the key cannot be read" in _refused(tmp_path)


def test_says_where_it_cannot_write(tmp_path: Path) -> None:
    """A folder that cannot be made is named."""
    (tmp_path / "file").write_text("")

    with pytest.raises(CertificateError, match="cannot be written: Not a directory"):
        files.write(tmp_path / "file" / "certs", _bundle())
