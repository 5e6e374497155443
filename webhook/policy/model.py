"""The fields of a policy: the one model behind parsing, the CRDs, the editors' schema and the docs.

Every description here is read by users: in `kubectl explain`, in editors and in the reference.
Every list, map and string has a maximum, so that the API server can bound what its rules cost;
the numbers are ours, far above what a policy needs.

Both kinds share `Spec`; what only a ClusterInitPolicy may set is in `CLUSTER_ONLY`. What one field
cannot say about another is in `rules`. `container` and the source of a volume are core/v1 objects
and stay as they were written.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from webhook.policy import name

GROUP = "initject.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
CLUSTER_KIND = "ClusterInitPolicy"
NAMESPACED_KIND = "InitPolicy"
KINDS = (CLUSTER_KIND, NAMESPACED_KIND)

# Fields of `spec`, `match` and `exclude` that an InitPolicy has not: it applies to its own
# namespace only, and whether a pod may leave itself out is the platform's to say.
CLUSTER_ONLY = ("optOut", "namespaceSelector", "namespaces")

# What each pattern demands, in words.
LABEL = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
IDENTIFIER = "^[A-Za-z_][A-Za-z0-9_]*$"
KIND = "^[A-Z][A-Za-z0-9]*$"
DEMANDS = {
    LABEL: "consist of lower-case letters, digits and '-', beginning and ending with a letter or "
    "digit",
    IDENTIFIER: "consist of letters, digits and '_', not beginning with a digit",
    KIND: "be a kind as Kubernetes writes it, such as Deployment",
}


def _scalar(value: Any) -> str | int | bool:
    if isinstance(value, (str, int)):
        return value
    raise PydanticCustomError("scalar_type", "")  # noqa: EM101 - the type's name, not a message


def _in_core(kind: str) -> Any:
    """Marks a raw value as an object of core/v1 or meta/v1, for the schemas."""
    return Field(json_schema_extra={"x-core": kind})


Name = Annotated[str, Field(pattern=LABEL, min_length=1, max_length=name.MAX_NAME)]
Identifier = Annotated[str, Field(pattern=IDENTIFIER, min_length=1, max_length=name.MAX_NAME)]
Key = Annotated[str, Field(min_length=1, max_length=name.MAX_SUBDOMAIN + 1 + name.MAX_NAME)]
GlobText = Annotated[str, Field(min_length=1, max_length=512)]
Globs = Annotated[list[GlobText], Field(min_length=1, max_length=64)]
Integer = Annotated[
    int, Field(ge=-(2**63), le=2**63 - 1, json_schema_extra={"format": "int64"})
]  # CEL's
Scalar = Annotated[
    str | int | bool,
    PlainValidator(_scalar, json_schema_input_type=Any),
    Field(json_schema_extra={"x-scalar": True}),
]
Selector = Annotated[dict[str, Any], _in_core("LabelSelector")]
Container = Annotated[dict[str, Any], _in_core("Container")]


class Model(BaseModel):
    """What all parts of a policy have in common: strict, frozen, camelCase outside."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        defer_build=True,
        regex_engine="rust-regex",
    )


class Clauses(Model):
    """What a pod and its namespace must be like. Every clause that is present must hold."""

    namespace_selector: Selector | None = Field(
        default=None,
        description="Selects namespaces by their labels. An empty selector selects all.",
    )
    namespaces: Globs | None = Field(
        default=None,
        description="Names of namespaces, as globs (`*` stands for any characters). One must "
        "match.",
    )
    pod_selector: Selector | None = Field(
        default=None, description="Selects pods by their labels. An empty selector selects all."
    )
    annotations: (
        Annotated[
            dict[Key, Annotated[str, Field(max_length=512)]],
            Field(min_length=1, max_length=32),
        ]
        | None
    ) = Field(
        default=None,
        description="Annotations that the pod must have, each with a glob that its value must "
        "match; `*` is any value.",
    )
    workloads: (
        Annotated[
            list[Annotated[str, Field(pattern=KIND, min_length=1, max_length=name.MAX_NAME)]],
            Field(min_length=1, max_length=32),
        ]
        | None
    ) = Field(
        default=None,
        description="Kinds of the workload that owns the pod, as its author knows it: Deployment, "
        "StatefulSet, DaemonSet, ReplicaSet, Job, CronJob, any other controller's kind, or None "
        "for a pod without an owner. Deployment and CronJob are recognised by the form of their "
        "ReplicaSet or Job.",
    )
    service_accounts: Globs | None = Field(
        default=None, description="Names of service accounts, as globs. The pod's must match one."
    )
    images: Globs | None = Field(
        default=None,
        description="Images, as globs on the text that the pod states (`*` matches `/` too). The "
        "image of any one application container must match one.",
    )


