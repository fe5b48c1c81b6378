"""The site: all that a browser or an API client touches."""

from chatsite.celery import app as celery_app

__all__ = ["celery_app"]
