from django.apps import AppConfig


class RoutingConfig(AppConfig):
    name = "chatsite.routing"
    label = "routing"
    verbose_name = "Routing"

    def ready(self) -> None:
        from chatsite.routing import watching
        from workers.reaper import on_duty

        on_duty.connect(watching.watch, dispatch_uid="watching")
