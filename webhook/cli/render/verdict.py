"""What came of a manifest, in one line and the notes below it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from webhook.inject.decision import Code, Decision, Reason

# A policy was for this pod, and was left out all the same: the user should see it.
LEFT_OUT = frozenset(
    {
        Code.NAMESPACE_UNKNOWN,
        Code.CONDITION_FAILED,
        Code.PARAMETER_FAILED,
        Code.TEMPLATE_FAILED,
        Code.BORROW_FAILED,
        Code.CONFLICT,
        Code.OS_UNSUPPORTED,
        Code.HOST_NETWORK,
    }
)
# Said below a verdict: what a user may want to know of a policy that applied.
WORTH_KNOWING = frozenset(
    {Code.AUDITED, Code.CHANGED, Code.ORPHAN, Code.PLACEMENT, Code.MESH, Code.COST}
)


def line(title: str, decision: Decision) -> str:
    """`Deployment payments/checkout: injected by payments-database`."""
    return f"{click.style(title, bold=True)}: {_what(decision)}"


def _what(decision: Decision) -> str:
    by = ", ".join(decision.applied)
    if not decision.allowed:
        return f"{click.style('denied', fg='red')}: {decision.message}"
    if by and decision.patch:
        return f"{click.style('injected', fg='green')} by {by}"
    if by:
        return f"unchanged, already injected by {by}"
    return f"unchanged, {_why(decision)}"


def _why(decision: Decision) -> str:
    whole = [reason for reason in decision.reasons if not reason.policy]
    if whole:
        return whole[0].detail or whole[0].code.replace("_", " ")
    if any(reason.code in LEFT_OUT for reason in decision.reasons):
        return "the policies for it were left out"
    return "no policy is for it"


def notes(decision: Decision, of_manifest: Iterable[str] = ()) -> Iterator[str]:
    """Below it: policies that were left out, what is worth knowing, and the API server's warnings.

    What a warning says already is not said twice.
    """
    for warning in decision.warnings:
        yield f"  {click.style('warning', fg='yellow')}: {warning}"
    for reason in decision.reasons if decision.allowed else ():
        if reason.code in LEFT_OUT | WORTH_KNOWING and not _warned(reason, decision):
            yield f"  {_note(reason)}"
    for note in of_manifest:
        yield f"  {click.style('note', fg='yellow')}: {note}"


def _warned(reason: Reason, decision: Decision) -> bool:
    return any(
        reason.policy in warning and reason.detail in warning for warning in decision.warnings
    )


def _note(reason: Reason) -> str:
    mark = [click.style("left out", fg="yellow")] if reason.code in LEFT_OUT else []
    parts = [*mark, reason.policy, str(reason.code), reason.field, reason.detail]
    return ": ".join(part for part in parts if part)
