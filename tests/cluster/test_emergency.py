"""`initject emergency`, and the policy that holds pods to an answer, on an API server."""

from __future__ import annotations

import base64
import copy
import json
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
import yaml

from tests import needs
from tests.cluster import machine, serving, test_manifests
from tests.cluster.api import Answer, Api, Json
from tests.cluster.conftest import BINARIES
from tests.cluster.network import Inside
from tests.cluster.registration import until
from tests.house.tree import BIN, CHECKOUT
from webhook import testing

ANSWERED = CHECKOUT / "deploy" / "kustomize" / "components" / "answered" / "policy.yaml"
GROUP = "/apis/admissionregistration.k8s.io/v1"
CONFIGURATION = f"{GROUP}/mutatingwebhookconfigurations/initject"
BINDING = f"{GROUP}/validatingadmissionpolicybindings/initject"
RIGHTS = "/apis/rbac.authorization.k8s.io/v1/clusterroles/operator"
ENFORCING, CONVENIENT = "payments", "shop"
LABELS = {
    ENFORCING: {"initject.dev/enforce": "true"},
    CONVENIENT: {"initject.dev/inject": "enabled"},
}
DEAD = "https://127.0.0.1:1/mutate"  # nobody listens there
POLICY = """
apiVersion: initject.dev/v1alpha1
kind: ClusterInitPolicy
metadata: {name: database}
spec:
  match: {podSelector: {matchLabels: {app: shop}}}
  steps:
    - name: wait
      container:
        image: registry.example.com/tools/wait:1.4
        volumeMounts: [{name: settings, mountPath: /out}]
  volumes:
    - name: settings
      emptyDir: {}
      mountInto: [{containers: ["*"], mountPath: /etc/settings}]
"""
PAGE = CHECKOUT / "docs" / "how-to" / "emergency.md"
BINDINGS = "validatingadmissionpolicybindings"


@dataclass(frozen=True, slots=True)
class Plane:
    """A control plane that this module alone uses, and a webhook that answers it."""

    folder: Path
    api: Api
    url: str
    bundle: bytes

    def emergency(self, what: str, *, kubeconfig: Path | None = None) -> tuple[int, str, str]:
        """Exit status and both streams of `initject emergency`, as an operator runs it."""
        file = f"--kubeconfig={kubeconfig or self.folder / 'kubeconfig'}"
        command = machine.inside(self.folder, str(BIN / "initject"), "emergency", what, file)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def install(self, url: str, **fields: object) -> None:
        """Both webhooks as deploy/ has them, at `url`, and the binding; returns when in force."""
        for path in (CONFIGURATION, BINDING):
            self.api.ask("DELETE", path)
        client = {"url": url, "caBundle": base64.b64encode(self.bundle).decode()}
        value = test_manifests.only("MutatingWebhookConfiguration")
        hooks = [{**hook, "clientConfig": client, **fields} for hook in value["webhooks"]]
        self.api.ensure({**value, "webhooks": hooks})
        self.bind()
        expected = 201 if url == self.url else 500
        until(lambda: self.created(ENFORCING).code == expected, "the webhooks are in force")
        if url == self.url:
            until(self.held, "the policy is in force")

    def held(self) -> bool:
        """Whether the API server holds to the policy: a pod that loses its marker is refused."""
        self.api.ensure(web("probe", ENFORCING))
        pod = self.api.ask("GET", f"/api/v1/namespaces/{ENFORCING}/pods/probe").body
        del pod["metadata"]["annotations"]["initject.dev/injected"]
        return self.update(pod, "?dryRun=All").code == 403

    def bind(self) -> None:
        self.api.ensure(*(v for v in answered() if v["kind"].endswith("Binding")))

    def created(self, namespace: str, name: str = "web", **more: object) -> Answer:
        """What the API server answers to a pod; nothing is stored."""
        return self.api.create(web(name, namespace, **more), dry_run=True)

    def steps(self) -> int | None:
        """How many a pod gets that is created now; None when it is refused."""
        answer = self.created(ENFORCING)
        return len(answer.body["spec"].get("initContainers", [])) if answer.code == 201 else None

    def stored(self, name: str, **more: object) -> Json:
        """A pod that is really there, in the namespace that enforces."""
        answer = self.api.create(web(name, ENFORCING, **more))
        assert (201, "") == (answer.code, answer.message)
        return answer.body

    def update(self, pod: Json, subresource: str = "") -> Answer:
        name = pod["metadata"]["name"]
        path = f"/api/v1/namespaces/{ENFORCING}/pods/{name}{subresource}"
        return self.api.ask("PUT", path, pod)

    def conditions(self) -> list[list[str]]:
        """Names of the matchConditions, of each webhook."""
        found = self.api.ask("GET", CONFIGURATION).body["webhooks"]
        return [[one["name"] for one in hook.get("matchConditions", [])] for hook in found]

    def bound(self) -> bool:
        return self.api.ask("GET", BINDING).code == 200


