"""The workshop for tests of policies: what our gallery runs on, and `initject test`, and yours.

In Python::

    from webhook import testing

    def test_the_database_is_awaited():
        policies = testing.policies(open("policies.yaml").read())
        decision = testing.admit(policies, testing.pod(labels={"app": "checkout"}))
        assert decision.applied == ("payments-database",)

As folders (`initject test`, or `load_cases` and `run`), a case is:

- `policy.yaml`: the policies (may be left out when they come from elsewhere);
- `pod.yaml`: a Pod, or a workload whose pod is meant;
- `expected.yaml`: a Pod (the pod afterwards; the same pod means "no patch"), a workload (the
  manifest with what was injected into its template) or a Status (a refusal: what it states of
  `message`, `code` and `reason` is compared);
- `namespace.yaml`, if wanted: the Namespace, without which its labels are not known;
- `request.yaml`, if wanted: fields of the AdmissionRequest, such as `operation` or `dryRun`; its
  `options` are settings of Initject on which decisions depend, as a settings file has them.
"""

from __future__ import annotations

from webhook.policy.namespace import Namespace
from webhook.testing.cases import (
    EXPECTED,
    FILES,
    NAMESPACE,
    POD,
    POLICY,
    REQUEST,
    Asked,
    Case,
    ask,
    load_cases,
)
from webhook.testing.compare import difference, same
from webhook.testing.outcomes import Outcome, after, run, update
from webhook.testing.pods import CaseError, admit, pod, policies, prove, question, review

__all__ = [
    "EXPECTED",
    "FILES",
    "NAMESPACE",
    "POD",
    "POLICY",
    "REQUEST",
    "Asked",
    "Case",
    "CaseError",
    "Namespace",
    "Outcome",
    "admit",
    "after",
    "ask",
    "difference",
    "load_cases",
    "pod",
    "policies",
    "prove",
    "question",
    "review",
    "run",
    "same",
    "update",
]
