from django.apps import AppConfig


class TransferConfig(AppConfig):
    name = "chatsite.transfer"
    label = "transfer"
    verbose_name = "Export and import"

    def ready(self) -> None:
        from chatsite.transfer import importing
        from workers.reaper import on_duty

        on_duty.connect(importing.let_go, dispatch_uid="transfer.let_go")
