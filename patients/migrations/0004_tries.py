from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("patients", "0003_closed_days"),
    ]

    operations = [
        migrations.CreateModel(
            name="Tries",
            fields=[
                ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("number", models.PositiveIntegerField(default=0)),
                ("began_at", models.DateTimeField()),
            ],
        ),
    ]
