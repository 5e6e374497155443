"""`initject emergency` on an API server that nobody else uses."""

from __future__ import annotations

import base64
import functools
import json
import re
import subprocess
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from tests.cluster import machine, test_manifests
from tests.cluster.api import Json
from tests.cluster.enforcing import (
    BINDING,
    CONFIGURATION,
    CONVENIENT,
    ENFORCING,
    Plane,
    answered,
)
from tests.cluster.reader import typed
from tests.cluster.registration import until
from tests.house.tree import BIN, CHECKOUT

RIGHTS = "/apis/rbac.authorization.k8s.io/v1/clusterroles/operator"
PAGE = CHECKOUT / "docs" / "how-to" / "emergency.md"
BINDINGS = "validatingadmissionpolicybindings"


def owned(value: Json) -> Json:
    """All of an object but what the API server counts and times."""
    changing = ("uid", "resourceVersion", "generation", "creationTimestamp")
    metadata = {k: v for k, v in value["metadata"].items() if k not in changing}
    return {**value, "metadata": metadata}


OFF = "initject is off: no pod is sent to it, and none needs its answer\n"
SEEN_FREE = "seen: a pod is admitted without us (namespace payments, dry run)\n"
SEEN_ANSWERED = "seen: a pod is answered by us (namespace payments, dry run)\n"


@functools.cache
def conditions() -> list[list[str]]:
    """Names of the match conditions that the manifests have, webhook by webhook."""
    hooks = test_manifests.only("MutatingWebhookConfiguration")["webhooks"]
    return [[one["name"] for one in hook["matchConditions"]] for hook in hooks]


def switched() -> list[list[str]]:
    return [[*names, "emergency-off"] for names in conditions()]


def test_off_lets_pods_pass_while_nobody_answers(dead: Plane) -> None:
    """The namespace that enforces is locked; with one command it is open."""
    assert 500 == dead.created(ENFORCING).code

    status, out, err = dead.emergency("off")

    done = "binding initject: taken away\n"
    done += "webhook inject.initject.dev: off\nwebhook enforce.initject.dev: off\n"
    assert (0, done + OFF + SEEN_FREE, "") == (status, out, err)
    assert (201, 201) == (dead.created(ENFORCING).code, dead.created(CONVENIENT).code)


def test_on_brings_back_exactly_what_was(alive: Plane) -> None:
    """The binding with its owner's fields, the webhooks without a trace; pods are answered."""
    before = [owned(alive.api.ask("GET", path).body) for path in (CONFIGURATION, BINDING)]
    alive.emergency("off")
    assert 0 == alive.steps()

    status, out, err = alive.emergency("on")

    done = "webhook inject.initject.dev: on\nwebhook enforce.initject.dev: on\n"
    done += "binding initject: brought back\ninitject is on\n"
    assert (0, done + SEEN_ANSWERED, "") == (status, out, err)
    after = [owned(alive.api.ask("GET", path).body) for path in (CONFIGURATION, BINDING)]
    assert before == after
    assert 1 == alive.steps()


def test_on_says_so_when_pods_are_refused(dead: Plane) -> None:
    """Everything is back, and the status is 1: nobody answers."""
    dead.emergency("off")

    status, out, err = dead.emergency("on")

    assert (1, True) == (status, out.endswith("\ninitject is on\n"))
    assert err.startswith("initject emergency: a pod is refused, for we did not answer: HTTP 500")
    assert (500, True) == (dead.created(ENFORCING).code, dead.bound())


@pytest.mark.parametrize(("what", "seen"), [("off", OFF + SEEN_FREE), ("on", "initject is on\n")])
def test_what_is_done_already_is_not_done_again(alive: Plane, what: str, seen: str) -> None:
    """Nothing is written the second time."""
    alive.emergency(what)
    before = alive.api.ask("GET", CONFIGURATION).body

    status, out, _ = alive.emergency(what)

    assert (0, seen) == (status, out.removesuffix(SEEN_ANSWERED))
    assert before == alive.api.ask("GET", CONFIGURATION).body


def test_status_tells_how_things_stand(alive: Plane) -> None:
    """On, off, and half way: somebody has applied the manifests in between."""
    on = alive.emergency("status")
    alive.emergency("off")
    off = alive.emergency("status")
    alive.bind()
    partly = alive.emergency("status")

    hooks = "webhook inject.initject.dev: {0}\nwebhook enforce.initject.dev: {0}\n"
    bound = "binding initject: in force\n"
    away = "binding initject: taken away, `on` brings it back\n"
    again = "initject is partly off: run `off` or `on` again\n"
    assert (0, hooks.format("on") + bound + "initject is on\n", "") == on
    assert (0, hooks.format("off") + away + OFF, "") == off
    assert (0, hooks.format("off") + bound + again, "") == partly


