"""Initject: init containers for Kubernetes pods, by policy."""

__version__ = "0.1.0"
