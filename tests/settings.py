"""The product's own settings, in an environment of the suite's own."""

from tests import environment  # noqa: F401, I001  (must come first)
from chatsite.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests"]  # noqa: F405  (a command of its own)
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
