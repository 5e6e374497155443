"""Test results as JUnit XML, the form that CI systems read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr


@dataclass(frozen=True, slots=True)
class Result:
    """One test: a sentence, the file it is about, and why it failed (empty: it passed)."""

    name: str
    file: str
    failure: str


def document(suite: str, results: Sequence[Result]) -> str:
    """One `testsuite`."""
    failures = sum(bool(result.failure) for result in results)
    head = f'tests="{len(results)}" failures="{failures}" errors="0" skipped="0"'
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"<testsuites {head}>",
        f"<testsuite name={quoteattr(suite)} {head}>",
        *(_case(suite, result) for result in results),
        "</testsuite>",
        "</testsuites>",
        "",
    ]
    return "\n".join(lines)


def _case(suite: str, result: Result) -> str:
    subject, _, name = result.name.rpartition("/")
    classname = quoteattr(f"{suite}.{subject.replace('/', '.')}".rstrip("."))
    open_ = f"<testcase classname={classname} name={quoteattr(_xml(name))}"
    open_ += f" file={quoteattr(_xml(result.file))}"
    if not result.failure:
        return f"{open_}/>"
    first = quoteattr(_xml(result.failure.partition("\n")[0]))
    text = escape(_xml(result.failure))
    return f"{open_}><failure message={first}>{text}</failure></testcase>"


def _xml(text: str) -> str:
    """`text` without the characters that XML 1.0 cannot hold."""
    return "".join(c if c in "\t\n" or " " <= c <= "\ud7ff" or c >= "\ue000" else "?" for c in text)
