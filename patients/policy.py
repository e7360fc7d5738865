"""Where this floor's limits come from: the upper floor knows the published monograph, this one does not.

The upper floor registers a function at start-up; until it does, the values the product ships with hold.
"""

from __future__ import annotations

from collections.abc import Callable

from patients.rules import SHIPPED, WeightLimits

_source: list[Callable[[], WeightLimits]] = [lambda: SHIPPED]


def weight_limits() -> WeightLimits:
    """The limits for weights that hold now."""
    return _source[-1]()


def take_weight_limits_from(source: Callable[[], WeightLimits]) -> None:
    """Ask this function from now on. Called once, when the upper floor starts."""
    _source[:] = [source]
