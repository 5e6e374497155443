"""Writing YAML: what comes out reads back as the same, for us and for other readers."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from webhook.document import read, write

texts = st.text(st.characters(codec="utf-8"), max_size=30)
tricky = st.text(st.sampled_from("yesnoY0123456789+-.:_eExob ,#'\"\n\t{}[]&*!|>%@~"), max_size=12)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | tricky
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts | tricky, inner, max_size=4),
    max_leaves=12,
)


def back(text: str) -> list[object]:
    documents, problems = read.read(text, file="x")
    assert [] == problems
    return [document.value for document in documents]


@given(st.lists(st.dictionaries(texts | tricky, values, max_size=4), max_size=3))
def test_what_is_written_reads_back_the_same(written: list[dict[str, object]]) -> None:
    """Any JSON objects survive writing and reading, in number, order and type."""
    read_back = back(write.write(written))
    assert written == read_back
    assert [list(value) for value in written] == [list(value) for value in read_back]  # type: ignore[call-overload]


@given(texts | tricky)
def test_a_text_stays_a_text_for_other_readers(text: str) -> None:
    """A YAML 1.1 reader with another idea of numbers reads the same text."""
    assert {"key": text} == yaml.safe_load(write.write([{"key": text}]))


AMBIGUOUS = """
yes no on off y N true null ~ 1 0x1F 0o7 010 1e3 1_000 1:30 12:30:45 2024-01-01 .5 +1 - = << .inf
1.36 0b1
"""


@pytest.mark.parametrize("text", ["", *AMBIGUOUS.split()])
def test_a_text_that_looks_like_something_else_is_quoted(text: str) -> None:
    """Words and numbers of any YAML version are quoted."""
    assert f"a: '{text}'\n" == write.write([{"a": text}])


@pytest.mark.parametrize(
    "text", ["nginx:1.27", "a b", "/etc/app", "sh", "-c", "https://x/y?z=1", "é", "1Gi", "500m"]
)
def test_a_plain_text_stays_plain(text: str) -> None:
    """Nothing is quoted without need."""
    assert f"a: {text}\n" == write.write([{"a": text}])


def test_several_lines_become_a_block() -> None:
    """A script stays readable."""
    written = {"args": ["-c", "set -e\necho 'a: b'  # c\n\n  exec app\n"]}
    expected = "args:\n- -c\n- |\n  set -e\n  echo 'a: b'  # c\n\n    exec app\n"
    assert expected == write.write([written])


def test_documents_are_separated() -> None:
    """A stream has `---` between its documents, and none around a single one."""
    assert "a: 1\n---\nb: []\nc: {}\n" == write.write([{"a": 1}, {"b": [], "c": {}}])


def test_nothing_is_an_empty_text() -> None:
    """No value, no document."""
    assert "" == write.write([])


def test_the_same_object_is_written_twice() -> None:
    """Anchors and aliases are never made."""
    shared = {"x": 1}
    assert "a:\n  x: 1\nb:\n  x: 1\n" == write.write([{"a": shared, "b": shared}])


def test_long_lines_are_not_folded() -> None:
    """A long command stays on one line."""
    command = " ".join(["word"] * 60)
    assert f"a: {command}\n" == write.write([{"a": command}])
