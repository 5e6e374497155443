"""Reading YAML: values as kubectl sees them, and everything wrong with a text in one go."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.document import nodes, read, scalar
from webhook.document.place import Mark
from webhook.document.problem import Finding, Problem


def only(text: str) -> read.Document:
    documents, problems = read.read(text, file="f.yaml")
    assert [] == problems
    (document,) = documents
    return document


def told(text: str) -> list[str]:
    return [str(problem) for problem in read.read(text, file="f")[1]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yes", True),
        ("y", True),
        ("Off", False),
        ("yEs", "yEs"),
        ("null", None),
        ("~", None),
        ("", None),
        ("1", 1),
        ("+12", 12),
        ("0x1F", 31),
        ("0o17", 15),
        ("017", 15),
        ("08", 8),
        ("0b11", 3),
        ("1_000", 1000),
        ("1e3", 1000),
        ("1.0", 1),
        ("0.5", 0.5),
        (".5", 0.5),
        ("1.", 1),
        ("1e400", "1e400"),
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", float(2**64)),
        ("-9223372036854775808", -(2**63)),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("1.2.3", "1.2.3"),
        ("-", "-"),
        (".inf", math.inf),
    ],
)
def test_a_plain_scalar_is_what_kubectl_takes_it_for(text: str, expected: object) -> None:
    """Numbers, booleans and nulls are those of YAML 1.1 as sigs.k8s.io/yaml reads it."""
    value = scalar.resolve(text)
    assert (expected, type(expected)) == (value, type(value))


def test_values_are_plain_json_in_the_order_written() -> None:
    """Maps keep their order; quoted scalars are texts."""
    value = only("b: [1, '2', \"3\", x]\na:\n  d: null\n  c: |\n    line\n").value
    assert {"b": [1, "2", "3", "x"], "a": {"d": None, "c": "line\n"}} == value
    assert isinstance(value, dict)
    assert ["b", "a"] == list(value)


def test_every_document_of_a_stream_is_read() -> None:
    """Empty documents are none."""
    documents, problems = read.read("---\na: 1\n---\n# nothing\n---\nb: 2\n...\n", file="f")
    assert ([{"a": 1}, {"b": 2}], []) == ([document.value for document in documents], problems)


def test_a_broken_document_does_not_hide_the_others() -> None:
    """What comes before and after a broken document is read, with its own lines."""
    documents, problems = read.read("a: 1\n---\nb: c: d\n---\ne: 1\ne: 2\n", file="f")
    assert [{"a": 1}, {"e": 1}] == [document.value for document in documents]
    assert [(3, 5), (6, 1)] == [(problem.line, problem.column) for problem in problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", "f:3:1: a: set twice, first on line 1; remove one of the two"),
        ("a:\n\tb: 1\n", "f:2:1: a tab where YAML wants spaces; indent with spaces"),
        ("a: b: c\n", "f:1:5: a second `: ` in one line; quote the value"),
        ("a: b\n c: d\n", "f:2:3: a key where the value of the line above goes on; check the "
         "indentation of this line, and that the one above is `key: value`"),
        ("key:value\nb: 1\n", "f:2:2: a key where the value of the line above goes on; check the "
         "indentation of this line, and that the one above is `key: value`"),
        ("a: [1, 2\nb: 3\n", "f:1:4: a `[` that is not closed; write `]` at its end"),
        ("a: {b: 1\n", "f:1:4: a `{` that is not closed; write `}` at its end"),
        ("a: 'x\n", "f:1:4: a quote that is not closed; close the quote, or put another quote "
         "around a text that contains one"),
        ("- a\nb: c\n", "f:2:1: the line is no further entry of the list above; check the "
         "indentation of this line and of those above it; spaces only, no tabs"),
        ("a: b #c\n d\n", "f:2:2: the line does not fit in with those above; check the "
         "indentation of this line and of those above it; spaces only, no tabs"),
        ("a: 'it's'\n", "f:1:8: something after a closing quote; close the quote, or put another "
         "quote around a text that contains one"),
        ("a: @x\n", "f:1:4: no value can start with `@`; quote the value"),
        ("a: *x\n", "f:1:4: an alias without anchor; quote the value if it starts with `*`"),
        ("a: !foo 1\n", "f:1:4: a: the tag `!foo` has no meaning in Kubernetes; drop it"),
        ("a: !!set {}\n", "f:1:4: a: the tag `!!set` has no meaning in Kubernetes; drop it"),
        ("a: !!int x\n", "f:1:4: a: `x` is no int; correct the value or drop the tag"),
        ("a: .nan\n", "f:1:4: a: `.nan` is a number that JSON does not have; quote it"),
        ("a: \x07\n", "f:1:4: a character that YAML does not allow (U+0007); remove it, or "
         "write it as an escape in quotes"),
        ("~: x\n", "f:1:1: the key `~` is no text; quote it"),
        ("? [a]\n: b\n", "f:1:3: a key must be a text; write `key: value`"),
        ("on: x\n", 'f:1:1: the key `on` is no text; it is read as "true"; quote it'),
        ('a: "\\d"\n', "f:1:5: an escape that YAML does not know; write `\\\\` for a backslash, "
         "or use single quotes"),
        ("a: &x [*x]\n", "f:1:4: a[0]: an alias inside of what it repeats; write the value out"),
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place_and_what_to_do(text: str, expected: str) -> None:
    """Each fault of YAML has a sentence an author can act on."""
    assert [expected] == told(text)


def test_an_alias_bomb_is_refused_cheaply() -> None:
    """Aliases that would repeat billions of values are named, not followed."""
    bomb = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
        f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10)
    )
    (problem,) = read.read(bomb, file="f")[1]
    assert "aliases repeat more than 100,000 values" == problem.what


@pytest.mark.parametrize("levels", [300, 5000])
def test_deep_nesting_is_refused(levels: int) -> None:
    """Neither a deep nor a very deep text reaches a limit of Python."""
    (problem,) = read.read("[" * levels + "]" * levels, file="f")[1]
    assert problem.what.startswith("nested")


def test_merges_that_repeat_each_other_are_searched_once() -> None:
    """Looking for the place of what is not there ends, however often mappings are merged."""
    text = "a0: &a0 {p: 1}\n" + "".join(
        f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 12)
    )
    documents, _ = read.read(text, file="f")
    assert Mark(12, 6) == documents[0].mark(("a11", "q"))


def test_aliases_and_merge_keys_mean_what_they_mean_to_kubectl() -> None:
    """YAML 1.1 merges: own keys win, of several sources the earlier one."""
    text = "a: &a {p: 1, q: 1}\nb: &b {q: 2, r: 2}\nc: {<<: [*a, *b], p: 0}\nd: *a\n"
    value = only(text).value
    assert isinstance(value, dict)
    assert ({"p": 0, "q": 1, "r": 2}, {"p": 1, "q": 1}) == (value["c"], value["d"])


POLICY = """\
kind: X
spec:
  steps:
    - name: a
      container:
        image: "b:1"
        args: [one, two]
        workingDir:
  empty: {}
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("kind",), (1, 7)),
        (("spec",), (2, 1)),
        (("spec", "steps"), (3, 3)),
        (("spec", "steps", 0), (4, 7)),
        (("spec", "steps", 0, "container"), (5, 7)),
        (("spec", "steps", 0, "container", "image"), (6, 16)),
        (("spec", "steps", 0, "container", "args", 1), (7, 21)),
        (("spec", "steps", 0, "container", "workingDir"), (8, 9)),
        (("spec", "steps", 0, "container", "missing", 3), (5, 7)),
        (("spec", "steps", 9), (3, 3)),
        (("spec", "empty"), (9, 10)),
        ((), (1, 1)),
    ],
    ids=repr,
)
def test_a_path_has_a_place(path: tuple[str | int, ...], expected: tuple[int, int]) -> None:
    """The value's own place; its key's for blocks and nothing; the parent's for what is missing."""
    assert Mark(*expected) == only(POLICY).mark(path)


