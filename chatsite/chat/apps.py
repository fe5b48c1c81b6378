from django.apps import AppConfig


class ChatConfig(AppConfig):
    name = "chatsite.chat"
    label = "chat"
    verbose_name = "Chat"

    def ready(self) -> None:
        from chatsite.chat import conversations, feed, signals, titling  # noqa: F401
        from workers.models import answered
        from workers.reaper import on_duty

        on_duty.connect(conversations.purge, dispatch_uid="purging")
        on_duty.connect(feed.sweep, dispatch_uid="feed")
        answered.connect(titling.begin, dispatch_uid="titling")
