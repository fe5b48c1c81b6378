"""The types of the fixtures that rows take."""

from collections.abc import Callable
from typing import Any

Record = Callable[[int, str, dict[str, Any]], None]
Scaled = Callable[..., int]
