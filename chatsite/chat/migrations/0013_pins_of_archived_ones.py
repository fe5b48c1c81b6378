from typing import Any

from django.db import migrations, models


def unpin(apps: Any, schema_editor: Any) -> None:
    """Archived conversations lose their pins, as they always did before."""
    apps.get_model("chat", "Conversation").objects.exclude(archived_at=None).update(pinned_at=None)


class Migration(migrations.Migration):
    dependencies = [("chat", "0012_ready_answers")]

    operations = [
        migrations.RemoveConstraint(model_name="conversation", name="what_is_archived_is_not_pinned"),
        migrations.RunPython(migrations.RunPython.noop, unpin),
        migrations.AlterField(
            model_name="conversation",
            name="pinned_at",
            field=models.DateTimeField(help_text="Kept by one that is archived until it comes back.", null=True),
        ),
    ]
