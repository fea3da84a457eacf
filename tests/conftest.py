"""Settings shared by all tests: hypothesis draws the same examples on every machine, and few of them.

`pytest --hypothesis-profile=thorough` looks longer.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A slow machine must not turn a property into a failure; derandomize also does without the example database.
settings.register_profile(
    "quick", derandomize=True, deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=2000)
settings.load_profile("quick")
