import datetime

import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("patients", "0004_tries"),
    ]

    operations = [
        migrations.CreateModel(
            name="BreakGlass",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reason", models.CharField(max_length=300)),
                ("opened_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("acknowledged_at", models.DateTimeField(blank=True, null=True)),
                (
                    "acknowledged_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="patients.membership",
                    ),
                ),
                (
                    "membership",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="emergency_accesses", to="patients.membership"
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="emergency_accesses", to="patients.patient"
                    ),
                ),
            ],
            options={
                "verbose_name": "emergency access",
                "ordering": ["-opened_at", "-id"],
                "indexes": [
                    models.Index(fields=["membership", "expires_at"], name="emergency_access_open"),
                    models.Index(
                        condition=models.Q(("acknowledged_at", None)), fields=["opened_at"], name="emergency_access_to_see"
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("reason__regex", "^.{10,}$")), name="emergency_access_has_a_reason"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("expires_at__gt", models.F("opened_at")),
                            (
                                "expires_at__lte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("opened_at"), "+", models.Value(datetime.timedelta(seconds=1800))
                                ),
                            ),
                        ),
                        name="emergency_access_lasts_at_most_30_minutes",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("acknowledged_at__isnull", True), ("acknowledged_by__isnull", True)),
                            models.Q(("acknowledged_at__gte", models.F("opened_at")), ("acknowledged_by__isnull", False)),
                            _connector="OR",
                        ),
                        name="acknowledged_emergency_has_who_and_when",
                    ),
                ],
            },
        ),
    ]
