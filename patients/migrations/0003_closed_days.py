import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import patients.models


class Migration(migrations.Migration):
    dependencies = [
        ("patients", "0002_history_rows"),
    ]

    operations = [
        migrations.CreateModel(
            name="ClosedDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("on", models.DateField(verbose_name="day")),
                ("title", models.CharField(max_length=80)),
            ],
            options={
                "ordering": ["on"],
            },
        ),
        migrations.AddField(
            model_name="centre",
            name="closed_weekdays",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.PositiveSmallIntegerField(),
                blank=True,
                default=patients.models.saturday_and_sunday,
                help_text="Monday is 0, Sunday is 6",
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="centre",
            name="consent_required",
            field=models.BooleanField(default=False, help_text="No dose is released without a consent on record"),
        ),
        migrations.AddField(
            model_name="centre",
            name="shift_allowed",
            field=models.BooleanField(default=False, help_text="Later doses may be moved with a late one"),
        ),
        migrations.AddConstraint(
            model_name="centre",
            constraint=models.CheckConstraint(
                condition=models.Q(("closed_weekdays__contained_by", [0, 1, 2, 3, 4, 5, 6])),
                name="closed_weekdays_are_from_0_to_6",
            ),
        ),
        migrations.AddField(
            model_name="closedday",
            name="centre",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="closed_days", to="patients.centre"
            ),
        ),
        migrations.AddConstraint(
            model_name="closedday",
            constraint=models.UniqueConstraint(fields=("centre", "on"), name="closed_day_is_listed_once"),
        ),
    ]
