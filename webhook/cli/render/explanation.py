"""Why: every policy, clause by clause, and the order of all init containers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click
import msgspec

from webhook.cli.render import verdict
from webhook.inject.decision import Code
from webhook.inject.explain import Explanation, Verdict

_HELD = {True: ("yes", "green"), False: ("no", "red"), None: ("?", "yellow")}


def text(title: str, explanation: Explanation) -> str:
    """For people: the verdict, the policies, and the order in which init containers run."""
    lines = [verdict.line(title, explanation.decision), *verdict.notes(explanation.decision)]
    for policy in explanation.policies:
        lines += _policy(policy)
    lines += _order(explanation)
    return "\n".join(lines)


def _policy(told: Verdict) -> Iterator[str]:
    reason = told.reason
    color = {Code.APPLIED: "green", Code.AUDITED: "green"}.get(reason.code)
    parts = [click.style(str(reason.code), fg=color), reason.field, reason.detail]
    yield f"  {click.style(told.policy, bold=True)}: {': '.join(part for part in parts if part)}"
    width = max((len(clause.name) for clause in told.clauses), default=0)
    for clause in told.clauses:
        word, color = _HELD[clause.held]
        held = click.style(f"{word:>3}", fg=color)
        yield f"    {held}  {clause.name:{width}}  {clause.detail}".rstrip()


def _order(explanation: Explanation) -> Iterator[str]:
    if not explanation.order:
        return
    yield "  init containers, in the order they run:"
    width = max(len(placed.name) for placed in explanation.order)
    for number, placed in enumerate(explanation.order, start=1):
        name = f"{placed.name:{width}}"
        ours = f"{click.style(name, fg='green')}  {placed.policy}"
        yield f"    {number:>2}. {ours if placed.policy else name}".rstrip()


def plain(explanation: Explanation) -> dict[str, Any]:
    """As JSON."""
    decision = explanation.decision
    return {
        "allowed": decision.allowed,
        **({} if decision.allowed else {"message": decision.message}),
        "policies": [
            {
                "policy": told.policy,
                "reason": msgspec.structs.asdict(told.reason),
                "reasons": [msgspec.structs.asdict(reason) for reason in told.reasons],
                "clauses": [asdict(clause) for clause in told.clauses],
            }
            for told in explanation.policies
        ],
        "order": [asdict(placed) for placed in explanation.order],
        "warnings": list(decision.warnings),
        "reasons": [msgspec.structs.asdict(reason) for reason in decision.reasons],
    }
