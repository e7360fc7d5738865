import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("regimens", "0005_complete_orders")]

    operations = [
        migrations.AlterField(
            model_name="order",
            name="transplant",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="orders", to="patients.transplant"
            ),
        ),
        migrations.AlterField(
            model_name="order",
            name="protocol_code",
            field=models.CharField(max_length=40),
        ),
        migrations.AlterField(
            model_name="order",
            name="ordered_rows",
            field=models.JSONField(help_text="[[code, mg per kg], …]", verbose_name="mg per kg of each row as ordered"),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(models.Q(("mode", "telephone"), _negated=True), ("is_read_back", True), _connector="OR"),
                name="telephone_order_is_read_back",
            ),
        ),
    ]
