"""The table of results: every row with the worst figure of its runs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Results:
    """Figures by row, scenario and seed."""

    runs: list[dict[str, Any]] = field(default_factory=list)

    def add(self, row: int, scenario: str, seed: int, figures: dict[str, Any]) -> None:
        self.runs.append({"row": row, "scenario": scenario, "seed": seed, "figures": figures})

    def write(self, folder: Path, name: str) -> None:
        """`<name>.json` with every run, `<name>.md` with the worst of each row."""
        if not self.runs:
            return
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(self.runs, indent=1) + "\n")
        (folder / f"{name}.md").write_text(self.table())

    def table(self) -> str:
        lines = ["| # | scenario | seeds | worst figures |", "|---|---|---|---|"]
        rows: dict[tuple[int, str], list[dict[str, Any]]] = {}
        for run in sorted(self.runs, key=lambda run: run["row"]):
            rows.setdefault((run["row"], run["scenario"]), []).append(run)
        for (row, scenario), runs in rows.items():
            seeds = ", ".join(str(run["seed"]) for run in runs)
            lines.append(f"| {row} | {scenario} | {seeds} | {_worst([run['figures'] for run in runs])} |")
        return "\n".join(lines) + "\n"


# Of these, less is worse; of all others, more is.
_MORE_IS_BETTER = ("answers", "executed", "faults")


def _worst(figures: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for one in figures for name in one))
    return ", ".join(f"{name} {_worst_of(name, figures)}" for name in names)


def _worst_of(name: str, figures: list[dict[str, Any]]) -> Any:
    values = [one[name] for one in figures if name in one]
    return min(values) if name.startswith(_MORE_IS_BETTER) else max(values)
