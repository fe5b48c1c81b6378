"""The queue of what takes long and can wait. A process of its own serves it, at the lowest priority."""

BACKGROUND = "background"
