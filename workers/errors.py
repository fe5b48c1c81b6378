"""What can go wrong while a model runs.

    WorkerError
    ├── UnknownModelError         the model does not exist, here or at the provider
    ├── BackendUnavailableError   cannot be reached, or answers 5xx
    ├── ProviderRefusedError      refuses the request: key, permission, content
    ├── RateLimitedError          429; knows how long to wait
    ├── ProviderTimeoutError      silent for too long
    ├── UnreadableSecretError     its key was encrypted with another key than today's
    ├── StreamCutError            ended without saying so, or spoke garbage
    ├── ContextTooLongError       more text than the model can take
    └── InputError                nothing the model could work on (one label, no text)

The code names the words that a person reads (`chatsite.chat.notices`); the text is for admins and logs.
"""

from __future__ import annotations


class WorkerError(Exception):
    """A run that failed. `is_retryable`: whether asking the same model once more, a moment later, could help."""

    code = "failed"
    is_retryable = False


class UnknownModelError(WorkerError):
    code = "unknown_model"


class BackendUnavailableError(WorkerError):
    code = "provider_unavailable"
    is_retryable = True


class ProviderRefusedError(WorkerError):
    code = "provider_refused"


class RateLimitedError(WorkerError):
    code = "rate_limited"
    is_retryable = True

    def __init__(self, text: str, retry_after_seconds: float = 1.0) -> None:
        super().__init__(text)
        self.retry_after_seconds = retry_after_seconds


class ProviderTimeoutError(WorkerError):
    """The person has waited for as long as we let a model be silent: they do not wait that long again for it."""

    code = "provider_timeout"


class UnreadableSecretError(WorkerError):
    """A stored secret that none of ENCRYPTION_KEYS opens."""

    code = "provider_refused"


class StreamCutError(WorkerError):
    code = "stream_cut"
    is_retryable = True


class ContextTooLongError(WorkerError):
    code = "context_too_long"


class InputError(WorkerError):
    """The message lacks what the role needs. `code` says what, for instance `one_label`."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
