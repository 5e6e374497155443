"""Workloads and streams of documents: what controllers make of manifests, and back.

Belongs here: a pod template to the pod that its controller creates, documents in and out in order.
Does not: policies, decisions, files. In doubt: is it about a manifest, not about a pod? Then here.
"""
