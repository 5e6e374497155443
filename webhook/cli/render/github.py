"""Problems as annotations of a pull request (GitHub's workflow commands)."""

from __future__ import annotations

from webhook.document.problem import Problem


def line(problem: Problem) -> str:
    """`::error file=…,line=…,col=…,title=…::message`, escaped by the rules of that syntax."""
    place = f"file={_property(problem.file)}"
    if problem.line:
        place += f",line={problem.line},col={problem.column}"
    title = f",title={_property(problem.field)}" if problem.field else ""
    advice = f"; {problem.advice}" if problem.advice else ""
    return f"::{problem.severity} {place}{title}::{_data(problem.what + advice)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
