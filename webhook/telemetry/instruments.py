"""Every metric, in one table: name, kind, labels, help. Metrics, documentation and tests read it.

No label holds anything of a pod: `policy` is one of the policies in force, the others have a fixed
small set of values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# The paths of the webhooks, as controller-runtime labels them.
MUTATE = "/mutate"
VALIDATE = "/validate"
WEBHOOKS = (MUTATE, VALIDATE)

# From half of what an unconcerned pod costs, about 0.1 ms, to a webhook's largest timeout, 30 s.
_SECONDS = (
    *(0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025),
    *(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
# Powers of four from 1 KiB; the last is our largest body, 7 MiB.
_BYTES = (1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 7340032.0)


ERROR_REASONS = ("bad_review", "no_pod", "bug")
# What becomes of a review. `refused` is a request that is no review we can answer, `failed` a bug.
OUTCOMES = ("patched", "unchanged", "denied", "refused", "failed")
# What becomes of a policy that is created or changed. `unchecked`: nothing in it was to be looked
# at, or it was too large.
VERDICTS = ("accepted", "refused", "unchecked")
# What becomes of a status, and of an Event, that is to be written.
STATUS_RESULTS = ("success", "conflict", "failure")
EVENT_RESULTS = ("success", "failure", "left_out")

# What is done to keys of our own: `begin` makes a CA and a leaf, `leaf` a leaf, `announce` a new CA
# that is trusted from then on, `succeed` has it sign; `mend` drops and puts back.
STEPS = ("begin", "leaf", "announce", "succeed", "mend")
# What a caBundle was that had to be set. `outdated` is an earlier one of ours.
BUNDLES = ("empty", "outdated", "foreign")


@dataclass(frozen=True, slots=True, eq=False)
class Instrument:
    """One metric, by the name that Prometheus shows; equal to itself alone."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


