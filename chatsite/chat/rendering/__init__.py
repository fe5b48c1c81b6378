"""Markdown of an answer to HTML that is safe to show: parsed, highlighted, and sanitised last.

`render` takes a whole answer; `BlockRenderer` renders one that is still being written, block by block.
"""

from chatsite.chat.rendering.blocks import Block, BlockRenderer
from chatsite.chat.rendering.markdown import render

__all__ = ["Block", "BlockRenderer", "render"]
