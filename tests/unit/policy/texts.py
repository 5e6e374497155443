"""Policies as text, for the tests of this room."""

from __future__ import annotations

import textwrap

from webhook.document import read
from webhook.document.problem import Problem
from webhook.policy import parse

FILE = "policy.yaml"

MINIMAL = """\
apiVersion: initject.dev/v1alpha1
kind: ClusterInitPolicy
metadata:
  name: minimal
spec:
  steps:
    - name: step
      container:
        image: registry.example.com/tool:1.0
"""


def policy(spec: str, *, kind: str = "ClusterInitPolicy", metadata: str = "{name: sample}") -> str:
    """A policy with `spec` as its spec; its first line is line 5 of the text."""
    head = f"apiVersion: initject.dev/v1alpha1\nkind: {kind}\nmetadata: {metadata}\nspec:\n"
    return head + textwrap.indent(textwrap.dedent(spec), "  ")


def parsed(*texts: str) -> parse.Parsed:
    """What is in one file of several documents."""
    documents, problems = read.read("\n---\n".join(texts), file=FILE)
    assert problems == []
    return parse.parse(documents)


def told(problems: tuple[Problem, ...]) -> list[str]:
    """Each problem in a line, without the file."""
    return [str(p).removeprefix(f"{FILE}:") for p in sorted(problems)]