SomeClauses = Annotated[Clauses, Field(json_schema_extra={"minProperties": 1})]


class Condition(Model):
    """A CEL expression that must be true for the policy to apply."""

    name: Name = Field(
        description="Names the condition in reasons and messages; unique in the policy."
    )
    expression: str = Field(
        min_length=1,
        max_length=4096,
        description="A CEL expression that gives true or false. Variables: object (the pod), "
        "request (the admission request), namespaceObject (the pod's namespace) and parameters.",
    )


class Source(Model):
    """Where a parameter's value is read from: exactly one of the fields."""

    pod_annotation: Key | None = Field(
        default=None, description="The key of an annotation of the pod."
    )
    pod_label: Key | None = Field(default=None, description="The key of a label of the pod.")
    namespace_annotation: Key | None = Field(
        default=None, description="The key of an annotation of the pod's namespace."
    )
    namespace_label: Key | None = Field(
        default=None, description="The key of a label of the pod's namespace."
    )


class Parameter(Model):
    """A value that application teams may choose, with a type and rules for it."""

    name: Identifier = Field(
        description="The name under `parameters` in expressions: letters, digits and '_'."
    )
    type: Literal["string", "integer", "boolean", "duration", "quantity"] = Field(
        default="string",
        description="What the value must be. A duration is written as 1h30m, a quantity as 512Mi; "
        "both are text in expressions.",
    )
    pattern: Annotated[str, Field(min_length=1, max_length=1024)] | None = Field(
        default=None,
        description="An RE2 regular expression that must match the whole value. Strings read from "
        "a pod need a pattern or an enum.",
    )
    enum: Annotated[list[Scalar], Field(min_length=1, max_length=64)] | None = Field(
        default=None, description="The values that are allowed."
    )
    default: Scalar | None = Field(
        default=None,
        description="The value when no source is set. Without one, such a pod is treated as "
        "onError says.",
    )
    minimum: Integer | None = Field(
        default=None, description="The smallest integer that is allowed."
    )
    maximum: Integer | None = Field(
        default=None, description="The largest integer that is allowed."
    )
    from_: Annotated[list[Source], Field(min_length=1, max_length=8)] | None = Field(
        default=None,
        alias="from",
        description="Where the value may come from; the first that is set counts.",
    )
    description: Annotated[str, Field(max_length=1024)] | None = Field(
        default=None, description="What the parameter is for, for those who choose it."
    )


class Borrow(Model):
    """What a step takes from an application container. What the step sets itself wins."""

    container: GlobText = Field(
        default="*",
        description="The name of the application container, as a glob; the first that matches is "
        "taken. Without it, the first container.",
    )
    image: bool = Field(
        default=False, description="Take the image, with its pull policy, user and groups."
    )
    env: Annotated[list[GlobText], Field(max_length=64)] = Field(
        default_factory=list,
        description="Names of environment variables to take, as globs. Variables that load code, "
        "such as LD_PRELOAD or PATH, are never taken.",
    )
    env_from: bool = Field(
        default=False,
        description="Take envFrom: every variable of the Secrets and ConfigMaps named there.",
    )
    volume_mounts: Annotated[list[GlobText], Field(max_length=64)] = Field(
        default_factory=list,
        description="Names of mounted volumes to take, as globs. The service account token's is "
        "never taken.",
    )


class Step(Model):
    """One thing to do before the application starts: an init container."""

    name: Name = Field(description="The container's name; unique in the policy.")
    os: Literal["linux", "windows"] = Field(
        default="linux",
        description="The operating system that the step needs. On a pod of another one the whole "
        "policy is left out.",
    )
    borrow: Borrow | None = Field(
        default=None, description="What to take from a container of the application."
    )
    container: Container = Field(
        description="A core/v1 Container without its name. Any string in it may hold templates "
        "`${…}`, each one CEL expression. With restartPolicy: Always it is a sidecar.",
    )


