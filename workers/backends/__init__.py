"""Backends by the kind of their provider, imported when first used and only inside a worker."""

from functools import cache
from typing import Any

from django.utils.module_loading import import_string

from workers.backends.base import Backend, Run
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


def run_of(
    model: Model, role: str, prompt: list[dict[str, str]], options: dict[str, Any], *, request_id: str = ""
) -> Run:
    """One run of `model`; `options` go before its own. Raises `errors.UnreadableSecretError`."""
    return Run(
        role=role,
        prompt=prompt,
        options={**model.options, **options},
        identifier=model.identifier,
        revision=model.revision,
        base_url=model.provider.base_url,
        api_key=model.provider.api_key,
        context_window=model.context_window,
        max_output_tokens=model.max_output_tokens,
        is_warm=model.is_warm,
        request_id=request_id,
    )


@cache
def _backend(path: str) -> Backend:
    backend: Backend = import_string(path)()
    return backend
