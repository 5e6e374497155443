from __future__ import annotations

from typing import Any

from webhook.cluster.policies import judge
from webhook.recipes.defaults import Defaults

KIND = "ClusterInitPolicy"


def stored(**spec: object) -> dict[str, Any]:
    """A policy as the API server gives it."""
    container = {
        "image": "registry.example.com/a:1",
        "args": ["- |\n  two\u2028lines\t\U0001f600\n"],
    }
    return {
        "metadata": {
            "name": "one",
            "uid": "u",
            "generation": 3,
            "resourceVersion": "7",
            "managedFields": [{"manager": "kubectl", "operation": "Apply"}],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
        },
        "spec": {"steps": [{"name": "step", "container": container}], **spec},
        "status": {"problems": []},
    }


def test_an_object_is_compiled_as_it_is_stored() -> None:
    """What the API server adds is no matter; every text comes through as it is."""
    found = judge(KIND, stored(), Defaults())

    assert found.policy is not None
    assert ("one", ()) == (found.policy.key, found.problems)
    assert ("u", 3, "7", 1) == (found.uid, found.generation, found.version, found.steps)
    assert ["- |\n  two\u2028lines\t\U0001f600\n"] == found.policy.steps[0].container["args"]


def test_a_wrong_object_says_which_field_is_wrong() -> None:
    """No policy, and each problem begins with the path of its field in the object."""
    conditions = [{"name": "typo", "expression": "objekt.spec"}]
    found = judge(KIND, stored(conditions=conditions, order="first"), Defaults())

    assert found.policy is None
    assert ["spec.conditions[0].expression", "spec.order"] == sorted(
        problem.field for problem in found.errors
    )


def test_a_warning_keeps_no_policy_out_of_force() -> None:
    """It is among the problems of a policy that is in force."""
    found = judge(
        KIND,
        stored(optOut="Forbid", onConflict="Reject", onError="Reject", mode="Audit"),
        Defaults(),
    )

    assert found.policy is not None
    assert [problem.field for problem in found.problems] == ["spec.mode"]
