"""Texts that must have a form: names, keys, paths. Each function says what is wrong, or nothing.

Source: apimachinery `pkg/util/validation/validation.go` and kubernetes
`pkg/apis/core/validation/validation.go`, 0.37.
"""

from __future__ import annotations

import re

MAX_PORT_NAME = 15  # RFC 6335
MAX_KEY = 253  # of a ConfigMap or Secret

_PORT_NAME = re.compile(r"[-a-z0-9]+")
_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_ENV = re.compile(r"[ -<>-~]+")
_OLD_ENV = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_HEADER = re.compile(r"[-A-Za-z0-9]+")
_HOLE = re.compile(r"(?<!\$)(?:\$\$)*\$\{")


def is_template(text: str) -> bool:
    """Whether the text has a hole, so that nobody can know yet what it will be."""
    return "${" in text and _HOLE.search(text) is not None


def port_name(text: str) -> str:
    """The name of a container port."""
    if len(text) > MAX_PORT_NAME:
        return f"is {len(text)} characters long, {MAX_PORT_NAME} are allowed"
    if not _PORT_NAME.fullmatch(text) or not any(c.isalpha() for c in text):
        return "must consist of lower-case letters, digits and '-', with at least one letter"
    if "--" in text or text.startswith("-") or text.endswith("-"):
        return "must not begin or end with '-', nor have two in a row"
    return ""


def config_key(text: str) -> str:
    """A key of a ConfigMap or Secret."""
    if len(text) > MAX_KEY:
        return f"is {len(text)} characters long, {MAX_KEY} are allowed"
    if not _KEY.fullmatch(text) or text == "." or text.startswith(".."):
        return "must consist of letters, digits, '-', '_' and '.', and not begin with '..'"
    return ""


def env_name(text: str) -> str:
    """The name of an environment variable, as Kubernetes takes it since 1.34."""
    return "" if _ENV.fullmatch(text) else "must be printable ASCII without '='"


def is_old_env_name(text: str) -> bool:
    """Whether clusters before 1.34 take the name too."""
    return _OLD_ENV.fullmatch(text) is not None


def header(text: str) -> str:
    """The name of an HTTP header."""
    return "" if _HEADER.fullmatch(text) else "must consist of letters, digits and '-'"


def no_backsteps(text: str) -> str:
    """A path that never goes up."""
    return "must not contain '..'" if ".." in text.split("/") else ""


def descending(text: str) -> str:
    """A relative path that never goes up."""
    return "must be a relative path" if text.startswith("/") else no_backsteps(text)


def local(text: str) -> str:
    """A relative path that never goes up and whose first name does not begin with two dots."""
    fault = descending(text)
    return fault or ("must not begin with '..'" if text.startswith("..") else "")


def absolute(text: str) -> str:
    """A path from the root."""
    return "" if text.startswith("/") else "must be an absolute path"


def trimmed(text: str) -> str:
    """A text without space around it."""
    return "" if text == text.strip() else "has space around it"
