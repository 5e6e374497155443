"""Real servers for the runner, each in a folder and on a port of its own."""

from __future__ import annotations

import glob
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

from tests import needs


@dataclass(frozen=True)
class Place:
    """A short path that a server's own user can reach, a port, and a certificate for 127.0.0.1."""

    folder: Path
    port: int
    authority: trustme.CA = field(default_factory=trustme.CA)

    @property
    def ca(self) -> Path:
        return self.folder / "ca.crt"

    def url(self, scheme: str, rest: str = "") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{rest}"

    def give(self, user: str) -> Mapping[str, Any]:
        """How a process of the server starts: some refuse to run as root."""
        if os.geteuid() != 0:
            return {"cwd": self.folder}
        for path in (self.folder, *self.folder.iterdir()):
            shutil.chown(path, user)
        return {"cwd": self.folder, "user": user}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as folder:
        found = Place(Path(folder), free_port())
        found.authority.cert_pem.write_to_path(found.ca)
        issued = found.authority.issue_cert("127.0.0.1")
        issued.private_key_pem.write_to_path(found.folder / "tls.key")
        (found.folder / "tls.key").chmod(0o600)
        for number, blob in enumerate(issued.cert_chain_pems):
            blob.write_to_path(found.folder / "tls.crt", append=number > 0)
        yield found


@contextmanager
def running(command: Sequence[object], **how: Any) -> Iterator[None]:
    words = [str(word) for word in command]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **how)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def redis(where: Place, *options: str) -> Iterator[None]:
    program = needs.program("redis-server", how="apt-get install redis-server")
    wanted = ["--port", where.port, "--bind", "127.0.0.1", "--save", "", *options]
    with running([program, *wanted], cwd=where.folder):
        yield


@contextmanager
def postgres(where: Place, access: str = "host all all all scram-sha-256\n") -> Iterator[None]:
    """With the user `postgres` and the password `x`; `access` is pg_hba.conf for TCP."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    initdb = shutil.which("initdb", path=f"{':'.join(found)}:{os.environ['PATH']}")
    if not initdb:
        initdb = needs.leave_out("initdb", "apt-get install postgresql")
    (where.folder / "password").write_text("x\n")
    how, data = where.give("postgres"), where.folder / "data"
    words: list[str | Path] = [initdb, "-D", data, "--auth-host=scram-sha-256", "--no-sync"]
    words += ["--auth-local=trust", f"--pwfile={where.folder / 'password'}", "--username=postgres"]
    subprocess.run(words, check=True, capture_output=True, **how)
    (data / "pg_hba.conf").write_text(f"local all all trust\n{access}")
    options = ["-D", data, "-p", where.port, "-k", where.folder, "-h", "127.0.0.1", "-F"]
    for setting in ("ssl=on", "ssl_cert_file=../tls.crt", "ssl_key_file=../tls.key"):
        options += ["-c", setting]
    with running([Path(initdb).with_name("postgres"), *options], **how):
        yield


def in_postgres(where: Place, statements: str) -> None:
    """Runs SQL as the administrator."""
    psql = needs.program("psql", how="apt-get install postgresql")
    words = [psql, "-h", str(where.folder), "-p", str(where.port), "-U", "postgres", "-qX"]
    subprocess.run([*words, "-v", "ON_ERROR_STOP=1", "-c", statements], check=True)


@contextmanager
def mariadb(where: Place, statements: Sequence[str] = ()) -> Iterator[None]:
    """With TLS, and the users that `statements` make."""
    how_to = "apt-get install mariadb-server"
    server = needs.program("mariadbd", how=how_to)
    install = needs.program("mariadb-install-db", how=how_to)
    (where.folder / "init.sql").write_text("".join(f"{line};\n" for line in statements))
    how, data = where.give("mysql"), where.folder / "data"
    made = [
        "--no-defaults",
        f"--datadir={data}",
        "--skip-test-db",
        "--auth-root-authentication-method=normal",
    ]
    subprocess.run([install, *made], check=True, capture_output=True, **how)
    options = ["--no-defaults", f"--datadir={data}", f"--port={where.port}"]
    options += ["--bind-address=127.0.0.1", f"--socket={where.folder / 'socket'}"]
    options += [f"--init-file={where.folder / 'init.sql'}", "--skip-name-resolve"]
    options += [f"--ssl-cert={where.folder / 'tls.crt'}", f"--ssl-key={where.folder / 'tls.key'}"]
    with running([server, *options], **how):
        yield


JARS, SOURCES = needs.CACHE / "recipes", Path(__file__).parents[1] / "cluster" / "java"


def java(program: str) -> list[object]:
    """The command of a Java program that recipes.sh has fetched."""
    jars = needs.file(JARS / program / "lib", how="make cluster fetches it")
    command = needs.program("java", how="apt-get install openjdk-17-jdk-headless")
    return [command, "-Xmx256m", "-cp", f"{jars}/*"]


@contextmanager
def mongodb(where: Place) -> Iterator[None]:
    """A server from memory."""
    with running([*java("mongo"), SOURCES / "mongo" / "Mongo.java", where.port]):
        yield


@contextmanager
def kafka(where: Place) -> Iterator[None]:
    """One broker, which is its own controller."""
    controller = f"127.0.0.1:{free_port()}"
    listeners = f"PLAINTEXT://127.0.0.1:{where.port},CONTROLLER://{controller}"
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": listeners,
        "log.dirs": where.folder / "data",
        "offsets.topic.replication.factor": 1,
    }
    file = where.folder / "server.properties"
    file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    identity = ["-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", file]
    formatting = [*java("kafka"), "kafka.tools.StorageTool", "format", *identity]
    subprocess.run(list(map(str, formatting)), check=True, capture_output=True)
    with running([*java("kafka"), "kafka.Kafka", file], cwd=where.folder):
        yield


@contextmanager
def rabbitmq(where: Place) -> Iterator[None]:
    """One node, with a port mapper of its own."""
    server = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    if not server.exists():
        needs.leave_out("rabbitmq-server", "apt-get install rabbitmq-server")
    mapper = str(free_port())
    variables = {
        **os.environ,
        "HOME": str(where.folder),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": mapper,
        "RABBITMQ_NODENAME": "test@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(where.port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_CONF_ENV_FILE": str(where.folder / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(where.folder / "plugins"),
        "RABBITMQ_LOG_BASE": str(where.folder / "log"),
        "RABBITMQ_MNESIA_BASE": str(where.folder / "data"),
    }
    try:
        with running([server], cwd=where.folder, env=variables):
            yield
    finally:
        subprocess.run(["epmd", "-kill"], env=variables, check=False, capture_output=True)
