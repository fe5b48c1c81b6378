"""The classifier's file: numbers and one text, nothing that runs."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from router.artefact import MAX_BYTES, SHIPPED, ArtefactError, read_metadata
from router.classifier import RoleClassifier, save
from router.defaults import ROUTES
from router.features import DIMENSIONS, VERSION
from workers.encoder import encode

ROLES = ("summarise", "classify", "generate")


def made(**changes: Any) -> bytes:
    facts = {"weights": np.zeros((DIMENSIONS, 3)), "bias": np.zeros(3), "metadata": {"features": VERSION}, **changes}
    return save(ROLES, facts["weights"], facts["bias"], facts["metadata"])


def test_what_is_saved_is_loaded() -> None:
    classifier = RoleClassifier.load(made(bias=np.array([0.0, 1.0, 0.0])))
    assert classifier.roles == ROLES
    assert classifier.tell("anything").probabilities["classify"] == pytest.approx(0.576, abs=0.001)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"stub",
        b"\xff" * 100,
        pickle.dumps({"weights": 1}),
        safetensors.numpy.save({"weights": np.zeros(3)}),
        safetensors.numpy.save({"weights": np.zeros(3)}, metadata={"router": "[]"}),
        made()[:-10],
        made(weights=np.zeros((5, 3))),
        made(metadata={"features": VERSION + 1}),
        made(metadata={}),
    ],
)
def test_other_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(ArtefactError):
        RoleClassifier.load(content)


def test_a_large_file_is_refused_before_it_is_read() -> None:
    with pytest.raises(ArtefactError, match="at most"):
        read_metadata(b"\0" * (MAX_BYTES + 1))


def test_deciding_loads_neither_scikit_learn_nor_pickle_nor_torch() -> None:
    program = (
        "import sys, json\n"
        "from router.classifier import RoleClassifier\n"
        f"RoleClassifier.load(open({str(SHIPPED)!r}, 'rb').read()).tell('hello')\n"
        "print(json.dumps([name for name in ('sklearn', 'scipy', 'torch', 'joblib') if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert json.loads(done.stdout) == []


def test_the_web_tier_reads_metadata_and_checks_rules_without_numpy() -> None:
    program = (
        "import sys\n"
        "from router.artefact import read_metadata\n"
        "from router.strategies import explicit, rules\n"
        f"read_metadata(open({str(SHIPPED)!r}, 'rb').read())\n"
        "print('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"False"


def test_the_shipped_classifier_fits_this_version_and_is_small() -> None:
    content = SHIPPED.read_bytes()
    assert len(content) < MAX_BYTES
    classifier = RoleClassifier.load(content, encode)  # both models, as light workers run it
    for text, role in [
        ("Can you summarise this article for me?", "summarise"),
        ("tl;dr", "summarise"),
        ("shorter please", "summarise"),
        ("is this spam or not spam: you have won a prize", "classify"),
        ("Is the sentiment of this review positive or negative?", "classify"),
        ("hi, how are you?", "generate"),
        ("translate this to French", "generate"),
        ("Explain how a spam filter works", "generate"),
    ]:
        assert classifier.tell(text).role == role, text


def test_a_fresh_installation_has_the_thresholds_that_were_calibrated() -> None:
    calibrated = read_metadata(SHIPPED.read_bytes())["thresholds"]
    shipped = {route["role"]: route["threshold"] for route in ROUTES if not route.get("is_default")}
    assert shipped == {role: calibrated[role] for role in shipped}
