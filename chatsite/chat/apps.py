from django.apps import AppConfig


class ChatConfig(AppConfig):
    name = "chatsite.chat"
    label = "chat"
    verbose_name = "Chat"

    def ready(self) -> None:
        from chatsite.chat import signals  # noqa: F401
