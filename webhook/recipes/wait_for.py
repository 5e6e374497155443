"""`waitFor`: wait until dependencies are there."""

from __future__ import annotations

from webhook.recipes import targets, waiting

FORM = targets.FORM
DESCRIPTION = (
    "Wait until all of these are there, or with `mode: any` one of them. A database that asks for "
    "a password is there, unless a login is written; objects of the cluster need a Role for the "
    "pod's service account."
)
BESIDE = ("timeout", "mode", "exitCode")

render = waiting.rendered
