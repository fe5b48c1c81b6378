"""Tiny causal models for tests: random weights, a real tokeniser, saved as people publish them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SENTENCES = [
    "A message goes one way: browser, router, worker, browser.",
    "The summary of a long text keeps what matters and leaves the rest.",
    "Größe, naïve, éclair, 日本語, emoji 😀 🎉 and <b>markup</b> must survive.",
]
CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL_TOKENS = ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]


def build_causal_model(
    folder: Path,
    *,
    chat_template: str | None = CHAT_TEMPLATE,
    positions: int = 256,
    never_ends: bool = False,
    hidden_size: int = 32,
    layers: int = 1,
) -> Path:
    """Save a one-layer Llama and its byte-level BPE tokeniser to `folder`, as safetensors. Takes a second.

    The weights are random but always the same, so answers without sampling can be compared.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = _tokenizer(chat_template)
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        intermediate_size=2 * hidden_size,
        num_hidden_layers=layers,
        num_attention_heads=2,
        max_position_embeddings=positions,
        initializer_range=0.5,  # far apart, so that the answers vary
        bos_token_id=None,
        eos_token_id=None if never_ends else tokenizer.convert_tokens_to_ids("<|end|>"),
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer(chat_template: str | None) -> Any:
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(SENTENCES * 10, vocab_size=400, special_tokens=SPECIAL_TOKENS, show_progress=False)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=trained._tokenizer,
        eos_token="<|end|>",
        additional_special_tokens=SPECIAL_TOKENS,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = chat_template
    return tokenizer
