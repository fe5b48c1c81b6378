from django.apps import AppConfig


class DocumentsConfig(AppConfig):
    name = "chatsite.documents"
    label = "documents"
    verbose_name = "Documents"

    def ready(self) -> None:
        from chatsite.documents import sweeping
        from workers.reaper import on_duty

        on_duty.connect(sweeping.sweep, dispatch_uid="documents.sweep")