class MountInto(Model):
    """Where application containers see a volume."""

    containers: Globs = Field(
        default_factory=lambda: ["*"],
        description="Names of application containers, as globs; all of them without it.",
        json_schema_extra={"default": ["*"]},
    )
    mount_path: str = Field(
        min_length=1,
        max_length=1024,
        description="The path inside the container. It must not contain ':'.",
    )
    read_only: bool = Field(default=False, description="Whether the application may only read.")
    recursive_read_only: Literal["Disabled", "IfPossible", "Enabled"] | None = Field(
        default=None, description="Whether mounts below this one are read-only too; needs readOnly."
    )
    sub_path: Annotated[str, Field(max_length=1024)] | None = Field(
        default=None, description="The path inside the volume, instead of its root."
    )
    sub_path_expr: Annotated[str, Field(max_length=1024)] | None = Field(
        default=None,
        description="As subPath, with $(NAME) for the container's environment variables.",
    )
    mount_propagation: Literal["None", "HostToContainer", "Bidirectional"] | None = Field(
        default=None, description="How mounts are passed between the host and the container."
    )


class Volume(Model):
    """A further volume of the pod: a core/v1 Volume, and where the application sees it."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"x-core": "Volume"})

    name: Name = Field(description="The volume's name; unique in the policy.")
    mount_into: Annotated[list[MountInto], Field(max_length=16)] = Field(
        default_factory=list,
        description="The mounts of application containers. Steps mount the volume themselves, "
        "with volumeMounts.",
    )

    @property
    def raw(self) -> dict[str, Any]:
        """The core/v1 Volume as it was written: its name and its source."""
        return {"name": self.name, **(self.model_extra or {})}


class Placement(Model):
    """Where the policy's steps stand among the pod's init containers."""

    position: Literal["First", "Last"] = Field(
        default="First", description="At the front of the pod's init containers, or at their end."
    )
    before: Annotated[list[GlobText], Field(max_length=64)] = Field(
        default_factory=list,
        description="Names of other init containers, as globs, that the steps must stand before.",
    )
    after: Annotated[list[GlobText], Field(max_length=64)] = Field(
        default_factory=list,
        description="Names of other init containers, as globs, that the steps must stand after.",
    )


class Spec(Model):
    """Which pods a policy is for, and what happens in them before the application starts."""

    match: Clauses = Field(
        default_factory=Clauses,
        description="Which pods the policy is for. Every clause that is present must hold; "
        "without any, it is for all pods.",
    )
    exclude: Annotated[list[SomeClauses], Field(max_length=32)] = Field(
        default_factory=list,
        description="Which pods it is not for. Any entry that holds entirely excludes the pod.",
    )
    conditions: Annotated[list[Condition], Field(max_length=32)] = Field(
        default_factory=list, description="CEL expressions that must all be true."
    )
    parameters: Annotated[list[Parameter], Field(max_length=32)] = Field(
        default_factory=list,
        description="What application teams may choose by annotations and labels.",
    )
    steps: Annotated[list[Step], Field(min_length=1, max_length=16)] = Field(
        description="What is done, one after another.",
    )
    volumes: Annotated[list[Volume], Field(max_length=16)] = Field(
        default_factory=list, description="Volumes that the pod gets, for steps and application."
    )
    order: int = Field(
        default=100,
        ge=-(2**31),
        le=2**31 - 1,
        description="Policies with a smaller number run earlier; of equal ones, by namespace and "
        "name. Cluster policies run before namespaced ones.",
        json_schema_extra={"format": "int32"},
    )
    placement: Placement = Field(
        default_factory=Placement,
        description="Where the steps stand among the pod's init containers.",
    )
    on_conflict: Literal["Skip", "Reject"] = Field(
        default="Skip",
        description="When a container, volume or mount of that name is already there: leave the "
        "policy out of the pod, or refuse the pod.",
    )
    on_error: Literal["Skip", "Reject"] = Field(
        default="Skip",
        description="When a condition, parameter or template fails for a pod: leave the policy out "
        "of it, or refuse the pod.",
    )
    opt_out: Literal["Allow", "Forbid"] = Field(
        default="Allow",
        description="Whether a pod may leave itself out by label or annotation. Forbid needs "
        "onConflict: Reject and onError: Reject, and binds in namespaces labelled "
        'initject.dev/enforce: "true".',
    )
    mode: Literal["Enforce", "Audit"] = Field(
        default="Enforce",
        description="Audit changes no pod: it only reports what the policy would do.",
    )
