"""`initject serve`: start, reload, readiness, stop, as a process."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from certs import files
from tests.server import door, process
from tests.server.process import POLICY, Served, client, serving, started, wait_until
from webhook.settings import Settings

FAILED = 'initject_source_reads_total{result="failure",source="%s"}'


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as it:
        yield it


def finished(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """The exit status and the text of a process that ends by itself."""
    it = started(folder, *arguments, **environment)
    status = it.process.wait(60)
    it.close()
    return status, it.text


# starting


def test_one_line_says_that_it_is_ready(served: Served) -> None:
    """Where it serves, how many policies, which namespaces, where health is; and it is true."""
    line = f"initject: ready on {served.url} (1 policy, inject all, health on {served.health})"

    assert [line] == served.lines
    assert ["ok\n", "ok\n"] == [
        httpx.get(f"{served.health}/{p}").text for p in ("healthz", "readyz")
    ]
    with client() as it:
        assert ["first"] == served.steps(it)


def test_metrics_count_the_reviews(served: Served) -> None:
    """The conventional names and ours are on the health port."""
    with client() as it:
        served.steps(it)

    assert 1 == served.count(
        'controller_runtime_webhook_requests_total{code="200",webhook="/mutate"}'
    )
    assert 1 == served.count('initject_injections_total{policy="first"}')
    assert 1 == served.count("initject_ready")


def test_the_health_port_serves_nothing_else(served: Served) -> None:
    """No reviews on the plain port, no other methods."""
    assert [404, 404, 405] == [
        httpx.post(f"{served.health}/mutate", content=door.review()).status_code,
        httpx.get(f"{served.health}/docs").status_code,
        httpx.post(f"{served.health}/readyz").status_code,
    ]


def test_self_signed_leaves_a_ca_that_clients_trust(tmp_path: Path) -> None:
    """`--self-signed` needs nothing, and says where the CA is; the key is nowhere."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY % ("first", "first"))
    flags = ["--policies", "policy.yaml", "--self-signed", "--port", "0", "--health-port", "0"]
    it = started(tmp_path, *flags)
    try:
        wait_until(lambda: bool(process.READY.search(it.text)))
        found = process.READY.search(it.text)
        assert found
        ca = tmp_path / ".local" / "self-signed" / "ca.crt"
        trusting = ssl.create_default_context(cafile=ca)
        url = found[1].replace("127.0.0.1", "localhost")
        assert 405 == httpx.get(f"{url}/mutate", verify=trusting).status_code
        assert [ca] == [path for path in tmp_path.rglob("*") if path.is_file() and path != policy]
    finally:
        assert 0 == it.end(signal.SIGINT)
        it.close()


def test_problems_in_policies_are_all_printed_and_nothing_is_served(tmp_path: Path) -> None:
    """Every problem with its place, exit 1."""
    (tmp_path / "a.yaml").write_text((POLICY % ("a", "a")).replace("spec:", "spek:"))
    (tmp_path / "b.yaml").write_text(POLICY % ("b", "B b"))
    (tmp_path / "c.yaml").write_text("a: [")
    status, text = finished(tmp_path, "--self-signed", "--policies", ".")

    assert 1 == status
    assert all(f"./{name}:" in text for name in ("a.yaml", "b.yaml", "c.yaml"))
    assert "not started" in text.splitlines()[-1]


NEEDS_LABELS = """\
apiVersion: initject.dev/v1alpha1
kind: ClusterInitPolicy
metadata: {name: by-label}
spec:
  match: {namespaceSelector: {matchLabels: {team: pay}}}
  steps: [{name: wait, container: {image: "registry.example.com/tools/wait:1.0"}}]
"""
NAMESPACE = """\
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: pay, initject.dev/inject: enabled}}
"""


@pytest.mark.parametrize(
    ("policy", "flags"),
    [(NEEDS_LABELS, []), (POLICY % ("first", "first"), ["--inject", "opt-in"])],
)
def test_labels_that_nobody_can_know_are_a_reason_not_to_start(
    tmp_path: Path, policy: str, flags: list[str]
) -> None:
    """What needs labels of namespaces does not start without Namespace objects: exit 1, advice."""
    (tmp_path / "policy.yaml").write_text(policy)
    status, text = finished(tmp_path, "--self-signed", "--policies", "policy.yaml", *flags)

    assert 1 == status
    assert "--namespaces PATH" in text


