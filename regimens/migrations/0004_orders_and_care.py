import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("patients", "0003_closed_days"),
        ("regimens", "0003_notices"),
    ]

    operations = [
        migrations.CreateModel(
            name="AntibodyRemoval",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("recorded_at", models.DateTimeField()),
                ("error_at", models.DateTimeField(blank=True, null=True)),
                ("error_reason", models.CharField(blank=True, max_length=300)),
                ("decision", models.CharField(blank=True, max_length=24)),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("decision_reason", models.CharField(blank=True, max_length=300)),
                (
                    "kind",
                    models.CharField(
                        choices=[("plasma_exchange", "Plasma exchange"), ("immunoadsorption", "Immunoadsorption")],
                        max_length=16,
                    ),
                ),
                ("at", models.DateTimeField(verbose_name="when")),
            ],
            options={
                "ordering": ["at", "id"],
            },
        ),
        migrations.CreateModel(
            name="Authorization",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("not_needed", "Not needed"),
                            ("pending", "Pending"),
                            ("approved", "Approved"),
                            ("denied", "Denied"),
                        ],
                        max_length=10,
                        verbose_name="payer authorization",
                    ),
                ),
                ("approved_until", models.DateField(blank=True, null=True)),
                (
                    "vials",
                    models.CharField(
                        choices=[("not_asked", "Not asked for yet"), ("ordered", "Ordered"), ("reserved", "Reserved")],
                        max_length=10,
                    ),
                ),
                ("vials_for_on", models.DateField(blank=True, null=True, verbose_name="vials are for the dose of")),
                ("recorded_at", models.DateTimeField()),
                ("superseded_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Consent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "given_by",
                    models.CharField(
                        help_text="The patient, or the person who consents for them",
                        max_length=120,
                        verbose_name="who consented",
                    ),
                ),
                ("obtained_on", models.DateField()),
                ("form_version", models.CharField(max_length=40)),
                ("recorded_at", models.DateTimeField()),
                ("withdrawn_at", models.DateTimeField(blank=True, null=True)),
                ("withdrawn_reason", models.CharField(blank=True, max_length=300)),
            ],
        ),
        migrations.CreateModel(
            name="Handover",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("to_person", models.CharField(max_length=120, verbose_name="accepting person")),
                ("to_place", models.CharField(max_length=120, verbose_name="accepting place")),
                ("phone", models.CharField(blank=True, max_length=40)),
                ("handed_at", models.DateTimeField()),
                ("acknowledged_how", models.CharField(blank=True, max_length=200)),
                ("acknowledged_at", models.DateTimeField(blank=True, null=True)),
                ("cancelled_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-handed_at"],
            },
        ),
        migrations.CreateModel(
            name="Hold",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "reason_code",
                    models.CharField(
                        choices=[
                            ("sepsis", "Sepsis"),
                            ("kidney_injury", "Acute kidney injury"),
                            ("thrombosis", "Thrombosis"),
                            ("fluid_overload", "Fluid overload"),
                            ("reaction", "Serious reaction"),
                            ("supply", "Product not available"),
                            ("refused", "Patient refused"),
                            ("no_access", "No venous access"),
                            ("nil_by_mouth", "Nil by mouth or procedure"),
                            ("other", "Another reason"),
                        ],
                        max_length=20,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=300, verbose_name="in words")),
                ("held_at", models.DateTimeField()),
                ("review_on", models.DateField()),
                ("resumed_at", models.DateTimeField(blank=True, null=True)),
                ("resume_reason", models.CharField(blank=True, max_length=300)),
            ],
            options={
                "ordering": ["held_at"],
            },
        ),
        migrations.CreateModel(
            name="IntervalRelease",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reason", models.CharField(max_length=300)),
                ("released_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="LabResult",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("recorded_at", models.DateTimeField()),
                ("error_at", models.DateTimeField(blank=True, null=True)),
                ("error_reason", models.CharField(blank=True, max_length=300)),
                ("decision", models.CharField(blank=True, max_length=24)),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("decision_reason", models.CharField(blank=True, max_length=300)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("cmv_igg", "CMV IgG"),
                            ("cmv_pcr", "CMV PCR, IU per mL"),
                            ("creatinine", "Creatinine, mg per dL"),
                            ("bun", "BUN, mg per dL"),
                            ("urine_output", "Urine output, mL per kg per h"),
                            ("iga", "IgA, mg per dL"),
                        ],
                        max_length=12,
                    ),
                ),
                ("value", models.DecimalField(blank=True, decimal_places=2, max_digits=12, null=True)),
                (
                    "word",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("positive", "Positive"),
                            ("negative", "Negative"),
                            ("indeterminate", "Indeterminate"),
                            ("not_detected", "Not detected"),
                        ],
                        max_length=14,
                    ),
                ),
                ("sampled_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["-sampled_at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="Note",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("text", models.CharField(max_length=1000)),
                ("is_query", models.BooleanField(default=False)),
                ("due_on", models.DateField(blank=True, null=True)),
                (
                    "returned_revision",
                    models.PositiveIntegerField(blank=True, help_text="The plan's revision sent back with it", null=True),
                ),
                ("written_at", models.DateTimeField()),
                ("answer", models.CharField(blank=True, max_length=1000)),
                ("answered_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-written_at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="NotGivenToday",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "reason_code",
                    models.CharField(
                        choices=[
                            ("no_access", "No venous access"),
                            ("unwell", "Patient too unwell"),
                            ("refused", "Patient refused"),
                            ("absent", "Patient not here"),
                            ("no_product", "Product not here"),
                            ("waiting", "Waiting for a result or a decision"),
                            ("other", "Another reason"),
                        ],
                        max_length=12,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=300, verbose_name="in words")),
                ("was_prepared", models.BooleanField(verbose_name="the dose had been prepared")),
                ("recorded_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["recorded_at"],
            },
        ),
        migrations.CreateModel(
            name="OutsideDose",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("recorded_at", models.DateTimeField()),
                ("error_at", models.DateTimeField(blank=True, null=True)),
                ("error_reason", models.CharField(blank=True, max_length=300)),
                ("decision", models.CharField(blank=True, max_length=24)),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("decision_reason", models.CharField(blank=True, max_length=300)),
                (
                    "product",
                    models.CharField(
                        choices=[("cmv_ig", "CMV immune globulin"), ("other_ig", "Another immune globulin")], max_length=10
                    ),
                ),
                ("given_at", models.DateTimeField()),
                (
                    "is_time_known",
                    models.BooleanField(default=True, help_text="False: only the day is known, kept as its first instant"),
                ),
                (
                    "given_mg",
                    models.DecimalField(blank=True, decimal_places=2, help_text="Empty: not known", max_digits=8, null=True),
                ),
                (
                    "said_by",
                    models.CharField(help_text="Who said so, or which document", max_length=200, verbose_name="source"),
                ),
            ],
            options={
                "ordering": ["given_at", "id"],
            },
        ),
        migrations.CreateModel(
            name="Release",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("creatinine_missing_reason", models.CharField(blank=True, max_length=200)),
                ("released_at", models.DateTimeField()),
                ("withdrawn_at", models.DateTimeField(blank=True, null=True)),
                ("withdrawn_reason", models.CharField(blank=True, max_length=300)),
            ],
        ),
        migrations.CreateModel(
            name="RiskReview",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "factors",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=20), blank=True, default=list, size=None
                    ),
                ),
                (
                    "pregnancy",
                    models.CharField(
                        choices=[
                            ("not_applicable", "Not applicable"),
                            ("negative", "Test negative"),
                            ("pregnant", "Pregnant"),
                            ("declined", "Declined to answer"),
                            ("not_recorded", "Not recorded"),
                        ],
                        max_length=14,
                    ),
                ),
                ("pregnancy_on", models.DateField(blank=True, null=True, verbose_name="date of the pregnancy test")),
                ("prescriber_statement", models.CharField(blank=True, max_length=300)),
                ("recorded_at", models.DateTimeField()),
                ("superseded_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="WeightKept",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reason", models.CharField(max_length=300)),
                ("kept_at", models.DateTimeField()),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="misseddosedecision",
            name="decision_is_known",
        ),
        migrations.RemoveConstraint(
            model_name="misseddosedecision",
            name="giving_late_has_a_day",
        ),
        migrations.AddField(
            model_name="course",
            name="prior_ig",
            field=models.CharField(
                choices=[("yes", "Yes"), ("no", "No"), ("unknown", "Unable to find out")],
                default="unknown",
                max_length=8,
                verbose_name="immune globulin in the last 28 days",
            ),
        ),
        migrations.AddField(
            model_name="course",
            name="prior_ig_asked",
            field=models.CharField(blank=True, max_length=200, verbose_name="who was asked"),
        ),
        migrations.AddField(
            model_name="course",
            name="referred_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="course",
            name="referred_from",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name="course",
            name="review_on",
            field=models.DateField(blank=True, null=True, verbose_name="review of the repeated doses"),
        ),
        migrations.AddField(
            model_name="order",
            name="allows_vial_rounding",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="order",
            name="expires_on",
            field=models.DateField(blank=True, help_text="Empty: with the last window", null=True),
        ),
        migrations.AddField(
            model_name="order",
            name="is_read_back",
            field=models.BooleanField(default=False, help_text="A telephone order was read back by name"),
        ),
        migrations.AddField(
            model_name="order",
            name="ordered_rows",
            field=models.JSONField(
                default=list, help_text="[[code, mg per kg], …]", verbose_name="mg per kg of each row as ordered"
            ),
        ),
        migrations.AddField(
            model_name="order",
            name="protocol_code",
            field=models.CharField(default="", max_length=40),
        ),
        migrations.AddField(
            model_name="order",
            name="reaction_orders",
            field=models.CharField(blank=True, max_length=500, verbose_name="orders for a reaction"),
        ),
        migrations.AddField(
            model_name="order",
            name="weight_basis",
            field=models.CharField(
                choices=[("latest", "Latest weight"), ("dry", "Last weight before the transplant (dry weight)")],
                default="latest",
                max_length=6,
            ),
        ),
        migrations.AddField(
            model_name="order",
            name="transplant",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="orders", to="patients.transplant"
            ),
        ),
        migrations.AddField(
            model_name="planneddose",
            name="booked_for",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="planneddose",
            name="booked_place",
            field=models.CharField(blank=True, max_length=80),
        ),
        migrations.AddField(
            model_name="planneddose",
            name="is_remainder",
            field=models.BooleanField(default=False, help_text="What is left of a stopped dose"),
        ),
        migrations.AddField(
            model_name="planneddose",
            name="rounded_from_mg",
            field=models.DecimalField(
                blank=True, decimal_places=2, max_digits=8, null=True, verbose_name="exact dose before rounding to vials"
            ),
        ),
        migrations.AddField(
            model_name="planneddose",
            name="shifted_days",
            field=models.PositiveSmallIntegerField(default=0, help_text="Days this dose was moved with a late one, in all"),
        ),
        migrations.AlterField(
            model_name="misseddosedecision",
            name="decision",
            field=models.CharField(
                choices=[
                    ("give_late", "Give late"),
                    ("give_late_and_shift", "Give late and move all later doses"),
                    ("give_remainder", "Give the remainder"),
                    ("accept_partial", "Accept the part given"),
                    ("omit", "Omit this dose"),
                    ("change_dose", "Change the dose"),
                    ("hold", "Hold the course"),
                    ("stop", "Stop the course"),
                    ("change_protocol", "Change the protocol"),
                ],
                max_length=24,
            ),
        ),
        migrations.AlterField(
            model_name="order",
            name="course",
            field=models.ForeignKey(
                blank=True,
                help_text="Empty: not built yet",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="orders",
                to="regimens.course",
            ),
        ),
        migrations.AlterField(
            model_name="planneddose",
            name="settled_as",
            field=models.CharField(
                blank=True,
                choices=[
                    ("recorded", "Recorded"),
                    ("omitted", "Omitted"),
                    ("superseded", "Superseded"),
                    ("cancelled", "Cancelled"),
                    ("before_referral", "Not given here, before referral"),
                    ("accepted", "Part accepted as the dose"),
                ],
                max_length=16,
            ),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                condition=models.Q(("course", None), ("superseded_at", None)), fields=["entered_at"], name="orders_to_build"
            ),
        ),
        migrations.AddConstraint(
            model_name="course",
            constraint=models.CheckConstraint(
                condition=models.Q(("prior_ig__in", ["yes", "no", "unknown"])), name="prior_immune_globulin_is_answered"
            ),
        ),
        migrations.AddConstraint(
            model_name="course",
            constraint=models.CheckConstraint(
                condition=models.Q(("referred_at", None), models.Q(("referred_from", ""), _negated=True), _connector="OR"),
                name="referral_says_from_where",
            ),
        ),
        migrations.AddConstraint(
            model_name="misseddosedecision",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "decision__in",
                        [
                            "give_late",
                            "give_late_and_shift",
                            "give_remainder",
                            "accept_partial",
                            "omit",
                            "change_dose",
                            "hold",
                            "stop",
                            "change_protocol",
                        ],
                    )
                ),
                name="decision_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="misseddosedecision",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("decision__in", ["give_late", "give_late_and_shift", "give_remainder"]), _negated=True),
                    ("give_on__isnull", False),
                    _connector="OR",
                ),
                name="giving_late_has_a_day",
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.UniqueConstraint(
                condition=models.Q(("course", None), ("superseded_at", None)),
                fields=("transplant",),
                name="one_waiting_order_per_transplant",
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(("weight_basis__in", ["latest", "dry"])), name="weight_basis_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="planneddose",
            constraint=models.CheckConstraint(
                condition=models.Q(("booked_for", None), models.Q(("booked_place", ""), _negated=True), _connector="OR"),
                name="booking_has_a_place",
            ),
        ),
        migrations.AddConstraint(
            model_name="planneddose",
            constraint=models.CheckConstraint(
                condition=models.Q(("rounded_from_mg", None), ("rounded_from_mg__gt", 0), _connector="OR"),
                name="dose_before_rounding_is_above_zero",
            ),
        ),
        migrations.AddField(
            model_name="antibodyremoval",
            name="decided_by",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.membership"
            ),
        ),
        migrations.AddField(
            model_name="antibodyremoval",
            name="error_by",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.membership"
            ),
        ),
        migrations.AddField(
            model_name="antibodyremoval",
            name="patient",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="antibody_removals", to="patients.patient"
            ),
        ),
        migrations.AddField(
            model_name="antibodyremoval",
            name="recorded_by",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.membership"),
        ),
        migrations.AddField(
            model_name="authorization",
            name="course",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="authorizations", to="regimens.course"
            ),
        ),
        migrations.AddField(
            model_name="authorization",
            name="recorded_by",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.membership"),
        ),
        migrations.AddField(
            model_name="consent",
            name="course",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="consents", to="regimens.course"),
        ),
        migrations.AddField(
            model_name="consent",
            name="obtained_by",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.membership"),
        ),
        migrations.AddField(
            model_name="consent",
            name="recorded_by",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.membership"),
        ),
        migrations.AddField(
            model_name="consent",
            name="withdrawn_by",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.membership"
            ),
        ),
        migrations.AddField(
            model_name="handover",
            name="acknowledged_recorded_by",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.membership"
            ),
        ),
        migrations.AddField(
            model_name="handover",
            name="handed_by",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.membership"),
        ),
        migrations.AddField(
            model_name="handover",
            name="next_dose",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="regimens.planneddose"
            ),
        ),
        migrations.AddField(
            model_name="handover",
            name="patient",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="handovers", to="patients.patient"
            ),
        ),
        migrations.AddField(
            model_name="hold",
            name="course",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="holds", to="regimens.course"),
        ),
        migrations.AddField(
            model_name="hold",
            name="held_by",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.membership"),
        ),
        migrations.AddField(
            model_name="hold",
            name="ordered_by",
            field=models.ForeignKey(
                help_text="The prescriber, in person or by read-back",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="patients.membership",
            ),
        ),
        migrations.AddField(
            model_name="hold",
            name="resume_ordered_by",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.membership"
            ),
        ),
        migrations.AddField(
            model_name="hold",
            name="resumed_by",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.membership"
            ),
        ),
        migrations.AddField(
            model_name="intervalrelease",
            name="dose",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="interval_release", to="regimens.planneddose"
            ),
        ),
        migrations.AddField(
            model_name="intervalrelease",
            name="released_by",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.membership"),
        ),
        migrations.AddField(
            model_name="labresult",
            name="decided_by",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.membership"
            ),
        ),
        migrations.AddField(
            model_name="labresult",
            name="error_by",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.membership"
            ),
        ),
        migrations.AddField(
            model_name="labresult",
            name="patient",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="results", to="patients.patient"),
        ),
        migrations.AddField(
            model_name="labresult",
            name="recorded_by",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.membership"),
        ),
        migrations.AddField(
            model_name="note",
            name="answered_by",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.membership"
            ),
        ),
        migrations.AddField(
            model_name="note",
            name="course",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="notes", to="regimens.course"
            ),
        ),
        migrations.AddField(
            model_name="note",
            name="owner",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.membership"
            ),
        ),
        migrations.AddField(
            model_name="note",
            name="patient",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="notes", to="patients.patient"),
        ),
        migrations.AddField(
            model_name="note",
            name="written_by",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.membership"),
        ),
        migrations.AddField(
            model_name="notgiventoday",
            name="dose",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="not_given", to="regimens.planneddose"
            ),
        ),
        migrations.AddField(
            model_name="notgiventoday",
            name="recorded_by",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.membership"),
        ),
        migrations.AddField(
            model_name="outsidedose",
            name="decided_by",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.membership"
            ),
        ),
        migrations.AddField(
            model_name="outsidedose",
            name="dose",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="given_elsewhere",
                to="regimens.planneddose",
            ),
        ),
        migrations.AddField(
            model_name="outsidedose",
            name="error_by",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.membership"
            ),
        ),
        migrations.AddField(
            model_name="outsidedose",
            name="patient",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="outside_doses", to="patients.patient"
            ),
        ),
        migrations.AddField(
            model_name="outsidedose",
            name="recorded_by",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.membership"),
        ),
        migrations.AddField(
            model_name="release",
            name="creatinine",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="regimens.labresult"
            ),
        ),
        migrations.AddField(
            model_name="release",
            name="dose",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="releases", to="regimens.planneddose"
            ),
        ),
        migrations.AddField(
            model_name="release",
            name="released_by",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.membership"),
        ),
        migrations.AddField(
            model_name="release",
            name="weight",
            field=models.ForeignKey(
                help_text="The latest weight, seen and in date",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="patients.weightmeasurement",
            ),
        ),
        migrations.AddField(
            model_name="release",
            name="withdrawn_by",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.membership"
            ),
        ),
        migrations.AddField(
            model_name="riskreview",
            name="patient",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="risk_reviews", to="patients.patient"
            ),
        ),
        migrations.AddField(
            model_name="riskreview",
            name="recorded_by",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.membership"),
        ),
        migrations.AddField(
            model_name="weightkept",
            name="course",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="weights_kept", to="regimens.course"
            ),
        ),
        migrations.AddField(
            model_name="weightkept",
            name="kept_by",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.membership"),
        ),
        migrations.AddField(
            model_name="weightkept",
            name="weight",
            field=models.ForeignKey(
                help_text="The newer weight",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="patients.weightmeasurement",
            ),
        ),
        migrations.AddIndex(
            model_name="antibodyremoval",
            index=models.Index(fields=["patient", "at"], name="removal_by_patient"),
        ),
        migrations.AddConstraint(
            model_name="antibodyremoval",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("error_at__isnull", True), ("error_by__isnull", True), ("error_reason", "")),
                    models.Q(
                        ("error_at__isnull", False), ("error_by__isnull", False), models.Q(("error_reason", ""), _negated=True)
                    ),
                    _connector="OR",
                ),
                name="removal_error_has_who_when_why",
            ),
        ),
        migrations.AddConstraint(
            model_name="antibodyremoval",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("decided_at__isnull", True), ("decided_by__isnull", True), ("decision", ""), ("decision_reason", "")
                    ),
                    models.Q(
                        models.Q(("decision", ""), _negated=True),
                        ("decided_at__isnull", False),
                        ("decided_by__isnull", False),
                        models.Q(("decision_reason", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="removal_decision_has_who_when_why",
            ),
        ),
        migrations.AddConstraint(
            model_name="antibodyremoval",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["plasma_exchange", "immunoadsorption"])), name="removal_kind_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="antibodyremoval",
            constraint=models.CheckConstraint(
                condition=models.Q(("decision__in", ["", "repeat", "no_repeat", "give_before"])),
                name="removal_decision_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="authorization",
            constraint=models.UniqueConstraint(
                condition=models.Q(("superseded_at", None)), fields=("course",), name="one_live_authorization_per_course"
            ),
        ),
        migrations.AddConstraint(
            model_name="authorization",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["not_needed", "pending", "approved", "denied"])),
                name="authorization_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="authorization",
            constraint=models.CheckConstraint(
                condition=models.Q(("vials__in", ["not_asked", "ordered", "reserved"])), name="vials_state_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="authorization",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "approved"), _negated=True), ("approved_until__isnull", False), _connector="OR"
                ),
                name="approved_authorization_has_an_end",
            ),
        ),
        migrations.AddConstraint(
            model_name="authorization",
            constraint=models.CheckConstraint(
                condition=models.Q(("vials", "not_asked"), ("vials_for_on__isnull", False), _connector="OR"),
                name="vials_are_for_a_day",
            ),
        ),
        migrations.AddConstraint(
            model_name="consent",
            constraint=models.UniqueConstraint(
                condition=models.Q(("withdrawn_at", None)), fields=("course",), name="one_live_consent_per_course"
            ),
        ),
        migrations.AddConstraint(
            model_name="consent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("withdrawn_at__isnull", True), ("withdrawn_by__isnull", True), ("withdrawn_reason", "")),
                    models.Q(
                        ("withdrawn_at__isnull", False),
                        ("withdrawn_by__isnull", False),
                        models.Q(("withdrawn_reason", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="withdrawn_consent_has_who_when_why",
            ),
        ),
        migrations.AddConstraint(
            model_name="handover",
            constraint=models.UniqueConstraint(
                condition=models.Q(("acknowledged_at", None), ("cancelled_at", None)),
                fields=("patient",),
                name="one_open_handover_per_patient",
            ),
        ),
        migrations.AddConstraint(
            model_name="handover",
            constraint=models.CheckConstraint(
                condition=models.Q(models.Q(("to_person", ""), _negated=True), models.Q(("to_place", ""), _negated=True)),
                name="handover_names_person_and_place",
            ),
        ),
        migrations.AddConstraint(
            model_name="handover",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("acknowledged_at__isnull", True), ("acknowledged_how", ""), ("acknowledged_recorded_by__isnull", True)
                    ),
                    models.Q(
                        ("acknowledged_at__isnull", False),
                        ("acknowledged_recorded_by__isnull", False),
                        models.Q(("acknowledged_how", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="acknowledged_handover_says_who_and_how",
            ),
        ),
        migrations.AddConstraint(
            model_name="hold",
            constraint=models.UniqueConstraint(
                condition=models.Q(("resumed_at", None)), fields=("course",), name="one_open_hold_per_course"
            ),
        ),
        migrations.AddConstraint(
            model_name="hold",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "reason_code__in",
                        [
                            "sepsis",
                            "kidney_injury",
                            "thrombosis",
                            "fluid_overload",
                            "reaction",
                            "supply",
                            "refused",
                            "no_access",
                            "nil_by_mouth",
                            "other",
                        ],
                    )
                ),
                name="hold_reason_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="hold",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("reason_code", "other"), _negated=True), models.Q(("reason", ""), _negated=True), _connector="OR"
                ),
                name="other_hold_reason_has_words",
            ),
        ),
        migrations.AddConstraint(
            model_name="hold",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("resume_ordered_by__isnull", True),
                        ("resume_reason", ""),
                        ("resumed_at__isnull", True),
                        ("resumed_by__isnull", True),
                    ),
                    models.Q(
                        ("resume_ordered_by__isnull", False),
                        ("resumed_at__gt", models.F("held_at")),
                        ("resumed_by__isnull", False),
                        models.Q(("resume_reason", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="resumed_hold_has_who_when_why",
            ),
        ),
        migrations.AddConstraint(
            model_name="intervalrelease",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason__regex", "^.{10,}$")), name="released_interval_has_a_reason"
            ),
        ),
        migrations.AddIndex(
            model_name="labresult",
            index=models.Index(
                condition=models.Q(("error_at", None)), fields=["patient", "kind", "-sampled_at"], name="result_latest_valid"
            ),
        ),
        migrations.AddConstraint(
            model_name="labresult",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("error_at__isnull", True), ("error_by__isnull", True), ("error_reason", "")),
                    models.Q(
                        ("error_at__isnull", False), ("error_by__isnull", False), models.Q(("error_reason", ""), _negated=True)
                    ),
                    _connector="OR",
                ),
                name="result_error_has_who_when_why",
            ),
        ),
        migrations.AddConstraint(
            model_name="labresult",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("decided_at__isnull", True), ("decided_by__isnull", True), ("decision", ""), ("decision_reason", "")
                    ),
                    models.Q(
                        models.Q(("decision", ""), _negated=True),
                        ("decided_at__isnull", False),
                        ("decided_by__isnull", False),
                        models.Q(("decision_reason", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="result_decision_has_who_when_why",
            ),
        ),
        migrations.AddConstraint(
            model_name="labresult",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["cmv_igg", "cmv_pcr", "creatinine", "bun", "urine_output", "iga"])),
                name="result_kind_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="labresult",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("value__gte", 0), ("word", "")),
                    models.Q(("value", None), ("word__in", ["positive", "negative", "indeterminate", "not_detected"])),
                    _connector="OR",
                ),
                name="result_is_a_number_or_a_word",
            ),
        ),
        migrations.AddConstraint(
            model_name="labresult",
            constraint=models.CheckConstraint(
                condition=models.Q(models.Q(("kind", "cmv_igg"), _negated=True), ("value", None), _connector="OR"),
                name="cmv_igg_is_a_word",
            ),
        ),
        migrations.AddConstraint(
            model_name="labresult",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["cmv_igg", "cmv_pcr"]), ("word", ""), _connector="OR"),
                name="other_results_are_numbers",
            ),
        ),
        migrations.AddConstraint(
            model_name="labresult",
            constraint=models.CheckConstraint(
                condition=models.Q(("decision__in", ["", "go", "slower", "hold", "stop", "continue", "treat"])),
                name="result_decision_is_known",
            ),
        ),
        migrations.AddIndex(
            model_name="note",
            index=models.Index(
                condition=models.Q(("answered_at", None), ("is_query", True)),
                fields=["course"],
                name="open_queries_of_a_course",
            ),
        ),
        migrations.AddConstraint(
            model_name="note",
            constraint=models.CheckConstraint(condition=models.Q(("text", ""), _negated=True), name="note_says_something"),
        ),
        migrations.AddConstraint(
            model_name="note",
            constraint=models.CheckConstraint(
                condition=models.Q(("is_query", False), ("owner__isnull", False), _connector="OR"), name="query_has_an_owner"
            ),
        ),
        migrations.AddConstraint(
            model_name="note",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("answer", ""), ("answered_at__isnull", True), ("answered_by__isnull", True)),
                    models.Q(
                        models.Q(("answer", ""), _negated=True),
                        ("answered_at__isnull", False),
                        ("answered_by__isnull", False),
                        ("is_query", True),
                    ),
                    _connector="OR",
                ),
                name="answer_has_who_when_what",
            ),
        ),
        migrations.AddIndex(
            model_name="notgiventoday",
            index=models.Index(fields=["dose", "recorded_at"], name="not_given_by_dose"),
        ),
        migrations.AddConstraint(
            model_name="notgiventoday",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("reason_code__in", ["no_access", "unwell", "refused", "absent", "no_product", "waiting", "other"])
                ),
                name="not_given_reason_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="notgiventoday",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("reason_code", "other"), _negated=True), models.Q(("reason", ""), _negated=True), _connector="OR"
                ),
                name="other_not_given_reason_has_words",
            ),
        ),
        migrations.AddIndex(
            model_name="outsidedose",
            index=models.Index(fields=["patient", "given_at"], name="outside_dose_by_patient"),
        ),
        migrations.AddConstraint(
            model_name="outsidedose",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("error_at__isnull", True), ("error_by__isnull", True), ("error_reason", "")),
                    models.Q(
                        ("error_at__isnull", False), ("error_by__isnull", False), models.Q(("error_reason", ""), _negated=True)
                    ),
                    _connector="OR",
                ),
                name="outside_dose_error_has_who_when_why",
            ),
        ),
        migrations.AddConstraint(
            model_name="outsidedose",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("decided_at__isnull", True), ("decided_by__isnull", True), ("decision", ""), ("decision_reason", "")
                    ),
                    models.Q(
                        models.Q(("decision", ""), _negated=True),
                        ("decided_at__isnull", False),
                        ("decided_by__isnull", False),
                        models.Q(("decision_reason", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="outside_dose_decision_has_who_when_why",
            ),
        ),
        migrations.AddConstraint(
            model_name="outsidedose",
            constraint=models.CheckConstraint(
                condition=models.Q(("product__in", ["cmv_ig", "other_ig"])), name="outside_product_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="outsidedose",
            constraint=models.CheckConstraint(
                condition=models.Q(("given_mg", None), ("given_mg__gt", 0), _connector="OR"), name="outside_dose_is_above_zero"
            ),
        ),
        migrations.AddConstraint(
            model_name="outsidedose",
            constraint=models.CheckConstraint(
                condition=models.Q(("said_by", ""), _negated=True), name="outside_dose_has_a_source"
            ),
        ),
        migrations.AddConstraint(
            model_name="outsidedose",
            constraint=models.CheckConstraint(
                condition=models.Q(("decision__in", ["", "counts_as_initial", "give_initial"])),
                name="outside_dose_decision_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="release",
            constraint=models.UniqueConstraint(
                condition=models.Q(("withdrawn_at", None)), fields=("dose",), name="one_live_release_per_dose"
            ),
        ),
        migrations.AddConstraint(
            model_name="release",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("creatinine__isnull", False), models.Q(("creatinine_missing_reason", ""), _negated=True), _connector="OR"
                ),
                name="release_saw_creatinine_or_says_why",
            ),
        ),
        migrations.AddConstraint(
            model_name="release",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("withdrawn_at__isnull", True), ("withdrawn_by__isnull", True), ("withdrawn_reason", "")),
                    models.Q(
                        ("withdrawn_at__isnull", False),
                        ("withdrawn_by__isnull", False),
                        models.Q(("withdrawn_reason", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="withdrawn_release_has_who_when_why",
            ),
        ),
        migrations.AddConstraint(
            model_name="riskreview",
            constraint=models.UniqueConstraint(
                condition=models.Q(("superseded_at", None)), fields=("patient",), name="one_live_risk_review_per_patient"
            ),
        ),
        migrations.AddConstraint(
            model_name="riskreview",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "factors__contained_by",
                        [
                            "diabetes",
                            "volume_depletion",
                            "sepsis",
                            "paraproteinemia",
                            "nephrotoxic_drugs",
                            "thrombosis_history",
                            "immobilization",
                            "central_catheter",
                            "hyperviscosity",
                            "estrogens",
                        ],
                    )
                ),
                name="risk_factors_are_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="riskreview",
            constraint=models.CheckConstraint(
                condition=models.Q(("pregnancy__in", ["not_applicable", "negative", "pregnant", "declined", "not_recorded"])),
                name="pregnancy_status_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="riskreview",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("pregnancy", "negative"), _negated=True), ("pregnancy_on__isnull", False), _connector="OR"
                ),
                name="pregnancy_test_has_its_date",
            ),
        ),
        migrations.AddConstraint(
            model_name="weightkept",
            constraint=models.UniqueConstraint(fields=("course", "weight"), name="weight_is_kept_once_per_course"),
        ),
        migrations.AddConstraint(
            model_name="weightkept",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason__regex", "^.{10,}$")), name="kept_weight_has_a_reason"
            ),
        ),
    ]
