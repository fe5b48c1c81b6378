"""The model of a route that an answer was passed on to, because those before it did not answer."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("workers", "0007_fair_turns")]

    operations = [
        migrations.AddField(
            model_name="completion",
            name="passed_to",
            field=models.ForeignKey(
                blank=True,
                help_text="The one of them that is tried next, if those before it did not answer and it has another "
                "queue.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="workers.model",
            ),
        ),
    ]