def answered() -> list[Json]:
    return list(yaml.safe_load_all(ANSWERED.read_text(encoding="utf-8")))


def web(name: str, namespace: str, *, app: str = "shop", **more: object) -> Json:
    pod: Json = testing.pod(name, namespace=namespace, labels={"app": app})
    pod["spec"].update(copy.deepcopy(more))
    return pod


def owned(value: Json) -> Json:
    """All of an object but what the API server counts and times."""
    changing = ("uid", "resourceVersion", "generation", "creationTimestamp")
    metadata = {k: v for k, v in value["metadata"].items() if k not in changing}
    return {**value, "metadata": metadata}


@pytest.fixture(scope="module")
def plane(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """A control plane with the policy `answered`, a namespace that enforces, and `serve`."""
    needs.root()
    for name, package in (("etcd", "etcd-server"), ("ip", "iproute2"), ("sysctl", "procps")):
        needs.program(name, how=f"apt-get install {package}")
    needs.file(BINARIES / "kube-apiserver", how="make cluster builds it")
    top = tmp_path_factory.mktemp("emergency")
    process = machine.up(BINARIES, top / "cluster", "--control-plane-only")
    inside = Inside(machine.first_process(top / "cluster"))
    api = Api(inside, top / "cluster" / "pki" / "ca.crt")
    (top / "policies").mkdir()
    (top / "policies" / "database.yaml").write_text(POLICY)
    metadata = [{"name": name, "labels": labels} for name, labels in LABELS.items()]
    known = [{"apiVersion": "v1", "kind": "Namespace", "metadata": one} for one in metadata]
    (top / "policies" / "namespaces.yaml").write_text(yaml.safe_dump_all(known))
    try:
        for name, labels in LABELS.items():
            api.space(name, labels)
        api.space("default")
        api.ensure(*(v for v in answered() if not v["kind"].endswith("Binding")))
        with serving.serve(top / "cluster", top, ca) as served:
            yield Plane(top / "cluster", api, served.url, ca.cert_pem.bytes())
    finally:
        api.close()
        inside.close()
        machine.down(top / "cluster")
        process.wait()


@pytest.fixture
def dead(plane: Plane) -> Plane:
    """Webhooks that nobody answers."""
    plane.install(DEAD)
    return plane


@pytest.fixture
def alive(plane: Plane) -> Plane:
    """Webhooks that are answered; a pod without an answer is refused."""
    plane.install(plane.url)
    return plane


OFF = "initject is off: no pod is sent to it, and none needs its answer\n"
SEEN_FREE = "seen: a pod is admitted without us (namespace payments, dry run)\n"
SEEN_ANSWERED = "seen: a pod is answered by us (namespace payments, dry run)\n"


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

    shell(alive, tmp_path, save + off)
    until(lambda: alive.steps() == 0, "it is off")
    assert (0, OFF, "") == summary(alive.emergency("status"))
    shell(alive, tmp_path, on)
    until(lambda: alive.steps() == 1, "it is on")
    assert ([[], []], True) == (alive.conditions(), alive.bound())
    shell(alive, tmp_path, delete)
    assert (404, False) == (alive.api.ask("GET", CONFIGURATION).code, alive.bound())


def summary(said: tuple[int, str, str]) -> tuple[int, str, str]:
    status, out, err = said
    return status, out.splitlines(keepends=True)[-1], err


def shell(plane: Plane, folder: Path, commands: str) -> None:
    """Commands as a reader pastes them."""
    environment = {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": str(folder),
        "KUBECONFIG": str(plane.folder / "kubeconfig"),
    }
    command = machine.inside(plane.folder, "bash", "-euo", "pipefail", "-c", commands)
    subprocess.run(command, env=environment, cwd=folder, check=True, capture_output=True)


def test_off_that_stopped_half_way_goes_on(alive: Plane, operator: Callable[..., Path]) -> None:
    """Who may not delete is told what to grant; another, elsewhere, finishes it."""
    status, out, err = alive.emergency("off", kubeconfig=operator("delete"))

    rule = (
        '{apiGroups: ["admissionregistration.k8s.io"], '
        "resources: [validatingadmissionpolicybindings], verbs: [delete]}"
    )
    assert (1, "") == (status, out)
    assert f"grant it in a ClusterRole, with the rule {rule}; then run it again" in err
    assert ([[], []], True) == (alive.conditions(), alive.bound())

    assert 0 == alive.emergency("off")[0]
    assert ([["emergency-off"], ["emergency-off"]], False) == (alive.conditions(), alive.bound())
    assert 0 == alive.emergency("on")[0]
    assert ([[], []], True) == (alive.conditions(), alive.bound())


def test_on_that_stopped_half_way_goes_on(alive: Plane, operator: Callable[..., Path]) -> None:
    """The webhooks are back and the binding is not; it is still remembered."""
    alive.emergency("off")

    status, _, err = alive.emergency("on", kubeconfig=operator("create"))
    assert (1, [[], []], False) == (status, alive.conditions(), alive.bound())
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
    assert [["emergency-off"], ["emergency-off"]] == alive.conditions()


def condition(name: str) -> Json:
    return {"name": name, "expression": "true"}


def test_conditions_of_others_stay_as_they_are(plane: Plane) -> None:
    """Ours is the last while it is off, and theirs keep their order."""
    plane.install(plane.url, matchConditions=[condition("b"), condition("a")])

    plane.emergency("off")
    off = plane.conditions()
    plane.emergency("on")

    assert [["b", "a", "emergency-off"]] * 2 == off
    assert [["b", "a"]] * 2 == plane.conditions()


def test_a_webhook_without_room_is_told_before_anything_is_done(plane: Plane) -> None:
    """64 conditions are the most that Kubernetes takes."""
    plane.install(plane.url, matchConditions=[condition(f"c{n}") for n in range(64)])

    status, out, err = plane.emergency("off")

    assert (1, "") == (status, out)
    assert err.startswith("initject: webhook inject.initject.dev has 64 matchConditions")
    assert plane.bound()


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
        assert [["emergency-off"], ["emergency-off"]] == alive.conditions()
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


# The policy `answered`.


def test_pods_that_were_answered_are_accepted(alive: Plane) -> None:
    """Injected, or left as they are: the marker says that we were asked."""
    injected = alive.created(ENFORCING).body
    plain = alive.created(ENFORCING, app="other").body

    marker = "initject.dev/injected"
    assert ["wait"] == [one["name"] for one in injected["spec"]["initContainers"]]
    assert "{}" == plain["metadata"]["annotations"][marker]


def test_a_pod_that_was_not_answered_is_refused(alive: Plane) -> None:
    """Where a namespace enforces, and only there; the message says where to look."""
    found = alive.api.ask("GET", CONFIGURATION).body
    for hook in found["webhooks"]:
        hook["matchConditions"] = [{"name": "never", "expression": "false"}]
    alive.api.ask("PUT", CONFIGURATION, found)
    until(lambda: alive.created(ENFORCING).code != 201, "the webhook is not asked")

    refused = alive.created(ENFORCING)

    assert 403 == refused.code
    assert "this namespace enforces injection, and Initject was not asked" in refused.message
    assert 201 == alive.created(CONVENIENT).code


def test_a_picture_of_a_static_pod_needs_no_answer(alive: Plane) -> None:
    """The kubelet's mirror pods cannot be changed."""
    pod = web("mirror", ENFORCING, nodeName="node", automountServiceAccountToken=False)
    pod["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "1"}

    answer = alive.api.create(pod, dry_run=True)

    assert (201, "") == (answer.code, answer.message)
    assert "initContainers" not in answer.body["spec"]


def test_the_image_of_a_step_stays(alive: Plane) -> None:
    """`kubectl set image` on our container is refused, by name."""
    pod = alive.stored("image")
    pod["spec"]["initContainers"][0]["image"] = "registry.example.com/evil:1"

    answer = alive.update(pod)

    assert 403 == answer.code
    why = "the image of the injected init container wait stays as it is: change the policy"
    assert why in answer.message


@pytest.mark.parametrize("marker", [None, "{}"])
def test_the_marker_stays(alive: Plane, marker: str | None) -> None:
    """Without it the next change of an image would pass."""
    pod = alive.stored(f"marker-{'removed' if marker is None else 'changed'}")
    annotations = pod["metadata"]["annotations"]
    annotations["initject.dev/injected"] = marker
    if marker is None:
        del annotations["initject.dev/injected"]

    answer = alive.update(pod)

    assert 403 == answer.code
    assert "annotation initject.dev/injected stays as it was" in answer.message


def test_all_else_can_be_changed(alive: Plane) -> None:
    """Labels, the application's image, and init containers of others, whatever their names are."""
    image = "registry.example.com/theirs:1.0"
    others = [{"name": name, "image": image} for name in ("settings", "mounts", "volumes")]
    pod = alive.stored("free", initContainers=others)
    pod["metadata"]["labels"]["tier"] = "front"
    pod["spec"]["containers"][0]["image"] = "registry.example.com/app:2.0"
    theirs = [one for one in pod["spec"]["initContainers"] if one["name"] != "wait"]
    assert 3 == len(theirs)
    for one in theirs:
        one["image"] = "registry.example.com/theirs:2.0"

    answer = alive.update(pod)

    assert (200, "") == (answer.code, answer.message)


def test_subresources_and_deletion_are_free(alive: Plane) -> None:
    """Debugging, status, resizing and deleting never meet the policy."""
    pod = alive.stored("debugged")
    for one in pod["spec"]["initContainers"]:
        one["image"] = "registry.example.com/tools/wait:1.4"
    debugger = {"name": "debugger", "image": "registry.example.com/tools/debug:1.0"}
    debugged = {**pod, "spec": {**pod["spec"], "ephemeralContainers": [debugger]}}
    codes = [alive.update(debugged, "/ephemeralcontainers").code]
    current = alive.api.ask("GET", f"/api/v1/namespaces/{ENFORCING}/pods/debugged").body
    current["status"]["message"] = "seen"
    codes.append(alive.update(current, "/status").code)
    current = alive.api.ask("GET", f"/api/v1/namespaces/{ENFORCING}/pods/debugged").body
    codes.append(alive.update(current, "/resize").code)
    codes.append(alive.api.ask("DELETE", f"/api/v1/namespaces/{ENFORCING}/pods/debugged").code)

    assert [200, 200, 200, 200] == codes


def test_pods_from_before_stay_changeable(dead: Plane) -> None:
    """A pod that was created before the namespace enforced has no marker, and needs none."""
    dead.emergency("off")
    pod = dead.stored("old", initContainers=[{"name": "own", "image": "registry.example.com/a:1"}])
    dead.bind()
    until(lambda: dead.created(ENFORCING).code == 403, "the policy is in force")
    pod["metadata"]["labels"]["tier"] = "front"
    pod["spec"]["initContainers"][0]["image"] = "registry.example.com/a:2"

    assert 200 == dead.update(pod).code


def test_the_policy_stays_within_its_budget(alive: Plane) -> None:
    """A pod with a hundred init containers can still be changed."""
    image = "registry.example.com/theirs:1.0"
    others = [{"name": f"step-{n}", "image": image} for n in range(100)]
    pod = alive.stored("many", initContainers=others)
    for one in pod["spec"]["initContainers"]:
        one["image"] = "registry.example.com/theirs:2.0" if one["name"] != "wait" else one["image"]

    answer = alive.update(pod)

    assert (200, "") == (answer.code, answer.message)
