"""Names of containers, volumes and namespaces, as an author writes them."""

from __future__ import annotations

from webhook.form import name as names
from webhook.form.form import Pattern, Text

LABEL = Pattern(
    "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
    "consist of lower-case letters, digits and '-', beginning and ending with a letter or digit",
    "-",
)
NAME = Text(names.MAX_NAME, pattern=LABEL)
CONTAINERS = Text(
    512,
    pattern=Pattern(
        r"^[-a-z0-9*]+$",
        "be the name of a container (lower-case letters, digits, '-'), or a glob",
        "-",
    ),
)
