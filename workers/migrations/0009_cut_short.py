"""Whether an answer ends where its model was not allowed to write on."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("workers", "0008_passed_on")]

    operations = [
        migrations.AddField(
            model_name="completion",
            name="was_cut_short",
            field=models.BooleanField(
                db_default=False, help_text="The model reached its output limit before it came to an end."
            ),
        ),
    ]
