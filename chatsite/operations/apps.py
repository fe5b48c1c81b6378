from django.apps import AppConfig


class OperationsConfig(AppConfig):
    name = "chatsite.operations"
    label = "operations"
    verbose_name = "Operations"

    def ready(self) -> None:
        from chatsite.operations import checks  # noqa: F401
