"""Real servers for the runner: what each is, ready to be started in a place of its own."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests import needs
from tests.runner.places import Place, Program


def words(*command: object) -> list[str]:
    return [str(word) for word in command]


def redis(where: Place, *options: str) -> Program:
    program = needs.program("redis-server", how="apt-get install redis-server")
    wanted = ["--port", where.port, "--bind", where.host, "--save", ""]
    wanted += ["--protected-mode", "no"]  # else whoever comes from another machine is refused
    return Program(where, words(program, *wanted, *options))


def postgres(where: Place, access: str = "host all all all scram-sha-256\n") -> Program:
    """With the user `postgres` and the password `x`; `access` is pg_hba.conf for TCP."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    initdb = shutil.which("initdb", path=f"{':'.join(found)}:{os.environ['PATH']}")
    if not initdb:
        initdb = needs.leave_out("initdb", "apt-get install postgresql")
    (where.folder / "password").write_text("x\n")
    user, data = where.give("postgres"), where.folder / "data"
    made = words(initdb, "-D", data, "--auth-host=scram-sha-256", "--no-sync")
    made += ["--auth-local=trust", f"--pwfile={where.folder / 'password'}", "--username=postgres"]
    subprocess.run(made, check=True, capture_output=True, cwd=where.folder, user=user)
    (data / "pg_hba.conf").write_text(f"local all all trust\n{access}")
    options = ["-D", data, "-p", where.port, "-k", where.folder, "-h", where.host, "-F"]
    for setting in ("ssl=on", "ssl_cert_file=../tls.crt", "ssl_key_file=../tls.key"):
        options += ["-c", setting]
    return Program(where, words(Path(initdb).with_name("postgres"), *options), user)


def in_postgres(where: Place, statements: str) -> None:
    """Runs SQL as the administrator."""
    psql = needs.program("psql", how="apt-get install postgresql")
    command = words(psql, "-h", where.folder, "-p", where.port, "-U", "postgres", "-qX")
    subprocess.run([*command, "-v", "ON_ERROR_STOP=1", "-c", statements], check=True)


def mariadb(where: Place, statements: Sequence[str] = ()) -> Program:
    """With TLS, and the users that `statements` make."""
    how_to = "apt-get install mariadb-server"
    server = needs.program("mariadbd", how=how_to)
    install = needs.program("mariadb-install-db", how=how_to)
    (where.folder / "init.sql").write_text("".join(f"{line};\n" for line in statements))
    user, data = where.give("mysql"), where.folder / "data"
    made = [
        "--no-defaults",
        f"--datadir={data}",
        "--skip-test-db",
        "--auth-root-authentication-method=normal",
    ]
    subprocess.run([install, *made], check=True, capture_output=True, cwd=where.folder, user=user)
    options = ["--no-defaults", f"--datadir={data}", f"--port={where.port}"]
    options += [f"--bind-address={where.host}", f"--socket={where.folder / 'socket'}"]
    options += [f"--init-file={where.folder / 'init.sql'}", "--skip-name-resolve"]
    options += [f"--ssl-cert={where.folder / 'tls.crt'}", f"--ssl-key={where.folder / 'tls.key'}"]
    return Program(where, [server, *options], user)


JARS, SOURCES = needs.CACHE / "recipes", Path(__file__).parents[1] / "cluster" / "java"


def java(program: str) -> list[str]:
    """The command of a Java program that recipes.sh has fetched."""
    jars = needs.file(JARS / program, how="make cluster fetches it") / "lib"
    command = needs.program("java", how="apt-get install openjdk-17-jdk-headless")
    return [command, "-Xmx256m", "-cp", f"{jars}/*"]


def mongodb(where: Place) -> Program:
    """A server from memory."""
    source = SOURCES / "mongo" / "Mongo.java"
    return Program(where, words(*java("mongo"), source, where.host, where.port))


def kafka(where: Place) -> Program:
    """One broker, which is its own controller."""
    controller = f"127.0.0.1:{where.spare()}"
    listeners = f"PLAINTEXT://{where.host}:{where.port},CONTROLLER://{controller}"
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
    formatting = words(*java("kafka"), "kafka.tools.StorageTool", "format", *identity)
    subprocess.run(formatting, check=True, capture_output=True)
    return Program(where, words(*java("kafka"), "kafka.Kafka", file))


def rabbitmq(where: Place) -> Program:
    """One node, with a port mapper of its own."""
    server = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    if not server.exists():
        needs.leave_out("rabbitmq-server", "apt-get install rabbitmq-server")
    variables = {
        "HOME": str(where.folder),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(where.spare()),
        "RABBITMQ_NODENAME": "test@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": where.host,
        "RABBITMQ_NODE_PORT": str(where.port),
        "RABBITMQ_DIST_PORT": str(where.spare()),
        "RABBITMQ_CONF_ENV_FILE": str(where.folder / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(where.folder / "plugins"),
        "RABBITMQ_LOG_BASE": str(where.folder / "logs"),
        "RABBITMQ_MNESIA_BASE": str(where.folder / "data"),
    }
    return Program(where, [str(server)], environment=variables, after=["epmd", "-kill"])


def etcd(where: Place) -> Program:
    """One member; its health service is gRPC's."""
    program = needs.program("etcd", how="apt-get install etcd-server")
    client, peer = where.url("http"), f"http://127.0.0.1:{where.spare()}"
    options = ["--listen-client-urls", client, "--advertise-client-urls", client]
    options += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
    options += ["--initial-cluster", f"default={peer}", "--data-dir", "data"]
    return Program(where, [program, *options])
