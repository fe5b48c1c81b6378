from django.core.validators import RegexValidator
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("router", "0012_safeguards_in_the_audit_log"),
    ]

    operations = [
        migrations.AlterField(
            model_name="route",
            name="name",
            field=models.CharField(
                max_length=40,
                unique=True,
                validators=[
                    RegexValidator(
                        r"\A[a-z][a-z0-9-]*\Z",
                        "Use lower-case letters, digits and hyphens, starting with a letter; people type it as /name.",
                    )
                ],
            ),
        ),
    ]
