"""How much Hypothesis tries: enough to find what breaks, little enough to be run often."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Compiling policies takes milliseconds, which says nothing about the code under test.
settings.register_profile(
    "house", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")
