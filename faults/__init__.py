"""The fault suite: docs/faults.md lists its rows. `make faults` runs it; nothing of the product imports it."""
