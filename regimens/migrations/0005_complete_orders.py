from django.db import migrations


def complete_orders(apps, schema_editor):
    """Orders made before this version name the transplant, the protocol and the rows of the course they were made with."""
    for order in apps.get_model("regimens", "Order").objects.select_related("course__protocol"):
        order.transplant_id = order.course.transplant_id
        order.protocol_code = order.course.protocol.code
        order.ordered_rows = [
            [code, f"{mg_per_kg.normalize():f}"]
            for code, mg_per_kg in order.course.protocol.doses.order_by("position").values_list("code", "mg_per_kg")
        ]
        order.is_read_back = order.mode == "telephone"
        order.save(update_fields=["transplant", "protocol_code", "ordered_rows", "is_read_back"])


class Migration(migrations.Migration):
    dependencies = [("regimens", "0004_orders_and_care")]

    operations = [migrations.RunPython(complete_orders, migrations.RunPython.noop)]
