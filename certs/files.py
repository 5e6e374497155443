"""A bundle in a folder: `tls.crt`, `tls.key` and, where there is one, `ca.crt`.

These are the names of a Kubernetes Secret of type kubernetes.io/tls and of cert-manager.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from pathlib import Path

from certs.bundle import Bundle, CertificateError

CERTIFICATE, KEY, CA = "tls.crt", "tls.key", "ca.crt"
DATA = "..data"  # kubelet's AtomicWriter: a symlink to the folder that holds the current files
MAX_BYTES = 1024 * 1024  # a Secret holds at most 1 MiB (core/v1 MaxSecretSize)
ATTEMPTS = 5  # a guess: who writes two plain files takes milliseconds between them
PAUSE = 0.05

Signature = tuple[tuple[int, ...] | None, ...]


def read(folder: Path) -> Bundle:
    """The bundle in `folder`, all files of one moment: never a new certificate and an old key.

    A state that changes under our hands, or whose halves do not fit, is read again for up to
    ATTEMPTS x PAUSE seconds: so call it in a thread. Raises CertificateError.
    """
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE)
        try:
            return _read_once(folder)
        except CertificateError as error:
            failure = error
    raise failure


def signature(folder: Path) -> Signature:
    """What `stat` says of the files: equal as long as nobody wrote, replaced or swapped them.

    Links are followed, so that pointing `..data` elsewhere is a change of all three.
    """
    return tuple(_stat(folder / name) for name in (CERTIFICATE, KEY, CA))


def write(folder: Path, bundle: Bundle) -> None:
    """Puts `bundle` in place of what `folder` holds, in one step, the key readable by us alone.

    Done as the kubelet does (a new folder, then `..data` is pointed at it), because two files can
    only be replaced together behind one symlink. Raises CertificateError.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix="..", dir=folder))
        try:
            _replace(folder, fresh, bundle)
        except OSError:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
    except OSError as error:
        text = f"{folder}: cannot be written: {error.strerror}; choose a folder that is yours"
        raise CertificateError(text) from error


def _replace(folder: Path, fresh: Path, bundle: Bundle) -> None:
    contents = {CERTIFICATE: bundle.certificate, KEY: bundle.key, CA: bundle.ca}
    present = [name for name, content in contents.items() if content]
    for name in present:
        _write_new(fresh / name, contents[name])
    before = _target(folder / DATA)
    _point(folder / DATA, fresh.name)
    for name in present:
        _point(folder / name, f"{DATA}/{name}")
    if CA not in present:
        (folder / CA).unlink(missing_ok=True)
    if before.startswith("..") and "/" not in before:
        shutil.rmtree(folder / before, ignore_errors=True)


def _read_once(folder: Path) -> Bundle:
    before = signature(folder)
    certificate = _read_file(folder / CERTIFICATE)
    key = _read_file(folder / KEY)
    ca = _read_file(folder / CA, optional=True)
    if signature(folder) != before:
        text = f"{folder}: the files change while they are read; replace them in one step"
        raise CertificateError(text)
    try:
        return Bundle(certificate, key, ca)
    except CertificateError as error:
        text = f"{folder}: {error}"
        raise CertificateError(text) from error


def _read_file(path: Path, *, optional: bool = False) -> bytes:
    try:
        # O_NONBLOCK: a named pipe must not hold us up.
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        if optional:
            return b""
        text = f"{path}: is not there; `initject certs` makes a pair for local work"
        raise CertificateError(text) from error
    except OSError as error:
        text = f"{path}: cannot be read: {error.strerror}; check owner and mode"
        raise CertificateError(text) from error
    if len(content) > MAX_BYTES:
        text = f"{path}: holds more than {MAX_BYTES} bytes; it is no certificate or key"
        raise CertificateError(text)
    return content


def _stat(path: Path) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _write_new(path: Path, content: bytes) -> None:
    mode = stat.S_IRUSR | stat.S_IWUSR if path.name == KEY else 0o644
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _target(link: Path) -> str:
    return os.readlink(link) if link.is_symlink() else ""


def _point(link: Path, target: str) -> None:
    """Makes `link` a symlink to `target`, replacing what stands there in one step."""
    if _target(link) == target:
        return
    passing = link.with_name(f"{link.name}.new")
    passing.unlink(missing_ok=True)
    passing.symlink_to(target)
    os.replace(passing, link)
