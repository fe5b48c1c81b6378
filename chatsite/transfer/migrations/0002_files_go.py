from django.db import migrations, models
from django.db.models import Q

IS_NEEDED = Q(status__in=["queued", "running", "quarantined"])


def let_go(apps, schema_editor):
    """What ended badly before kept its content."""
    apps.get_model("transfer", "Import").objects.exclude(IS_NEEDED).update(content=b"")


def mark_answers(apps, schema_editor):
    """Those that are here of files: what their files named is not known any more."""
    apps.get_model("chat", "Turn").objects.filter(
        conversation__origin__isnull=False, decision=None, completion__model=None, completion__status="done"
    ).update(imported={})


class Migration(migrations.Migration):
    dependencies = [("transfer", "0001_initial"), ("chat", "0011_imported_answers")]

    operations = [
        migrations.RunPython(let_go, migrations.RunPython.noop),
        migrations.RunPython(mark_answers, migrations.RunPython.noop),
        migrations.AddConstraint(
            "import",
            models.CheckConstraint(name="a_file_goes_when_it_has_been_read", condition=IS_NEEDED | Q(content=b"")),
        ),
    ]
