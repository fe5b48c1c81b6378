from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.backends.fake_provider import FakeProvider
from tests.tiny_models import build_causal_model
from workers.backends.base import Run

PROMPT = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def run_of(provider: FakeProvider) -> Callable[..., Run]:
    """A run of one of the fake provider's models."""

    def run(model: str, **fields: Any) -> Run:
        return Run(role="generate", identifier=model, base_url=provider.base_url, **{"prompt": PROMPT, **fields})

    return run


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny causal model with a chat template."""
    torch.set_num_threads(1)
    return build_causal_model(tmp_path_factory.mktemp("tiny"))
