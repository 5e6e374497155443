"""The fields of a policy: the one model behind parsing, the CRDs, the editors' schema and the docs.

Every description here is read by users: in `kubectl explain`, in editors and in the reference.
Every list, map and string has a maximum, so that the API server can bound what its rules cost;
the numbers are ours, far above what a policy needs.

Both kinds share `Spec`; what only a ClusterInitPolicy may set is in `CLUSTER_ONLY`. What one field
cannot say about another is in `rules`. `container` and the source of a volume are core/v1 objects
and stay as they were written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from webhook.form import label
from webhook.form import name as names
from webhook.form.form import (
    Boolean,
    Choice,
    Core,
    Integer,
    ListOf,
    MapOf,
    Pattern,
    Scalar,
    Text,
    duration,
)
from webhook.form.part import Part, needed, told
from webhook.recipes import migrate, wait_for
from webhook.recipes.fetch import recipe as fetch
from webhook.recipes.fetch.recipe import Fetch
from webhook.recipes.migrate import Migrate
from webhook.recipes.targets import Target

GROUP = "initject.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
CLUSTER_KIND = "ClusterInitPolicy"
NAMESPACED_KIND = "InitPolicy"
KINDS = (CLUSTER_KIND, NAMESPACED_KIND)

# Fields of `spec`, `match` and `exclude` that an InitPolicy has not: it applies to its own
# namespace only, and whether a pod may leave itself out is the platform's to say.
CLUSTER_ONLY = ("optOut", "namespaceSelector", "namespaces")

_IDENTIFIER = Pattern(
    "^[A-Za-z_][A-Za-z0-9_]*$",
    "consist of letters, digits and '_', not beginning with a digit",
    "_",
)
_KIND = Pattern(
    "^[A-Z][A-Za-z0-9]*$", "be a kind as Kubernetes writes it, such as Deployment", "title"
)
_KEY = Text(names.MAX_SUBDOMAIN + 1 + names.MAX_NAME)
_GLOB = Text(512)
_GLOBS = ListOf(_GLOB, least=1, most=64)
_NO_OR_GLOBS = ListOf(_GLOB, most=64)
_PATH = Text(1024, least=0)
_SELECTOR = Core("LabelSelector")


def _choice(*words: str) -> Choice:
    return Choice(words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clauses:
    """What a pod and its namespace must be like. Every clause that is present must hold."""

    namespace_selector: Mapping[str, Any] | None = told(
        _SELECTOR, "Selects namespaces by their labels. An empty selector selects all."
    )
    namespaces: tuple[str, ...] | None = told(
        _GLOBS,
        "Names of namespaces, as globs (`*` stands for any characters). One must match.",
    )
    pod_selector: Mapping[str, Any] | None = told(
        _SELECTOR, "Selects pods by their labels. An empty selector selects all."
    )
    annotations: Mapping[str, str] | None = told(
        MapOf(_KEY, Text(512, least=0), most=32),
        "Annotations that the pod must have, each with a glob that its value must match; `*` is "
        "any value.",
    )
    workloads: tuple[str, ...] | None = told(
        ListOf(Text(names.MAX_NAME, pattern=_KIND), least=1, most=32),
        "Kinds of the workload that owns the pod, as its author knows it: Deployment, StatefulSet, "
        "DaemonSet, ReplicaSet, Job, CronJob, any other controller's kind, or None for a pod "
        "without an owner. Deployment and CronJob are recognised by the form of their ReplicaSet "
        "or Job.",
    )
    service_accounts: tuple[str, ...] | None = told(
        _GLOBS, "Names of service accounts, as globs. The pod's must match one."
    )
    images: tuple[str, ...] | None = told(
        _GLOBS,
        "Images, as globs on the text that the pod states (`*` matches `/` too). The image of any "
        "one application container must match one.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A CEL expression that must be true for the policy to apply."""

    name: str = needed(
        label.NAME,
        "Names the condition in reasons and messages; unique in the policy.",
        stand_in="x",
    )
    expression: str = needed(
        Text(4096),
        "A CEL expression that gives true or false. Variables: object (the pod), request (the "
        "admission request), namespaceObject (the pod's namespace) and parameters.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a parameter's value is read from: exactly one of the fields."""

    pod_annotation: str | None = told(_KEY, "The key of an annotation of the pod.")
    pod_label: str | None = told(_KEY, "The key of a label of the pod.")
    namespace_annotation: str | None = told(
        _KEY, "The key of an annotation of the pod's namespace."
    )
    namespace_label: str | None = told(_KEY, "The key of a label of the pod's namespace.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A value that application teams may choose, with a type and rules for it."""

    name: str = needed(
        Text(names.MAX_NAME, pattern=_IDENTIFIER),
        "The name under `parameters` in expressions: letters, digits and '_'.",
        stand_in="x",
    )
    type: Literal["string", "integer", "boolean", "duration", "quantity"] = told(
        _choice("string", "integer", "boolean", "duration", "quantity"),
        "What the value must be. A duration is written as 1h30m, a quantity as 512Mi; both are "
        "text in expressions.",
        default="string",
    )
    pattern: str | None = told(
        Text(1024),
        "An RE2 regular expression that must match the whole value. Strings read from a pod need a "
        "pattern or an enum.",
    )
    enum: tuple[str | int | bool, ...] | None = told(
        ListOf(Scalar(), least=1, most=64), "The values that are allowed."
    )
    default: str | int | bool | None = told(
        Scalar(),
        "The value when no source is set. Without one, such a pod is treated as onError says.",
    )
    minimum: int | None = told(Integer(64), "The smallest integer that is allowed.")
    maximum: int | None = told(Integer(64), "The largest integer that is allowed.")
    from_: tuple[Source, ...] | None = told(
        ListOf(Part(Source), least=1, most=8),
        "Where the value may come from; the first that is set counts.",
        name="from",
    )
    description: str | None = told(
        Text(1024, least=0), "What the parameter is for, for those who choose it."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Borrow:
    """What a step takes from an application container. What the step sets itself wins."""

    container: str = told(
        _GLOB,
        "The name of the application container, as a glob; the first that matches is taken. "
        "Without it, the first container.",
        default="*",
    )
    image: bool = told(
        Boolean(),
        "Take the image, with its pull policy, working directory, user and groups.",
        default=False,
    )
    env: tuple[str, ...] = told(
        _NO_OR_GLOBS,
        "Names of environment variables to take, as globs. Variables that load code, such as "
        "LD_PRELOAD or PATH, are never taken.",
        default=(),
    )
    env_from: bool = told(
        Boolean(),
        "Take envFrom: every variable of the Secrets and ConfigMaps named there.",
        default=False,
    )
    volume_mounts: tuple[str, ...] = told(
        _NO_OR_GLOBS,
        "Names of mounted volumes to take, as globs. The service account token's is never taken.",
        default=(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do before the application starts: a `container`, or a recipe that makes one."""

    name: str = needed(label.NAME, "The container's name; unique in the policy.", stand_in="x")
    os: Literal["linux", "windows"] = told(
        _choice("linux", "windows"),
        "The operating system that the step needs. On a pod of another one the whole policy is "
        "left out.",
        default="linux",
    )
    borrow: Borrow | None = told(Part(Borrow), "What to take from a container of the application.")
    container: Mapping[str, Any] | None = told(
        Core("Container"),
        "A core/v1 Container without its name. Any string in it may hold templates `${…}`, each "
        "one CEL expression. With restartPolicy: Always it is a sidecar. Beside a recipe it "
        "overrides what the recipe becomes: entries of env by name, of volumeMounts by path, other "
        "fields as a whole.",
    )
    wait_for: tuple[Target, ...] | None = told(wait_for.FORM, wait_for.DESCRIPTION)
    migrate: Migrate | None = told(migrate.FORM, migrate.DESCRIPTION)
    fetch: Fetch | None = told(fetch.FORM, fetch.DESCRIPTION)
    timeout: str | None = told(duration(), "When a recipe gives up, as 90s or 5m. Without it, 5m.")
    mode: Literal["all", "any"] | None = told(
        _choice("all", "any"), "Whether waitFor waits for all its targets or for any one of them."
    )
    exit_code: int | None = told(
        Integer(32), "The exit status of a recipe that gave up, from 1 to 255. Without it, 210."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MountInto:
    """Where application containers see a volume."""

    containers: tuple[str, ...] = told(
        _GLOBS, "Names of application containers, as globs; all of them without it.", default=("*",)
    )
    mount_path: str = needed(Text(1024), "The path inside the container. It must not contain ':'.")
    read_only: bool = told(Boolean(), "Whether the application may only read.", default=False)
    recursive_read_only: Literal["Disabled", "IfPossible", "Enabled"] | None = told(
        _choice("Disabled", "IfPossible", "Enabled"),
        "Whether mounts below this one are read-only too; needs readOnly.",
    )
    sub_path: str | None = told(_PATH, "The path inside the volume, instead of its root.")
    sub_path_expr: str | None = told(
        _PATH, "As subPath, with $(NAME) for the container's environment variables."
    )
    mount_propagation: Literal["None", "HostToContainer", "Bidirectional"] | None = told(
        _choice("None", "HostToContainer", "Bidirectional"),
        "How mounts are passed between the host and the container.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A further volume of the pod: a core/v1 Volume, and where the application sees it."""

    name: str = needed(label.NAME, "The volume's name; unique in the policy.", stand_in="x")
    mount_into: tuple[MountInto, ...] = told(
        ListOf(Part(MountInto), most=16),
        "The mounts of application containers. Steps mount the volume themselves, with "
        "volumeMounts.",
        default=(),
    )
    source: Mapping[str, Any] = field(default_factory=dict)  # all other fields, as written

    @property
    def raw(self) -> dict[str, Any]:
        """The core/v1 Volume as it was written: its name and its source."""
        return {"name": self.name, **self.source}


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where the policy's steps stand among the pod's init containers."""

    position: Literal["First", "Last"] = told(
        _choice("First", "Last"),
        "At the front of the pod's init containers, or at their end.",
        default="First",
    )
    before: tuple[str, ...] = told(
        _NO_OR_GLOBS,
        "Names of other init containers, as globs, that the steps must stand before.",
        default=(),
    )
    after: tuple[str, ...] = told(
        _NO_OR_GLOBS,
        "Names of other init containers, as globs, that the steps must stand after.",
        default=(),
    )
    mesh: Literal["Auto", "Ignore"] = told(
        _choice("Auto", "Ignore"),
        "Whether steps of recipes that need the network stand where a mesh lets them through.",
        default="Auto",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Which pods a policy is for, and what happens in them before the application starts."""

    match: Clauses = told(
        Part(Clauses),
        "Which pods the policy is for. Every clause that is present must hold; without any, it is "
        "for all pods.",
        default=Clauses(),
    )
    exclude: tuple[Clauses, ...] = told(
        ListOf(Part(Clauses, some=True), most=32),
        "Which pods it is not for. Any entry that holds entirely excludes the pod.",
        default=(),
    )
    conditions: tuple[Condition, ...] = told(
        ListOf(Part(Condition), most=32), "CEL expressions that must all be true.", default=()
    )
    parameters: tuple[Parameter, ...] = told(
        ListOf(Part(Parameter), most=32),
        "What application teams may choose by annotations and labels.",
        default=(),
    )
    steps: tuple[Step, ...] = needed(
        ListOf(Part(Step), least=1, most=16, advice="a policy needs at least one step"),
        "What is done, one after another.",
        stand_in=(),
    )
    volumes: tuple[Volume, ...] = told(
        ListOf(Part(Volume, rest="source", core="Volume"), most=16),
        "Volumes that the pod gets, for steps and application.",
        default=(),
    )
    order: int = told(
        Integer(32),
        "Policies with a smaller number run earlier; of equal ones, by namespace and name. Cluster "
        "policies run before namespaced ones.",
        default=100,
    )
    placement: Placement = told(
        Part(Placement),
        "Where the steps stand among the pod's init containers.",
        default=Placement(),
    )
    on_conflict: Literal["Skip", "Reject"] = told(
        _choice("Skip", "Reject"),
        "When a container, volume or mount of that name is already there: leave the policy out of "
        "the pod, or refuse the pod.",
        default="Skip",
    )
    on_error: Literal["Skip", "Reject"] = told(
        _choice("Skip", "Reject"),
        "When a condition, parameter or template fails for a pod: leave the policy out of it, or "
        "refuse the pod.",
        default="Skip",
    )
    opt_out: Literal["Allow", "Forbid"] = told(
        _choice("Allow", "Forbid"),
        "Whether a pod may leave itself out by label or annotation. Forbid needs onConflict: "
        "Reject and onError: Reject, and binds in namespaces labelled initject.dev/enforce: "
        '"true".',
        default="Allow",
    )
    mode: Literal["Enforce", "Audit"] = told(
        _choice("Enforce", "Audit"),
        "Audit changes no pod: it only reports what the policy would do.",
        default="Enforce",
    )
