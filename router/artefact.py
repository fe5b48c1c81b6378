"""The file that holds a fitted classifier, as far as it can be read without numpy: the web tier takes it in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

METADATA_KEY = "router"
SHIPPED = Path(__file__).parent / "artefacts" / "classifier.safetensors"
MAX_BYTES = 5_000_000
_LENGTH_BYTES = 8


class ArtefactError(ValueError):
    """These bytes are no artefact that can be used. The text says why."""


def read_metadata(content: bytes) -> dict[str, Any]:
    """What the artefact says of itself (roles, hash of the data, seed, versions, metrics). Raises `ArtefactError`.

    The layout is that of safetensors: the length of the header in eight bytes, the header as JSON, the tensors.
    """
    if len(content) > MAX_BYTES:
        raise ArtefactError(f"The artefact has {len(content):,} bytes; at most {MAX_BYTES:,} are allowed.")
    length = int.from_bytes(content[:_LENGTH_BYTES], "little")
    try:
        header = json.loads(content[_LENGTH_BYTES : _LENGTH_BYTES + length])
        metadata = json.loads(header["__metadata__"][METADATA_KEY])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArtefactError("This is no routing classifier: make one with `manage.py fit_router`.") from error
    if not isinstance(metadata, dict) or not isinstance(metadata.get("roles"), list):
        raise ArtefactError("The artefact does not say which roles it tells apart. Fit it again.")
    return metadata


def with_metadata(content: bytes, **facts: Any) -> bytes:
    """The artefact with some facts about itself changed or added. Raises `ArtefactError`."""
    metadata = read_metadata(content) | facts
    end = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
    header = json.loads(content[_LENGTH_BYTES:end])
    header["__metadata__"][METADATA_KEY] = json.dumps(metadata, sort_keys=True, ensure_ascii=False)
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _LENGTH_BYTES)  # the tensors begin at a multiple of eight
    return len(text).to_bytes(_LENGTH_BYTES, "little") + text + content[end:]
