"""Certificates of our own on a real control plane: made, trusted, replaced, repaired."""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from tests.cluster import release, replicas
from tests.cluster.replicas import CONFIGURATIONS, Replica, Site, until

MUTATING, VALIDATING = CONFIGURATIONS
SOON = ("--propagation-seconds=2",)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The manifests of cluster mode, applied."""
    with replicas.site(tmp_path_factory.mktemp("certificates"), release.rendered()) as found:
        yield found


@pytest.fixture(scope="module")
def lasting(site: Site) -> Iterator[list[Replica]]:
    """Two replicas that most tests share."""
    with replicas.serving(site, *SOON) as found:
        yield found


def took(condition: Callable[[], bool], what: str, *, seconds: float = 60) -> float:
    began = time.perf_counter()
    until(condition, what, seconds=seconds)
    return time.perf_counter() - began


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=["mutating", "validating"])
def test_an_emptied_ca_bundle_is_healed(lasting: list[Replica], site: Site, path: str) -> None:
    """As a `helm upgrade` or a GitOps tool empties it: within seconds, and counted."""
    repairs = "initject_ca_bundle_repairs_total"
    before = sum(one.counted(repairs) for one in lasting)

    site.trust(path, None)
    seconds = took(site.healed, "caBundle is healed")

    sys.stdout.write(f"an emptied caBundle is healed in {seconds * 1000:.0f} ms\n")
    hooks = len(site.api.ask("GET", f"{path}/initject").body["webhooks"])
    assert before + hooks == sum(one.counted(repairs) for one in lasting)
    assert all(one.health("/readyz").status_code == 200 for one in lasting)


def test_a_foreign_ca_is_replaced_and_everything_else_stays(
    lasting: list[Replica], site: Site
) -> None:
    """A condition that somebody has put into our webhooks is none of our business."""
    off = [{"name": "emergency-off", "expression": "false"}]
    path = f"{MUTATING}/initject"
    found = site.api.ask("GET", path).body
    for hook in found["webhooks"]:
        hook |= {"matchConditions": off}
        hook["clientConfig"]["caBundle"] = base64.b64encode(b"of somebody else").decode()
    assert 200 == site.api.ask("PUT", path, found).code

    until(site.healed, "caBundle is healed")

    after = site.api.ask("GET", path).body
    assert [off, off] == [hook.pop("matchConditions") for hook in after["webhooks"]]
    assert 1 <= sum(one.health("/metrics").text.count('was="foreign"') for one in lasting)
    assert 200 == site.api.ask("PUT", path, after).code
    until(lambda: site.create() == "", "pods are injected again")


@pytest.mark.usefixtures("lasting")
@pytest.mark.parametrize("how", [("--server-side", "--force-conflicts"), ()])
def test_applying_the_manifests_again_empties_nothing(site: Site, how: tuple[str, ...]) -> None:
    """They name neither `data` nor `caBundle`, which so stay ours, whichever way of applying."""
    before = site.secret()
    kinds = ("Secret", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
    values = [one for one in release.rendered() if one["kind"] in kinds]
    assert 3 == len(values)

    text = "\n---\n".join(json.dumps(one) for one in values)
    for _ in range(2):
        site.kubectl("apply", *how, "--filename=-", text=text)

        assert before == site.secret()
        assert all(site.bundles())


def test_a_new_leaf_is_served_by_every_replica(lasting: list[Replica], site: Site) -> None:
    """Taken out of the Secret, it is made anew by the same CA, within seconds, without a fault."""
    with replicas.load(site) as running:
        until(lambda: running.created > 20, "pods are created")
        before = site.secret()
        site.fill(tls_crt=None, tls_key=None)
        until(lambda: bool(site.secret().get("tls.crt")), "there is a new leaf")
        seconds = took(lambda: replicas.same(lasting, site), "both serve it")
        until(lambda: site.create() == "", "pods are injected")

    after = site.secret()
    assert [] == running.faults
    assert before["ca.crt"] == after["ca.crt"]
    assert before["tls.crt"] != after["tls.crt"]
    sys.stdout.write(f"a new leaf is served by both after {seconds * 1000:.0f} ms\n")


def test_a_ca_whose_key_is_taken_away_is_replaced_with_overlap(
    lasting: list[Replica], site: Site
) -> None:
    """How to replace it on purpose: the new one is trusted first, the old one stays."""
    with replicas.load(site) as running:
        until(lambda: running.created > 20, "pods are created")
        before = site.secret()
        site.fill(ca_key=None)
        until(lambda: bool(site.secret().get("next.key")), "there is a new CA")
        assert before["tls.crt"] == site.secret()["tls.crt"]
        until(site.healed, "both are trusted")
        until(lambda: bool(site.secret().get("ca.key")), "the new one signs")
        until(lambda: replicas.same(lasting, site), "both serve its leaf")
        until(lambda: running.handshakes > 20, "it is verified")

    after = site.secret()
    assert [] == running.faults
    assert before["tls.crt"] != after["tls.crt"]
    assert base64.b64decode(before["ca.crt"]) in base64.b64decode(after["ca.crt"])
    assert "next.key" not in after


def whole(found: list[Replica], site: Site) -> bool:
    """Whether nothing is missing and nothing under way."""
    parts = {"ca.crt", "ca.key", "tls.crt", "tls.key"}
    return parts == set(site.secret()) and site.healed() and replicas.same(found, site)


RUBBISH = base64.b64encode(b"rubbish").decode()


@pytest.mark.parametrize(
    "parts",
    [
        {"tls_crt": RUBBISH, "tls_key": RUBBISH},
        {"tls_crt": RUBBISH, "tls_key": RUBBISH, "ca_crt": RUBBISH, "ca_key": RUBBISH},
        {"tls_crt": None, "tls_key": None, "ca_crt": None, "ca_key": None},
    ],
    ids=["leaf", "all", "nothing"],
)
def test_a_broken_secret_is_healed_and_disturbs_nobody(
    lasting: list[Replica], site: Site, parts: dict[str, str | None]
) -> None:
    """What is in force is served on, and what is broken is told; new keys come with overlap."""
    with replicas.load(site) as running:
        until(lambda: running.created > 20, "pods are created")
        site.fill(**parts)
        until(lambda: whole(lasting, site), "keys are made, trusted and served")

    assert [] == running.faults
    if any(parts.values()):
        told = [one.logged("certificate not taken over; the last one stays") for one in lasting]
        assert any(told)


def test_without_the_api_server_the_leaf_is_served_on(lasting: list[Replica], site: Site) -> None:
    """Killed and back: nobody is unready meanwhile, and what is broken then is healed."""
    before = [one.leaf() for one in lasting]

    site.plane.kill_api_server()
    time.sleep(3)
    during = [one.leaf() for one in lasting]
    assert [200, 200] == [one.health("/readyz").status_code for one in lasting]
    site.plane.start_api_server()
    site.trust(MUTATING, None)
    seconds = took(site.healed, "caBundle is healed")

    assert before == during
    assert "" == site.create()
    sys.stdout.write(f"healed {seconds:.1f} s after the API server was back\n")
