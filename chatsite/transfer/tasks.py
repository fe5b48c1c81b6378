"""The task of imports, which the background worker runs."""

from celery import shared_task

from chatsite.transfer import importing
from chatsite.transfer.models import Import
from workers import attempts


@shared_task(name="transfer.import_file")
def import_file(import_id: str, attempt: int) -> None:
    """Run one attempt of an import, if it is still waiting."""
    with attempts.claimed(Import, import_id, attempt) as held:
        if held:
            importing.run(held[0])
