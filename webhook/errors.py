"""Every way Initject fails, as a tree.

InitjectError
├── UsageError         the command line or the settings were used wrongly (exit code 2)
├── ClusterError       a cluster did not do what was asked (exit code 1)
├── NotReadyError      what `initject wait` or `fetch` asks for is not there yet (it asks again)
├── HopelessError      what `initject wait` waits for has failed, and stays so (exit code 1)
├── FetchError         what `initject fetch` was asked for will not come (exit code 1)
├── ReviewError        what came in is no AdmissionReview that we can answer (HTTP 400)
├── ExpressionError    a CEL expression or template that must not be loaded
├── EvaluationError    a compiled expression failed on this pod (the policy's `onError` decides)
└── PatchError         a patch that does not do what the plan says: always a bug of ours (HTTP 500)

What an author wrote wrongly is no exception: it is a `Problem`, and all are returned at once.
"""

from __future__ import annotations


class InitjectError(Exception):
    """The root of what this program raises on purpose."""


class UsageError(InitjectError):
    """The command line or a setting was used wrongly; the text says which and what to do."""


class ClusterError(InitjectError):
    """A cluster did not do what was asked; the text says why and what to do."""


class NotReadyError(InitjectError):
    """A look at a target was in vain; the text is why, in the same words for the same reason.

    `after` is how many seconds the other side asked to be left alone.
    """

    def __init__(self, what: str, *, after: float = 0.0) -> None:
        super().__init__(what)
        self.after = after


class HopelessError(InitjectError):
    """What is waited for has failed, and asking again is in vain; the text says why."""


class FetchError(InitjectError):
    """Something cannot be fetched, and will not be by asking again; the text says why."""


class ReviewError(InitjectError):
    """A body that is no AdmissionReview v1; `field` is the JSON path that is wrong."""

    def __init__(self, field: str, what: str) -> None:
        super().__init__(f"{field}: {what}" if field else what)
        self.field = field


class ExpressionError(InitjectError):
    """An expression that must not be loaded.

    `offset` is the 0-based character in the expression's text where the fault is, `advice` says
    what to do about it.
    """

    def __init__(self, what: str, *, offset: int = 0, advice: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.offset = offset
        self.advice = advice


class EvaluationError(InitjectError):
    """A compiled expression or template failed on one pod; the text names the cause, no values."""


class PatchError(InitjectError):
    """A patch whose result is not the planned pod, or that does not apply."""
