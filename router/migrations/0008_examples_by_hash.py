import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    """An index of PostgreSQL takes texts of up to 2.7 kB; the hash of an example is always short."""

    dependencies = [
        ("router", "0007_safeguards"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="example",
            name="an_example_once_per_route",
        ),
        migrations.AddConstraint(
            model_name="example",
            constraint=models.UniqueConstraint(
                models.F("route"),
                django.db.models.functions.text.MD5("text"),
                name="an_example_once_per_route",
                violation_error_message="This route has this example already.",
            ),
        ),
    ]
