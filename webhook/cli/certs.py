"""`initject certs`: keys are a house of their own; this is its front door."""

from __future__ import annotations

from certs.__main__ import command

__all__ = ["command"]