def test_a_key_has_a_place_of_its_own() -> None:
    """For a fault of the key itself."""
    assert Mark(6, 9) == only(POLICY).mark(("spec", "steps", 0, "container", "image"), key=True)


@pytest.mark.parametrize(
    ("text", "offset", "expected"),
    [
        ("e: object.x", 7, (1, 11)),
        ("e: 'it''s x'", 5, (1, 11)),
        ('e: "a\\tb\\u0041c"', 4, (1, 15)),
        ("e: |\n  one\n  two\n", 5, (3, 4)),
        ("e: |2\n    one\n  two\n", 7, (3, 4)),
        ("a:\n  e: |-\n    one\n\n      two\n", 8, (5, 8)),
        ("e: >\n  one\n  two three\n", 8, (3, 7)),
        ("e: one\n  two\n  three\n", 5, (2, 4)),
        ("e: 'one\n  two'\n", 5, (2, 4)),
    ],
    ids=repr,
)
def test_a_character_inside_a_scalar_has_a_place(
    text: str, offset: int, expected: tuple[int, int]
) -> None:
    """A fault inside of an expression is shown where it stands, however the text is written."""
    document = only(text)
    path = ("a", "e") if text.startswith("a") else ("e",)
    problem = document.problem(Finding(path, "wrong", offset=offset))
    assert expected == (problem.line, problem.column)