def test_namespace_objects_make_labels_known(tmp_path: Path) -> None:
    """`--namespaces` gives the labels that policies and opting in look at."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "policy.yaml").write_text(NEEDS_LABELS)
    (tmp_path / "namespaces.yaml").write_text(NAMESPACE)
    flags = ("--namespaces", "namespaces.yaml", "--inject", "opt-in")
    with serving(tmp_path, *flags) as it, client() as http:
        assert ["wait"] == it.steps(http)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "--cert-dir"),
        (["--self-signed", "--cert-dir", "x"], "--self-signed"),
        (["--cert-dir", "missing"], "missing"),
        (["--self-signed", "--client-ca", "nothing.pem"], "--client-ca"),
        (["--self-signed", "--port", "70000"], "--port"),
        (["--self-signed", "--host", "no.such.host.invalid"], "--host"),
        (["--self-signed", "--inject", "some"], "--inject"),
        (["--self-signed", "--nonsense"], "--nonsense"),
    ],
)
def test_wrong_usage_is_told_with_exit_2(tmp_path: Path, flags: list[str], said: str) -> None:
    """One line about the option that is wrong, no traceback."""
    (tmp_path / "policy.yaml").write_text(POLICY % ("first", "first"))
    status, text = finished(tmp_path, "--policies", "policy.yaml", *flags)

    assert (2, True, False) == (status, said in text, "Traceback" in text)


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    """Which port, and which option to change; exit 2."""
    (tmp_path / "policy.yaml").write_text(POLICY % ("first", "first"))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        flags = ["--policies", "policy.yaml", "--self-signed", "--port", port]
        status, text = finished(tmp_path, *flags)

    assert 2 == status
    assert f"initject: cannot listen on 127.0.0.1, port {port}: Address already in use; " in text


def test_settings_come_from_the_environment_too(tmp_path: Path) -> None:
    """INITJECT_… does what the flag does."""
    with serving(tmp_path, INITJECT_LOG_LEVEL="debug") as it, client() as http:
        it.steps(http)
        wait_until(lambda: it.logged("review"))


def test_the_largest_body_is_what_limits_derive() -> None:
    """The setting's default is the number that the door derives."""
    from webhook.server import limits

    assert limits.BODY_BYTES == Settings().max_body_bytes
    assert limits.Limits().header_bytes == Settings().max_header_bytes


# logs


def test_an_injection_is_one_line_at_info_and_holds_no_body(served: Served) -> None:
    """Who, where, what; nothing of the pod's containers."""
    with client() as http:
        served.steps(http)
    wait_until(lambda: served.logged("review"))
    line = next(record for record in served.records if record["message"] == "review")

    assert ("info", "u-1", "shop", "patched", ["first"]) == tuple(
        line[name] for name in ("level", "uid", "namespace", "outcome", "policies")
    )
    assert "registry.example.com" not in served.text


# reloading


def test_a_change_of_the_files_is_taken_over(served: Served) -> None:
    """Without a restart, the next review is decided by the new policies."""
    with client() as http:
        assert ["first"] == served.steps(http)
        (served.folder / "policies" / "a.yaml").write_text(POLICY % ("second", "second"))
        wait_until(lambda: served.logged("policies taken over"))
        assert ["second"] == served.steps(http)


def test_a_bad_change_keeps_what_was_in_force(served: Served) -> None:
    """Logged, counted, still ready; and the next good change counts."""
    file = served.folder / "policies" / "a.yaml"
    with client() as http:
        file.write_text("spec: [")
        wait_until(lambda: served.logged("policies not taken over; the last good ones stay"))
        assert ["first"] == served.steps(http)
        assert (200, 1) == (
            httpx.get(f"{served.health}/readyz").status_code,
            served.count(FAILED % "policies"),
        )
        file.write_text(POLICY % ("second", "second"))
        wait_until(lambda: served.logged("policies taken over"))
        assert ["second"] == served.steps(http)


def test_a_mounted_configmap_is_swapped_as_a_whole(tmp_path: Path) -> None:
    """The kubelet points `..data` elsewhere: the policies behind it are taken over."""
    policies = tmp_path / "policies"
    for version in ("first", "second"):
        (policies / f"..{version}").mkdir(parents=True)
        (policies / f"..{version}" / "a.yaml").write_text(POLICY % (version, version))
    (policies / "..data").symlink_to("..first")
    (policies / "a.yaml").symlink_to("..data/a.yaml")
    with serving(tmp_path) as it, client() as http:
        assert ["first"] == it.steps(http)
        (policies / "..new").symlink_to("..second")
        os.replace(policies / "..new", policies / "..data")
        wait_until(lambda: it.logged("policies taken over"))
        assert ["second"] == it.steps(http)


def serial(served: Served) -> int:
    """The serial number of the certificate that a new connection sees."""
    from cryptography import x509

    host, _, port = served.url.removeprefix("https://").rpartition(":")
    with (
        socket.create_connection((host, int(port))) as plain,
        door.client_context().wrap_socket(plain, server_hostname="localhost") as raw,
    ):
        der = raw.getpeercert(binary_form=True)
    assert der
    return x509.load_der_x509_certificate(der).serial_number


