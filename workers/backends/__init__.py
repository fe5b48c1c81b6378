"""Backends by the kind of their provider, imported when first used and only inside a worker."""

from functools import cache

from django.utils.module_loading import import_string

from workers.backends.base import Backend
from workers.models import Model, Provider

BACKENDS: dict[str, str] = {
    "minilm-extractive": "workers.backends.extractive.ExtractiveBackend",
    "minilm-zero-shot": "workers.backends.zero_shot.ZeroShotBackend",
    Provider.Kind.TRANSFORMERS: "workers.backends.causal.CausalBackend",
    Provider.Kind.OPENAI: "workers.backends.openai_compatible.OpenAICompatibleBackend",
}


def backend_for(model: Model) -> Backend:
    """The process's backend that runs `model`."""
    kind = model.provider.kind
    return _backend(BACKENDS[model.identifier if kind == Provider.Kind.EMBEDDED else kind])


@cache
def _backend(path: str) -> Backend:
    backend: Backend = import_string(path)()
    return backend
