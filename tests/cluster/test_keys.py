"""Certificates of our own from the beginning: an empty Secret, no API server, whole lifetimes."""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Iterator

import pytest
from cryptography import x509

from tests.cluster import release, replicas
from tests.cluster.replicas import OWN, Site, load, same, serving, until


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The manifests of cluster mode, applied; no replica runs yet."""
    with replicas.site(tmp_path_factory.mktemp("beginning"), release.rendered()) as found:
        yield found


def test_two_replicas_that_start_at_once_make_one_set_of_keys(site: Site) -> None:
    """From an empty Secret: one CA, one leaf, trusted by every webhook before they are ready."""
    site.empty()
    began = time.perf_counter()
    with serving(site) as found:
        seconds = time.perf_counter() - began
        assert "" == site.create()
        assert site.healed()
        assert same(found, site)
        changes = [one.counted("initject_keys_changes_total") for one in found]
        whole = json.dumps(site.secret())
        time.sleep(1)
        assert whole == json.dumps(site.secret())

    assert [0, 1] == sorted(changes)
    assert {"ca.crt", "ca.key", "tls.crt", "tls.key"} == set(site.secret())
    sys.stdout.write(f"two replicas ready from an empty Secret in {seconds:.1f} s\n")


def test_leaf_and_ca_are_replaced_in_time_under_load(site: Site) -> None:
    """Lifetimes of seconds: several leaves, and a CA that comes and one that goes, no fault."""
    day = 24 * 3600
    short = (f"--ca-days={45 / day:.6f}", f"--leaf-days={24 / day:.6f}")
    site.empty()
    with serving(site, *short, "--propagation-seconds=2") as found:
        first = x509.load_pem_x509_certificate(base64.b64decode(site.secret()["ca.crt"]))
        leaves = set()
        with load(site) as running:

            def gone() -> bool:
                leaves.add(site.secret()["tls.crt"])
                pem = base64.b64decode(site.secret()["ca.crt"])
                return first not in x509.load_pem_x509_certificates(pem)

            until(gone, "the first CA is gone", seconds=120)
        steps = sum(one.counted("initject_keys_changes_total") for one in found)

    sys.stdout.write(
        f"{running.created} pods, {running.handshakes} handshakes over {len(leaves)} leaves, "
        f"{steps:.0f} steps\n"
    )
    assert [] == running.faults
    assert len(leaves) >= 3
    assert running.created > 100


def test_a_replica_that_starts_without_the_api_server_waits_for_it(site: Site) -> None:
    """It has nothing to serve: not ready, and ready once it is back."""
    site.plane.kill_api_server()
    flags = (*OWN, f"--kubeconfig={site.kubeconfig}")
    with site.serving(*flags, addresses=replicas.ADDRESSES[:1]) as (one,):
        text = "certificates not looked after; what is in force stays"
        until(lambda: bool(one.logged(text)), "it says so")
        assert 503 == one.health("/readyz").status_code
        site.plane.start_api_server()
        until(one.ready, "it is ready")
