"""Causal models of the `transformers` library: found and loaded.

Only safetensors are loaded and no code of a repository is run: a pickle can do anything when it is opened.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from workers.errors import BackendUnavailableError, ProviderRefusedError, UnknownModelError
from workers.prompts.prompt import alternating

NEEDED_FILES = ["*.safetensors", "*.json", "*.jinja", "*.txt", "*.model"]
NEEDLESS_FILES = ["original/*", "consolidated*"]  # the same weights in another layout
PLAIN_STOP = "\nUser:"


@dataclass(frozen=True)
class CausalModel:
    """A loaded model and its tokeniser, used by any number of threads."""

    model: Any
    tokenizer: Any

    @property
    def context_window(self) -> int | None:
        """Tokens that the model was made for, prompt and answer together, where its configuration says."""
        return getattr(self.model.config.get_text_config(), "max_position_embeddings", None)

    @cached_property
    def batch(self) -> Any:
        """Writes its answers together; None if they can only be written each on its own."""
        from workers.backends.causal_batch import Batch, can_batch

        return Batch(self.model) if can_batch(self.model) else None

    @property
    def stops(self) -> list[str]:
        """Texts that end an answer. A model without a chat template tends to go on with the next question."""
        return [] if self.tokenizer.chat_template else [PLAIN_STOP]

    def encode(self, prompt: list[dict[str, str]]) -> Any:
        """The tokens of a prompt, as `generate` takes them: with the chat template, or as a plain dialogue.

        Special tokens that people have written into their messages stay text: they must not end a message
        or begin another one in somebody else's name.
        """
        messages = [{**message, "content": self._without_special_tokens(message["content"])} for message in prompt]
        if not self.tokenizer.chat_template:
            return self.tokenizer(_plain(messages), return_tensors="pt").to(self.model.device)
        return self._apply_template(messages).to(self.model.device)

    def _apply_template(self, messages: list[dict[str, str]]) -> Any:
        from jinja2.exceptions import TemplateError

        try:
            return self._template(messages)
        except TemplateError:  # no system message, or not two messages of one role in a row
            try:
                return self._template(alternating(messages))
            except TemplateError as error:
                raise ProviderRefusedError(f"The model's chat template refuses the conversation: {error}.") from None

    def _template(self, messages: list[dict[str, str]]) -> Any:
        return self.tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )

    def _without_special_tokens(self, text: str) -> str:
        return self._special_tokens.sub(lambda found: found[0][0] + "\u200b" + found[0][1:], text)

    @cached_property
    def _special_tokens(self) -> re.Pattern[str]:
        added = self.tokenizer.added_tokens_decoder.values()
        tokens = {token.content for token in added if token.special} | set(self.tokenizer.all_special_tokens)
        longest_first = sorted((token for token in tokens if len(token) > 1), key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


def load(identifier: str, revision: str) -> CausalModel:
    """Load a model from a local folder, or from the Hugging Face Hub by way of its local cache.

    Raises `UnknownModelError` or `BackendUnavailableError`.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # it would draw into the log
    folder = _local_folder(identifier) or _download(identifier, revision)
    if not any(folder.glob("*.safetensors")):
        raise UnknownModelError(
            f"{identifier} has no weights in the safetensors format. Other formats are refused, because opening a "
            "pickle runs the code in it. Choose a model that has safetensors, or convert it."
        )
    options = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **options)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder, use_safetensors=True, dtype="auto", output_loading_info=True, **options
        )
        model, report = loaded
        model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise BackendUnavailableError(f"{identifier} does not fit into the worker's memory.") from error
    except Exception as error:  # foreign files: anything may be wrong with them
        raise UnknownModelError(f"{identifier} cannot be loaded: {_first_line(error)}") from error
    if report["missing_keys"]:  # they would be made up at random
        raise UnknownModelError(f"{identifier} is not a model that writes text: some of its weights are missing.")
    return CausalModel(model, tokenizer)


def _local_folder(identifier: str) -> Path | None:
    """The folder that `identifier` names, or None if it names a repository of the hub."""
    folder = Path(identifier).expanduser()
    if identifier and folder.is_dir():
        return folder
    if folder.is_absolute() or identifier.startswith("."):
        raise UnknownModelError(f"There is no folder {identifier} on the machine where the local worker runs.")
    return None


def _download(identifier: str, revision: str) -> Path:
    """The folder of a repository's files, from the hub's local cache as far as they are there."""
    from huggingface_hub import errors, snapshot_download

    try:
        return Path(
            snapshot_download(
                identifier,
                revision=revision or None,
                allow_patterns=NEEDED_FILES,
                ignore_patterns=NEEDLESS_FILES,
            )
        )
    except errors.HFValidationError:
        raise UnknownModelError(
            f"{identifier} is neither a folder nor the name of a Hugging Face repository, such as owner/model."
        ) from None
    except errors.GatedRepoError:
        raise UnknownModelError(
            f"{identifier} is open only to people who accepted its terms. Accept them on its page and set HF_TOKEN."
        ) from None
    except errors.RevisionNotFoundError:
        raise UnknownModelError(f"{identifier} has no revision {revision or 'main'}.") from None
    except errors.RepositoryNotFoundError:
        raise UnknownModelError(f"There is no repository {identifier} on the hub, or it is private.") from None
    except errors.LocalEntryNotFoundError:
        raise UnknownModelError(
            f"{identifier} has not been downloaded, and the hub cannot be reached. Download it where there is a "
            "connection, or enter the path of a local folder."
        ) from None
    except (errors.HfHubHTTPError, OSError) as error:
        raise BackendUnavailableError(f"{identifier} cannot be downloaded: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


def _plain(messages: list[dict[str, str]]) -> str:
    """A prompt for models without a chat template, which go on with any text."""
    names = {"user": "User: ", "assistant": "Assistant: "}
    lines = [names.get(message["role"], "") + message["content"] for message in messages]
    return "\n".join([*lines, "Assistant:"])