def test_a_binding_that_was_applied_again_is_taken_away_again(alive: Plane) -> None:
    """A sync in the middle of an emergency locks the namespace; `off` opens it again."""
    alive.emergency("off")
    alive.bind()
    until(lambda: alive.created(ENFORCING).code == 403, "pods without an answer are refused")

    status, out, _ = alive.emergency("off")

    assert (0, "binding initject: taken away\n" + OFF + SEEN_FREE) == (status, out)


@pytest.fixture
def operator(alive: Plane, tmp_path: Path) -> Callable[..., Path]:
    """A kubeconfig with the rights of the documentation, but for one verb on one resource."""
    account = {"name": "operator", "namespace": "default"}
    alive.api.ensure({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    token = alive.api.ask(
        "POST",
        "/api/v1/namespaces/default/serviceaccounts/operator/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
    ).body["status"]["token"]

    def granted(without: str = "", of: str = BINDINGS) -> Path:
        (role,) = blocks("yaml", containing="kind: ClusterRole")
        value = yaml.safe_load(role)
        for rule in value["rules"]:
            if of in rule["resources"]:
                rule["verbs"] = [verb for verb in rule["verbs"] if verb != without]
        value["metadata"]["name"] = "operator"
        value["rules"] = [rule for rule in value["rules"] if rule["verbs"]]
        subjects = [{"kind": "ServiceAccount", **account}]
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole"}
        binding = {
            "apiVersion": value["apiVersion"],
            "kind": "ClusterRoleBinding",
            "metadata": value["metadata"],
            "subjects": subjects,
            "roleRef": {**reference, "name": "operator"},
        }
        alive.api.ask("DELETE", RIGHTS)
        alive.api.ensure(value, binding)
        config = json.loads((alive.folder / "kubeconfig").read_text())
        config["users"][0]["user"] = {"token": token}
        (tmp_path / "kubeconfig").write_text(json.dumps(config))
        until(lambda: may(alive, "get", BINDINGS), "the rights are in force")
        until(lambda: not without or not may(alive, without, of), "but for one")
        return tmp_path / "kubeconfig"

    return granted


def blocks(kind: str, *, containing: str) -> list[str]:
    """Blocks of code in the documentation."""
    found = re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [one for one in found if containing in one]


def may(plane: Plane, verb: str, resource: str) -> bool:
    """Whether the API server knows that the operator may do it, or may not."""
    group = "" if resource == "namespaces" else "admissionregistration.k8s.io"
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": "system:serviceaccount:default:operator",
            "resourceAttributes": {"group": group, "verb": verb, "resource": resource},
        },
    }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    return bool(plane.api.ask("POST", path, review).body["status"]["allowed"])


def test_the_rights_of_the_documentation_suffice(
    alive: Plane, operator: Callable[..., Path]
) -> None:
    """For off and on, the look at a pod included."""
    kubeconfig = operator()

    off, on = (alive.emergency(what, kubeconfig=kubeconfig) for what in ("off", "on"))

    assert [(0, ""), (0, "")] == [off[::2], on[::2]]
    assert (True, True) == (off[1].endswith(SEEN_FREE), on[1].endswith(SEEN_ANSWERED))


def test_the_commands_of_the_documentation_do_the_same(alive: Plane, tmp_path: Path) -> None:
    """kubectl alone opens what is locked, and brings it back."""
    save, off, on, delete = blocks("sh", containing="kubectl ")

    typed(alive.folder, save + off, tmp_path, tmp_path)
    until(lambda: alive.steps() == 0, "it is off")
    assert (0, OFF, "") == summary(alive.emergency("status"))
    typed(alive.folder, on, tmp_path, tmp_path)
    until(lambda: alive.steps() == 1, "it is on")
    assert (conditions(), True) == (alive.conditions(), alive.bound())
    typed(alive.folder, delete, tmp_path, tmp_path)
    assert (404, False) == (alive.api.ask("GET", CONFIGURATION).code, alive.bound())


def summary(said: tuple[int, str, str]) -> tuple[int, str, str]:
    status, out, err = said
    return status, out.splitlines(keepends=True)[-1], err


def test_off_that_stopped_half_way_goes_on(alive: Plane, operator: Callable[..., Path]) -> None:
    """Who may not delete is told what to grant; another, elsewhere, finishes it."""
    status, out, err = alive.emergency("off", kubeconfig=operator("delete"))

    rule = (
        '{apiGroups: ["admissionregistration.k8s.io"], '
        "resources: [validatingadmissionpolicybindings], verbs: [delete]}"
    )
    assert (1, "") == (status, out)
    assert f"grant it in a ClusterRole, with the rule {rule}; then run it again" in err
    assert (conditions(), True) == (alive.conditions(), alive.bound())

    assert 0 == alive.emergency("off")[0]
    assert (switched(), False) == (alive.conditions(), alive.bound())
    assert 0 == alive.emergency("on")[0]
    assert (conditions(), True) == (alive.conditions(), alive.bound())


