"""Start-up of the app: its database checks are registered."""

from __future__ import annotations

from django.apps import AppConfig


class PatientsConfig(AppConfig):
    name = "patients"

    def ready(self) -> None:
        from patients import checks  # noqa: F401  (registers itself)
