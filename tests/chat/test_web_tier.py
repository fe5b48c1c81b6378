"""The web tier holds sockets; it has no models in memory, nor anything else that nobody has asked for."""

import subprocess
import sys

from tests.processes import ROOT, environment

MODELS = ("torch", "transformers", "openai", "sklearn", "numpy", "opentelemetry.sdk.trace", "opentelemetry.exporter")


def test_the_site_imports_no_model_library_and_nothing_that_sends_traces() -> None:
    program = f"import sys, chatsite.asgi; print([name for name in {MODELS!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert run.stdout.strip().splitlines()[-1] == "[]", run.stderr
