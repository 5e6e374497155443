"""Laws of checks: whatever stands in a field, it is read or told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster import test_crds
from webhook.policy import load

Path = tuple[str | int, ...]


def paths(value: Any, path: Path) -> Iterator[Path]:
    yield path
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(item, (*path, key))


PLACES = [path for path in paths(test_crds.EVERYTHING["steps"], ("steps",)) if len(path) > 2]
VALUES = (..., None, 3, -1, "", "x", "${nope(", "${object.metadata.name}", {}, [], True)


@given(st.sampled_from(PLACES), st.sampled_from(VALUES))
def test_one_wrong_field_is_told_or_right(path: Path, value: Any) -> None:
    """A policy of which a part cannot be read is looked through to its end all the same."""
    changed = test_crds.changed("ClusterInitPolicy", path, value)
    container = changed["spec"]["steps"][0].get("container")
    if isinstance(container, dict):
        container.pop("fieldOfTomorrow", None)

    found = load.load([("policy.yaml", yaml.safe_dump(changed))])

    assert found.errors or len(found.policies.policies) == 1
