"""What the API server says, and how we answer: AdmissionReview v1 on the wire.

Belongs here: bytes to `Request`, and the only five ways to answer (allowed, patched, denied,
invalid, errored) back to bytes. Does not: policies, HTTP frameworks, what a pod means.
In doubt: would it change if the admission API changed? Then it is here.
"""
