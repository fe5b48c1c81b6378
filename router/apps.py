from django.apps import AppConfig


class RouterConfig(AppConfig):
    name = "router"
    label = "router"
    verbose_name = "Routing"
