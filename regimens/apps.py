"""Start-up of the upper floor: it tells the lower one where the limits for weights stand."""

from __future__ import annotations

from django.apps import AppConfig


class RegimensConfig(AppConfig):
    name = "regimens"

    def ready(self) -> None:
        from patients.policy import take_weight_limits_from
        from regimens.actions.library import weight_limits

        take_weight_limits_from(weight_limits)
