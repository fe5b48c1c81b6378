from django.apps import AppConfig


class ChatConfig(AppConfig):
    name = "chatsite.chat"
    label = "chat"
    verbose_name = "Chat"

    def ready(self) -> None:
        from chatsite.chat import conversations, endings, feed, titling
        from chatsite.chat import signing_out as signing_out  # listens to what ends a session
        from workers.jobs import ended
        from workers.models import answered
        from workers.reaper import on_duty

        on_duty.connect(conversations.purge, dispatch_uid="purging")
        on_duty.connect(feed.sweep, dispatch_uid="feed")
        ended.connect(endings.tell, dispatch_uid="readiness")
        answered.connect(titling.begin, dispatch_uid="titling")
