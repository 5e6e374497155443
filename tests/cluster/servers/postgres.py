"""PostgreSQL, from Debian's package."""

from __future__ import annotations

import glob
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.nodes import Node
from tests.cluster.servers import server
from tests.cluster.servers.database import NAME, PASSWORD, USER, Database

ACCOUNT = "postgres"  # it refuses to run as root
PORT = 5432


def binary(name: str) -> str:
    return server.program(name, "postgresql", *sorted(glob.glob("/usr/lib/postgresql/*/bin")))


@contextmanager
def template() -> Iterator[Path]:
    """The data of a server on which our user and our database exist: two seconds of work, once."""
    with tempfile.TemporaryDirectory(prefix="initject-postgres-") as top:
        shutil.chown(top, ACCOUNT, ACCOUNT)
        word = Path(top) / "password"
        word.write_text(f"{PASSWORD}\n")
        shutil.chown(word, ACCOUNT)
        data = Path(top) / "data"
        ways = ["--auth-host=scram-sha-256", "--auth-local=trust", "--no-sync"]
        run([binary("initdb"), f"-D{data}", f"--username={USER}", f"--pwfile={word}", *ways])
        single = [binary("postgres"), "--single", "-D", str(data), "-F", "postgres"]
        run(single, given=f"create database {NAME}")
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all all scram-sha-256\n")
        yield data


def run(command: list[str], given: str = "") -> None:
    done = subprocess.run(
        ["setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups", *command],
        input=given,
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def prepared(node: Node, data: Path) -> Iterator[Database]:
    """A database of a server of its own, not started yet; `data` is that of `template`."""
    with server.home("postgres", ACCOUNT) as folder:
        subprocess.run(["cp", "--archive", str(data), str(folder / "data")], check=True)
        options = [
            "-D",
            str(folder / "data"),
            "-h",
            server.HOST,
            "-p",
            str(PORT),
            "-k",
            str(folder),
            "-F",
        ]
        psql = [server.program("psql", "postgresql"), "-XAtqF", "\t", "-v", "ON_ERROR_STOP=1"]
        where = ["-h", server.HOST, "-p", str(PORT), "-U", USER, "-d", NAME]
        variables = {"PGPASSWORD": PASSWORD, "PGCONNECT_TIMEOUT": "5"}

        def answers() -> bool:
            return one.attempt(*psql, *where, "-c", "select 1", variables=variables).returncode == 0

        def client(statement: str) -> str:
            return one.ask(*psql, *where, "-c", statement, variables=variables)

        one = server.Server(
            node,
            "postgres",
            PORT,
            folder,
            [binary("postgres"), *options],
            answers,
            user=ACCOUNT,
        )
        with server.ending(one):
            yield Database(one, client)
