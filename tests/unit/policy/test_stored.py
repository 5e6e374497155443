"""The stored form: what of a container and a volume the API server keeps."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.policy import container
from webhook.policy.apiserver import shape


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"name": "a", "command": [], "args": [""]}, {"name": "a", "args": [""]}),
        ({"workingDir": "", "tty": False, "stdin": True}, {"stdin": True}),
        ({"env": [{"name": "A", "value": ""}]}, {"env": [{"name": "A"}]}),
        ({"volumeMounts": [{"name": "v", "mountPath": "/a", "readOnly": False}]},
         {"volumeMounts": [{"name": "v", "mountPath": "/a"}]}),
        ({"ports": [{"containerPort": 80, "hostPort": 0}]}, {"ports": [{"containerPort": 80}]}),
        ({"resources": {"requests": {"cpu": 0.5, "memory": "1024Mi"}, "limits": {}}},
         {"resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}}),
        ({"resources": {"requests": {"cpu": "1.2345"}}},
         {"resources": {"requests": {"cpu": "1235m"}}}),
        ({"resources": {}}, {"resources": {}}),
        ({"resources": None, "env": None}, {}),
        ({"securityContext": {"allowPrivilegeEscalation": False, "runAsUser": 0,
                              "capabilities": {"add": [], "drop": ["ALL"]}}},
         {"securityContext": {"allowPrivilegeEscalation": False, "runAsUser": 0,
                              "capabilities": {"drop": ["ALL"]}}}),
        ({"securityContext": {}}, {"securityContext": {}}),
        ({"env": [{"valueFrom": {"secretKeyRef": {"name": "", "key": "k", "optional": False}}}]},
         {"env": [{"valueFrom": {"secretKeyRef": {"key": "k", "optional": False}}}]}),
        ({"startupProbe": {"periodSeconds": 0, "terminationGracePeriodSeconds": 0}},
         {"startupProbe": {"terminationGracePeriodSeconds": 0}}),
        ({"aNewField": {"x": []}, "env": "wrong"}, {"aNewField": {"x": []}, "env": "wrong"}),
        ({"resources": {"requests": {"cpu": "${parameters.cpu}"}}},
         {"resources": {"requests": {"cpu": "${parameters.cpu}"}}}),
    ],
    ids=repr,
)  # fmt: skip
def test_a_container_keeps_what_the_api_server_keeps(
    written: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Empty and false things go, pointers and structs stay, quantities become canonical."""
    assert expected == container.stored(written)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"name": "v", "emptyDir": {}}, {"name": "v", "emptyDir": {}}),
        ({"name": "v", "emptyDir": {"medium": "", "sizeLimit": "1.5Gi"}},
         {"name": "v", "emptyDir": {"sizeLimit": "1536Mi"}}),
        ({"name": "v", "emptyDir": {"sizeLimit": "1.2345"}},
         {"name": "v", "emptyDir": {"sizeLimit": "1234500u"}}),
        ({"configMap": {"name": "c", "items": [], "defaultMode": 0, "optional": False}},
         {"configMap": {"name": "c", "defaultMode": 0, "optional": False}}),
        ({"csi": {"driver": "d", "readOnly": False}}, {"csi": {"driver": "d", "readOnly": False}}),
        ({"nfs": {"server": "s", "path": "/", "readOnly": False}},
         {"nfs": {"server": "s", "path": "/"}}),
        ({"hostPath": {"path": "/x", "type": ""}}, {"hostPath": {"path": "/x", "type": ""}}),
    ],
    ids=repr,
)  # fmt: skip
def test_a_volume_keeps_what_the_api_server_keeps(
    written: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Volumes are stored by the same rule; their sizes are not rounded to thousandths."""
    assert expected == container.stored_volume(written)


def values(type_name: str, depth: int = 3) -> st.SearchStrategy[Any]:
    """Values of a type of the schema: any subset of its fields, empty and zero values often."""
    scalars: dict[str, st.SearchStrategy[Any]] = {
        "string": st.sampled_from(["", "a", "${object.kind}"]),
        "integer": st.integers(0, 2),
        "boolean": st.booleans(),
        "quantity": st.sampled_from(["0", "0.5", "1024Mi", 1, 0.5, "1e3", "8Mi", "x"]),
        "int-or-string": st.sampled_from([0, 80, "http", ""]),
        "any": st.just({}),
    }

    def of(field: shape.Field) -> st.SearchStrategy[Any]:
        one = (
            scalars[field.kind]
            if field.kind != "struct"
            else values(field.of, depth - 1)
            if depth
            else st.just({})
        )
        if field.many == "list":
            one = st.lists(one, max_size=2)
        elif field.many == "map":
            one = st.dictionaries(st.sampled_from(["cpu", "memory"]), one)
        return st.none() | one

    fields = shape.types()[type_name].items()
    return st.fixed_dictionaries({}, optional={name: of(field) for name, field in fields})


@given(values("Container"))
def test_what_is_stored_is_in_stored_form(written: dict[str, Any]) -> None:
    """Storing twice changes nothing."""
    once = container.stored(written)
    assert once == container.stored(once)


@given(values("Volume", depth=2))
def test_what_is_stored_of_a_volume_is_in_stored_form(written: dict[str, Any]) -> None:
    """Storing a volume twice changes nothing."""
    once = container.stored_volume(written)
    assert once == container.stored_volume(once)
