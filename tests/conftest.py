"""Settings shared by all tests: hypothesis draws the same examples on every machine, and few of them.

`pytest --hypothesis-profile=thorough` looks longer.
"""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

# A slow machine must not turn a property into a failure; derandomize also does without the example database.
settings.register_profile(
    "quick", derandomize=True, deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=2000)
settings.load_profile("quick")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Begun behind a shell's &: kamelab's processes would be deaf to ^C, as their parents are.
    signal.signal(signal.SIGINT, signal.default_int_handler)