def test_on_that_stopped_half_way_goes_on(alive: Plane, operator: Callable[..., Path]) -> None:
    """The webhooks are back and the binding is not; it is still remembered."""
    alive.emergency("off")

    status, _, err = alive.emergency("on", kubeconfig=operator("create"))
    assert (1, conditions(), False) == (status, alive.conditions(), alive.bound())
    assert "verbs: [create]}" in err

    assert (0, True) == (alive.emergency("on")[0], alive.bound())
    assert (0, "initject is on\n" + SEEN_ANSWERED, "") == alive.emergency("on")


def test_without_the_right_to_look_at_a_pod_it_says_so(
    alive: Plane, operator: Callable[..., Path]
) -> None:
    """It is done all the same."""
    status, out, err = alive.emergency("off", kubeconfig=operator("list", of="namespaces"))

    assert (0, "") == (status, err)
    assert "not looked at a pod: HTTP 403: namespaces is forbidden" in out
    until(lambda: alive.created(ENFORCING).code == 201, "pods pass")


def test_who_writes_meanwhile_loses_nothing(alive: Plane) -> None:
    """A bundle that is rotated all the time arrives, and so does the switch."""
    stop, written = threading.Event(), []

    def rotate() -> None:
        while not stop.is_set():
            found = alive.api.ask("GET", CONFIGURATION).body
            bundle = base64.b64encode(alive.bundle + b"#" * len(written)).decode()
            for hook in found["webhooks"]:
                hook["clientConfig"]["caBundle"] = bundle
            if alive.api.ask("PUT", CONFIGURATION, found).code == 200:
                written.append(bundle)
            stop.wait(0.02)

    with ThreadPoolExecutor(1) as pool:
        rotating = pool.submit(rotate)
        ended = [alive.emergency(what)[0] for what in ("off", "on", "off")]
        stop.set()
        rotating.result()

    hooks = alive.api.ask("GET", CONFIGURATION).body["webhooks"]
    assert [0, 0, 0] == ended
    assert len(written) > 10
    assert {written[-1]} == {hook["clientConfig"]["caBundle"] for hook in hooks}
    assert switched() == alive.conditions()


def condition(name: str) -> Json:
    return {"name": name, "expression": "true"}


def test_conditions_of_others_stay_as_they_are(enforced: Plane) -> None:
    """Ours is the last while it is off, and theirs keep their order."""
    enforced.install(enforced.url, matchConditions=[condition("b"), condition("a")])

    enforced.emergency("off")
    off = enforced.conditions()
    enforced.emergency("on")

    assert [["b", "a", "emergency-off"]] * 2 == off
    assert [["b", "a"]] * 2 == enforced.conditions()


def test_a_webhook_without_room_is_told_before_anything_is_done(enforced: Plane) -> None:
    """64 conditions are the most that Kubernetes takes."""
    enforced.install(enforced.url, matchConditions=[condition(f"c{n}") for n in range(64)])

    status, out, err = enforced.emergency("off")

    assert (1, "") == (status, out)
    assert err.startswith("initject: webhook inject.initject.dev has 64 matchConditions")
    assert enforced.bound()


def test_what_is_remembered_and_cannot_be_read_keeps_nothing_locked(alive: Plane) -> None:
    """`off` works all the same; `on` says what to do."""
    found = alive.api.ask("GET", CONFIGURATION).body
    found["metadata"]["annotations"] = {"initject.dev/emergency": "{"}
    alive.api.ask("DELETE", BINDING)
    alive.api.ask("PUT", CONFIGURATION, found)

    off, on = alive.emergency("off"), alive.emergency("on")

    assert (0, 1) == (off[0], on[0])
    assert "annotation initject.dev/emergency of the configuration cannot be read" in on[2]


def test_a_configuration_that_is_not_there(alive: Plane) -> None:
    """The name was wrong: status 2."""
    alive.api.ask("DELETE", CONFIGURATION)

    status, out, err = alive.emergency("off")

    assert (2, "") == (status, out)
    assert err.startswith("initject: there is no MutatingWebhookConfiguration initject; name yours")


def test_kubectl_apply_keeps_the_switch_and_brings_the_binding_back(alive: Plane) -> None:
    """As docs/how-to/emergency.md says: what is applied in an emergency locks again."""
    value = test_manifests.only("MutatingWebhookConfiguration")
    for hook in value["webhooks"]:
        hook["clientConfig"] = {"url": alive.url}
    manifests = json.dumps({"apiVersion": "v1", "kind": "List", "items": [value, *answered()]})
    alive.emergency("off")

    for flags in ([], ["--server-side", "--force-conflicts"]):
        apply(alive, manifests, flags)
        assert switched() == alive.conditions()
    assert alive.bound()


def apply(plane: Plane, manifests: str, flags: Sequence[str]) -> None:
    file = f"--kubeconfig={plane.folder / 'kubeconfig'}"
    command = [str(BIN / "kubectl"), file, "apply", *flags, "--filename=-"]
    subprocess.run(
        machine.inside(plane.folder, *command),
        input=manifests,
        text=True,
        check=True,
        capture_output=True,
    )