REQUESTS = Instrument(
    "controller_runtime_webhook_requests_total",
    "counter",
    "Answered requests to a webhook, by HTTP status.",
    ("webhook", "code"),
)
LATENCY = Instrument(
    "controller_runtime_webhook_latency_seconds",
    "histogram",
    "From a request's header to its answer.",
    ("webhook",),
    _SECONDS,
)
IN_FLIGHT = Instrument(
    "controller_runtime_webhook_requests_in_flight",
    "gauge",
    "Requests that are being answered.",
    ("webhook",),
)
CERTIFICATE_READS = Instrument(
    "certwatcher_read_certificate_total",
    "counter",
    "Changes of the certificate, usable or not.",
)
CERTIFICATE_ERRORS = Instrument(
    "certwatcher_read_certificate_errors_total",
    "counter",
    "Changes of the certificate that could not be used: what was in force stays.",
)
CERTIFICATE_EXPIRY = Instrument(
    "initject_certificate_expiry_timestamp_seconds",
    "gauge",
    "When the certificate in force expires, as Unix time.",
)
CA_EXPIRY = Instrument(
    "initject_ca_expiry_timestamp_seconds",
    "gauge",
    "When each CA of our own that is trusted expires, as Unix time; the label is the beginning of "
    "its serial number.",
    ("ca",),
)
KEYS_CHANGED = Instrument(
    "initject_keys_changes_total",
    "counter",
    f"What this replica did to the keys in the Secret, by step: {', '.join(STEPS)}.",
    ("step",),
)
CA_BUNDLE_REPAIRS = Instrument(
    "initject_ca_bundle_repairs_total",
    "counter",
    "Webhooks whose caBundle this replica set, by what it was before: "
    f"{', '.join(BUNDLES)}. A rotation sets outdated ones.",
    ("configuration", "was"),
)
REVIEW_BYTES = Instrument(
    "initject_review_bytes", "histogram", "Size of the requests' bodies.", (), _BYTES
)
REVIEWS = Instrument(
    "initject_reviews_total",
    "counter",
    f"Reviews by outcome: {', '.join(OUTCOMES)}.",
    ("outcome",),
)
POLICY_REVIEWS = Instrument(
    "initject_policy_reviews_total",
    "counter",
    f"Policies that were created or changed in the cluster, by verdict: {', '.join(VERDICTS)}.",
    ("verdict",),
)
INJECTIONS = Instrument(
    "initject_injections_total",
    "counter",
    "Pods into which a policy put its steps, or in which it found them as planned.",
    ("policy",),
)
SKIPS = Instrument(
    "initject_skips_total",
    "counter",
    "Pods for which a policy was left out, by reason; without policy when the whole pod was left "
    "alone.",
    ("policy", "reason"),
)
DENIALS = Instrument(
    "initject_denials_total",
    "counter",
    "Pods that a policy refused, by reason.",
    ("policy", "reason"),
)
AUDITS = Instrument(
    "initject_audits_total",
    "counter",
    "Pods that a policy in mode Audit would have changed.",
    ("policy",),
)
NOTES = Instrument(
    "initject_notes_total",
    "counter",
    "What was worth saying about a policy that applied, by reason: changed, orphan, placement, "
    "cost.",
    ("policy", "reason"),
)
ERRORS = Instrument(
    "initject_errors_total",
    "counter",
    "What went wrong with a review: bad_review (answered 400), no_pod (a creation of a pod that "
    "held none: allowed), bug (of ours: answered 500).",
    ("reason",),
)
POLICIES = Instrument(
    "initject_policies", "gauge", "Policies in force, by kind of object.", ("kind",)
)
NAMESPACES = Instrument("initject_namespaces", "gauge", "Namespaces whose labels are known.")
SOURCE_READS = Instrument(
    "initject_source_reads_total",
    "counter",
    "Readings of a source that had changed (policies, certificate), by result: success, failure. "
    "After a failure what was in force stays.",
    ("source", "result"),
)
SOURCE_SUCCESS = Instrument(
    "initject_source_last_success_timestamp_seconds",
    "gauge",
    "When a source was last taken into force, as Unix time.",
    ("source",),
)
SOURCE_PROBLEMS = Instrument(
    "initject_source_problems",
    "gauge",
    "Problems of a source at its last reading; errors keep it out of force.",
    ("source", "severity"),
)
POLICIES_OUT = Instrument(
    "initject_policies_out_of_force",
    "gauge",
    "Policies of the cluster that are wrong or exceed a bound, by kind of object.",
    ("kind",),
)
SOURCE_HEARD = Instrument(
    "initject_source_heard_timestamp_seconds",
    "gauge",
    "When the API server last told something of a collection, as Unix time; usually at most "
    "half a minute ago.",
    ("source",),
)
SOURCE_ERRORS = Instrument(
    "initject_source_errors_total",
    "counter",
    "Times that a collection of the API server could not be read or watched: what is known stays.",
    ("source",),
)
LEADER = Instrument(
    "initject_leader", "gauge", "Whether this replica writes the statuses of policies: 1, or 0."
)
REPLICAS = Instrument(
    "initject_replicas", "gauge", "Replicas of which this one has heard lately, itself included."
)
STATUS_WRITES = Instrument(
    "initject_status_writes_total",
    "counter",
    f"Statuses of policies that were written, by result: {', '.join(STATUS_RESULTS)}. After a "
    "conflict, since the policy had changed meanwhile, it is looked at again.",
    ("result",),
)
STATUSES_WAITING = Instrument(
    "initject_statuses_waiting",
    "gauge",
    "Policies whose status is still to be written, on the leader.",
)
EVENTS = Instrument(
    "initject_events_total",
    "counter",
    f"Events about policies, by result: {', '.join(EVENT_RESULTS)}; left_out when there were too "
    "many.",
    ("result",),
)
READY = Instrument("initject_ready", "gauge", "Whether /readyz says yes: 1, or 0.")
BUILD = Instrument(
    "initject_build_info", "gauge", "Always 1; the labels are the news.", ("version", "python")
)

INSTRUMENTS: tuple[Instrument, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Instrument)
)
