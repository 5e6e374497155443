"""Kubernetes' rules for names and label keys, told in words.

Source of every rule and number: apimachinery `pkg/util/validation/validation.go` and
kubernetes.io/docs/concepts/overview/working-with-objects/{names,labels}. Each function gives what
is wrong with a text as a clause, or an empty string when nothing is.
"""

from __future__ import annotations

import re

MAX_NAME = 63  # a label key's name part, a label value, a DNS label
MAX_SUBDOMAIN = 253  # a DNS subdomain: object names, a label key's prefix

_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
_QUALIFIED = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?")


def subdomain(text: str) -> str:
    """A DNS subdomain (RFC 1123), as the names of most objects."""
    if not text:
        return "is empty"
    if len(text) > MAX_SUBDOMAIN:
        return f"is {len(text)} characters long, {MAX_SUBDOMAIN} are allowed"
    if all(_LABEL.fullmatch(part) for part in text.split(".")):
        return ""
    return (
        "must consist of lower-case letters, digits, '-' and '.', "
        "and begin and end with a letter or digit (so must each part between dots)"
    )


def label(text: str) -> str:
    """A DNS label (RFC 1123), as the names of containers and namespaces."""
    if not text:
        return "is empty"
    if len(text) > MAX_NAME:
        return f"is {len(text)} characters long, {MAX_NAME} are allowed"
    if _LABEL.fullmatch(text):
        return ""
    return (
        "must consist of lower-case letters, digits and '-', "
        "and begin and end with a letter or digit"
    )


def key(text: str) -> str:
    """The key of a label or an annotation: `name` or `prefix/name`."""
    prefix, slash, name = text.rpartition("/")
    if slash:
        fault = "has more than one '/'" if "/" in prefix else subdomain(prefix)
        if fault:
            return fault if "/" in prefix else f"has a prefix before '/' that {fault}"
    if not name:
        return "has nothing after its '/'" if slash else "is empty"
    if len(name) > MAX_NAME:
        return f"has a name of {len(name)} characters, {MAX_NAME} are allowed"
    return "" if _QUALIFIED.fullmatch(name) else f"has a name that {_QUALIFIED_RULE}"


def label_value(text: str) -> str:
    """The value of a label; it may be empty."""
    if len(text) > MAX_NAME:
        return f"is {len(text)} characters long, {MAX_NAME} are allowed in the value of a label"
    if not text or _QUALIFIED.fullmatch(text):
        return ""
    return f"cannot be the value of a label: it {_QUALIFIED_RULE}"


_QUALIFIED_RULE = (
    "must consist of letters, digits, '-', '_' and '.', and begin and end with a letter or digit"
)