def test_a_new_certificate_is_served_without_a_restart(served: Served) -> None:
    """New connections see it; one that is open goes on."""
    with client() as http:
        served.steps(http)
        before = serial(served)
        files.write(served.folder / "certs", door.bundle())
        wait_until(lambda: served.logged("certificate taken over"))
        assert before != serial(served)
        assert ["first"] == served.steps(http)


def test_a_pair_that_does_not_match_never_reaches_the_live_context(served: Served) -> None:
    """The old certificate stays, it is said and counted, and readyz stays true."""
    before = serial(served)
    one, other = door.bundle(), door.bundle()
    (served.folder / "certs" / "tls.crt").unlink()
    (served.folder / "certs" / "tls.key").unlink()
    (served.folder / "certs" / "tls.crt").write_bytes(one.certificate)
    (served.folder / "certs" / "tls.key").write_bytes(other.key)
    wait_until(lambda: served.logged("certificate not taken over; the last one stays"))

    assert before == serial(served)
    assert 200 == httpx.get(f"{served.health}/readyz").status_code
    assert 1 <= served.count("certwatcher_read_certificate_errors_total")
    (served.folder / "certs" / "tls.key").write_bytes(one.key)
    wait_until(lambda: serial(served) != before)


def test_client_certificates_are_demanded_when_asked_for(tmp_path: Path) -> None:
    """`--client-ca`: who shows a certificate of that CA is served, others are not."""
    (tmp_path / "clients.crt").write_bytes(door.AUTHORITY.certificate)
    with serving(tmp_path, "--client-ca", "clients.crt") as it:
        with httpx.Client(verify=door.client_context(door.client_bundle())) as known:
            assert ["first"] == it.steps(known)
        with client() as stranger, pytest.raises(httpx.TransportError):
            it.steps(stranger)


# stopping


class Load(threading.Thread):
    """A client with keep-alive that asks until it is told to stop, and counts its failures."""

    def __init__(self, served: Served) -> None:
        super().__init__()
        self.served = served
        self.over = threading.Event()
        self.answered: list[bool] = []  # of each answer: whether it was the last of its connection
        self.failures: list[str] = []

    def run(self) -> None:
        with client() as http:
            while not self.over.is_set():
                try:
                    got = http.post(
                        f"{self.served.url}/mutate",
                        content=door.review(object=process.POD),
                        headers={"content-type": "application/json"},
                    )
                    got.raise_for_status()
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))
                else:
                    self.answered.append(got.headers.get("connection") == "close")


def test_no_request_fails_while_it_drains(tmp_path: Path) -> None:
    """Under load: not ready, every answer closes its connection, none fails, exit 0."""
    with serving(tmp_path, "--drain-seconds", "3") as it:
        clients = [Load(it) for _ in range(4)]
        for each in clients:
            each.start()
        wait_until(lambda: all(len(each.answered) > 5 for each in clients))
        it.process.send_signal(signal.SIGTERM)
        wait_until(lambda: it.logged("draining"))
        assert (503, "draining\n") == (
            (got := httpx.get(f"{it.health}/readyz")).status_code,
            got.text,
        )
        assert 200 == httpx.get(f"{it.health}/healthz").status_code
        time.sleep(1)
        for each in clients:
            each.over.set()
        for each in clients:
            each.join()
        assert 0 == it.process.wait(20)

    assert [[], [], [], []] == [each.failures for each in clients]
    assert all(each.answered[-1] and not each.answered[0] for each in clients)


def test_what_was_asked_is_answered_after_the_drain(served: Served) -> None:
    """A request that is under way when the drain ends gets its answer."""
    host, _, port = served.url.removeprefix("https://").rpartition(":")
    body = door.review()
    head = (
        "POST /mutate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    with (
        socket.create_connection((host, int(port))) as plain,
        door.client_context().wrap_socket(plain, server_hostname="localhost") as raw,
    ):
        raw.sendall(head.encode() + body[:10])
        served.process.send_signal(signal.SIGTERM)
        time.sleep(1.5)
        assert served.process.poll() is None
        raw.sendall(body[10:])
        assert door.answer(raw).startswith(b"HTTP/1.1 200")
    assert 0 == served.process.wait(20)


def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    """Who presses Ctrl-C twice does not want to wait."""
    with serving(tmp_path, "--drain-seconds", "60") as it, client() as http:
        it.steps(http)
        it.process.send_signal(signal.SIGTERM)
        wait_until(lambda: it.logged("draining"))
        assert 128 + signal.SIGTERM == it.end(signal.SIGINT)


def test_ctrl_c_does_not_wait_when_nobody_is_there(tmp_path: Path) -> None:
    """SIGINT with no client: a moment, not the whole time of draining."""
    with serving(tmp_path, "--drain-seconds", "60") as it:
        assert 0 == it.end(signal.SIGINT)
