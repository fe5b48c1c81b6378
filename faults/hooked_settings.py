"""The product's own settings, for processes that the suite can make fail at a chosen place (`faults.hooks`)."""

from chatsite.settings import *  # noqa: F403
from chatsite.settings import INSTALLED_APPS as _APPS

INSTALLED_APPS = [*_APPS, "faults.hooks.HooksConfig"]
