from __future__ import annotations

from webhook.policy import load
from webhook.policy.index import PolicySet
from webhook.policy.namespace import Namespace
from webhook.store.namespaces import Namespaces
from webhook.store.policies import Policies

POLICY = """\
apiVersion: initject.dev/v1alpha1
kind: ClusterInitPolicy
metadata: {name: %s}
spec:
  steps: [{name: step, container: {image: "registry.example.com/a:1"}}]
"""


def _set(name: str) -> PolicySet:
    return load.load([("policy.yaml", POLICY % name)]).policies


def test_the_policies_in_force_are_replaced_as_a_whole() -> None:
    """A reader keeps the set it got; the next one gets the new set."""
    first, second = _set("one"), _set("two")
    cell = Policies(first)
    got = cell.get()
    cell.replace(second)

    assert first is got
    assert second is cell.get()


def test_each_set_in_force_is_counted() -> None:
    """The version grows with each replacement, by an equal set too."""
    cell = Policies(_set("one"))
    assert cell.version == 1

    cell.replace(_set("one"))
    assert cell.version == 2


def test_without_a_source_no_namespace_is_known() -> None:
    """No source and an empty source are two things: of the first nothing is known."""
    assert (False, None, 0) == (
        Namespaces().known,
        Namespaces().get("default"),
        len(Namespaces()),
    )
    assert (True, None) == (Namespaces({}).known, Namespaces({}).get("default"))


def test_namespaces_are_found_by_name() -> None:
    """A known namespace is given with its labels, another one is not known."""
    payments = Namespace("payments", {"team": "payments"})
    cell = Namespaces({"payments": payments})

    assert payments == cell.get("payments")
    assert cell.get("other") is None
    assert len(cell) == 1


def test_namespaces_are_replaced_as_a_whole() -> None:
    """What the new source does not name is not known any more."""
    cell = Namespaces({"old": Namespace("old")})
    cell.replace({"new": Namespace("new")})
    assert (None, Namespace("new")) == (cell.get("old"), cell.get("new"))

    cell.replace(None)
    assert cell.known is False
