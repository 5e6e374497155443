"""What a policy can see of a namespace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NAME_LABEL = "kubernetes.io/metadata.name"  # set by the API server on every Namespace


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace's name, labels and annotations (no other part of the object is kept)."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
