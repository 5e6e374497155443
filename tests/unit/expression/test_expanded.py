"""Values in fields in which the kubelet expands `$(NAME)`."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from webhook.expression import template
from webhook.expression.activation import Scope
from webhook.expression.reads import Reads


def expand(text: str) -> str:
    """What the kubelet makes of a text: `$$` is `$`, `$(NAME)` the variable's value."""
    return re.sub(r"\$\$|\$\(([^)]*)\)", lambda m: "SECRET" if m[1] is not None else "$", text)


@given(st.text("$()ab", max_size=8), st.sampled_from(("", "x", "$ ", "(")))
def test_a_value_reaches_the_container_as_it_is(value: str, before: str) -> None:
    """No value, whatever stands in front of it, becomes a variable; none is changed."""
    hole = template.parse(before + "${parameters.v}${parameters.v}", parameters={"v": "string"})
    scope = Scope(object={}, request={}, namespace=None, reads=Reads.none())
    filled = hole.render(scope, {"v": value}, expanded=True)

    assert before + value + value == expand(filled)