def test_a_later_document_counts_lines_of_the_file() -> None:
    """Also after a broken one."""
    documents, _ = read.read("a: b: c\n---\nx:\n  z: 1\n", file="f")
    assert "f:4:6: x.z: bad" == str(documents[0].problem(Finding(("x", "z"), "bad")))


STREAMS = st.lists(
    st.sampled_from(
        [
            *("a: 1\n", "- x\n", "b:\n  c: d\n", "{a: [1, é]}\n", "--- ", "---\n", "...\n"),
            *("# c\n", "%TAG !e! tag:e,2000:\n", "!e!x y\n", "|\n  text\n", "'q\n\n  z'\n"),
            *("\r\n", " ", "&a b\n", "é😀\n", "? k\n", ": v\n", "\x85"),
        ]
    ),
    max_size=12,
).map("".join)


@given(STREAMS)
def test_places_are_those_in_the_whole_text(text: str) -> None:
    """Each document finds its places in its own part of the text; they are the file's."""
    documents, problems = read.read(text, file="f")
    if problems:
        return
    roots = [root for root in nodes.compose(text) if root.value or root.tag != nodes.PLAIN]

    assert [(root.start_mark.line + 1, root.start_mark.column + 1) for root in roots] == [
        (mark.line, mark.column) for mark in (document.mark(()) for document in documents)
    ]


@given(st.text(st.sampled_from("a1:-[]{}&*!|>'\"#%@ \n\t,?~<=.é\x85"), max_size=60))
def test_any_text_is_read_or_told(text: str) -> None:
    """No text raises: it gives documents, or problems with a place in it."""
    documents, problems = read.read(text, file="f")
    assert all(1 <= problem.line <= len(text) + 1 for problem in problems)
    assert all(document.mark(("a", 0)).line >= 1 for document in documents)


@given(st.binary(max_size=60))
def test_any_bytes_that_are_text_are_read_or_told(data: bytes) -> None:
    """Latin-1 makes a text of any bytes."""
    read.read(data.decode("latin-1"), file="f")


def test_what_never_was_text_has_no_places() -> None:
    """Values of an API server: a problem has its field, and neither line nor column."""
    document = read.plain({"a": [1]})

    problem = document.problem(Finding(("a", 0), "is one", offset=3))

    assert Mark(0, 0) == document.mark(("a",))
    assert Problem("", 0, 0, "a[0]", "is one") == problem
