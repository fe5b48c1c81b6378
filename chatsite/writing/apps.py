from django.apps import AppConfig


class WritingConfig(AppConfig):
    name = "chatsite.writing"
    label = "writing"
    verbose_name = "Writing"
