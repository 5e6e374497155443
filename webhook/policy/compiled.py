"""A policy ready for matching: selectors, globs and expressions compiled, everything frozen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from webhook.expression.environment import Expression
from webhook.expression.reads import Reads
from webhook.expression.template import Template
from webhook.policy.expand import Origins
from webhook.policy.glob import Glob
from webhook.policy.selector import Selector

Path = tuple[str | int, ...]


# In the order in which they are asked: cheap ones first, for a review stops at the first that does
# not hold; the selector of namespaces last, since it alone can be unknown.
CLAUSES = ("namespaces", "workloads", "service_accounts", "pod_selector", "annotations", "images",
           "namespace_selector")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Clauses:
    """A `match` or one entry of `exclude`: what is None is no clause, the rest must all hold.

    `present` names and holds those that are not None, in the order of `CLAUSES`.
    """

    namespace_selector: Selector | None = None
    namespaces: tuple[Glob, ...] | None = None
    pod_selector: Selector | None = None
    annotations: tuple[tuple[str, Glob], ...] | None = None
    workloads: tuple[str, ...] | None = None
    service_accounts: tuple[Glob, ...] | None = None
    images: tuple[Glob, ...] | None = None
    present: tuple[tuple[str, Any], ...] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        all_ = ((name, getattr(self, name)) for name in CLAUSES)
        object.__setattr__(self, "present", tuple(one for one in all_ if one[1] is not None))


@dataclass(frozen=True, slots=True)
class Condition:
    """A named CEL expression that must be true."""

    name: str
    expression: Expression


Source = Literal["podAnnotation", "podLabel", "namespaceAnnotation", "namespaceLabel"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """What application teams may choose. `default` is already of the parameter's type.

    `read` turns the text of a source into a value of the type, or raises ValueError with the
    reason (never the value).
    """

    name: str
    type: Literal["string", "integer", "boolean", "duration", "quantity"]
    sources: tuple[tuple[Source, str], ...]
    default: object | None
    bounded: bool  # has a pattern or an enum
    read: Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Borrow:
    """What a step takes from the first application container whose name `container` fits."""

    container: Glob
    image: bool
    env: tuple[Glob, ...]
    env_from: bool
    volume_mounts: tuple[Glob, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One injected container. `container` is raw and in stored form, holes still unfilled.

    `holes` says where templates stand in it, `guarded` that one fills a field which the API server
    checks (a mount path, a name), so that the filled container has to be checked too. `place` is
    the step in the policy as it is written (`steps[0]`), `sources` the field that each hole comes
    from. `network` says that a recipe talks to others, `dns` that it does so by names.
    """

    name: str
    os: str
    container: Mapping[str, Any]
    holes: tuple[tuple[Path, Template], ...]
    borrow: Borrow | None
    sidecar: bool
    guarded: bool
    network: bool
    dns: bool
    place: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MountInto:
    """Where application containers see a volume. `mount` is the raw volumeMount."""

    containers: tuple[Glob, ...]
    mount: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Volume:
    """A further volume: raw and in stored form, `name` included.

    `refilled` says that it is an emptyDir of a recipe: each new pod gets what was in it.
    """

    name: str
    volume: Mapping[str, Any]
    mount_into: tuple[MountInto, ...]
    refilled: bool


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """One policy in force. `namespace` is empty for a ClusterInitPolicy.

    `key` is `name`, or `namespace/name`: how reasons, metrics and annotations call this policy.
    `names` are those of its steps, `listed` is their list for people; `linux` says that all of them
    are for that system.
    """

    name: str
    namespace: str
    match: Clauses
    exclude: tuple[Clauses, ...]
    conditions: tuple[Condition, ...]
    parameters: tuple[Parameter, ...]
    steps: tuple[Step, ...]
    volumes: tuple[Volume, ...]
    origins: Origins  # of steps and volumes, in their order
    order: int
    last: bool
    before: tuple[Glob, ...]
    after: tuple[Glob, ...]
    dns: bool  # a recipe of it talks to others by names
    meshed: bool  # a recipe of it talks to others, and goes where a mesh lets it
    reject_conflict: bool
    reject_error: bool
    forbid_opt_out: bool
    audit: bool
    pulled: bool  # has an image of a recipe
    sized: bool  # writes resources itself: injecting it may cost
    reads: Reads  # of all its expressions and templates
    cost: int  # of all its expressions and templates together, in the unit of `expression.bounds`
    needs_namespace: bool  # depends on a namespace's labels or annotations
    key: str = field(init=False)
    names: tuple[str, ...] = field(init=False)
    listed: str = field(init=False)
    linux: bool = field(init=False)

    def __post_init__(self) -> None:
        key = f"{self.namespace}/{self.name}" if self.namespace else self.name
        object.__setattr__(self, "key", key)
        object.__setattr__(self, "names", tuple(step.name for step in self.steps))
        object.__setattr__(self, "listed", ", ".join(self.names))
        object.__setattr__(self, "linux", all(step.os == "linux" for step in self.steps))

    @property
    def rank(self) -> tuple[bool, int, str, str]:
        """Sorts policies as they are planned: cluster policies first, then order, then name."""
        return (bool(self.namespace), self.order, self.namespace, self.name)
