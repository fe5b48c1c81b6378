"""The product's own settings, in an environment of the suite's own."""

from tests import environment  # noqa: F401, I001  (must come first)
from chatsite.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
