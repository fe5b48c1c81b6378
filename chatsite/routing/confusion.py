"""The confusion matrix as a picture: where its cells go, how strongly they are filled, what a screen reader is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Confusion = Mapping[str, Mapping[str, int]]

CELL_WIDTH, CELL_HEIGHT = 64, 40
LEFT, TOP, OVERHANG = 132, 84, 64  # room for the names of the rows, of the slanted columns, and of the last of them
GAP = 2
NAME_CHARACTERS = 17
FITS_A_PHONE = 3  # so many routes can be read when the picture is scaled down to a phone


@dataclass(frozen=True)
class Cell:
    """A square of the picture. `share` is that of its row."""

    x: int
    y: int
    count: int
    is_right: bool
    opacity: float
    words: str

    @property
    def middle(self) -> tuple[int, int]:
        return self.x + (CELL_WIDTH - GAP) // 2, self.y + (CELL_HEIGHT - GAP) // 2


@dataclass(frozen=True)
class Name:
    """A route beside its row or above its column."""

    x: int
    y: int
    text: str
    full: str


@dataclass(frozen=True)
class Picture:
    """All that the template draws."""

    width: int
    height: int
    rows: list[Name]
    columns: list[Name]
    cells: list[Cell]
    table: list[tuple[str, list[int]]]  # the same as text: the route, and what its messages were taken for
    words: str
    is_wide: bool


def picture(confusion: Confusion, titles: Mapping[str, str]) -> Picture:
    """The picture of `confusion[right][taken]`. Routes that no labelled message belongs on have a column only."""
    taken = list(confusion)
    rows = [name for name in taken if any(confusion[name].values())]
    title = {name: titles.get(name, name) or "nobody" for name in taken}
    return Picture(
        width=LEFT + len(taken) * CELL_WIDTH + OVERHANG,
        height=TOP + len(rows) * CELL_HEIGHT,
        rows=[_name(LEFT - 10, TOP + (CELL_HEIGHT - GAP) // 2 + i * CELL_HEIGHT, title[n]) for i, n in enumerate(rows)],
        columns=[_name(LEFT + CELL_WIDTH // 2 + i * CELL_WIDTH, TOP - 10, title[n]) for i, n in enumerate(taken)],
        cells=[
            _cell(place, line, confusion[right], right, into, title)
            for line, right in enumerate(rows)
            for place, into in enumerate(taken)
        ],
        table=[(title[right], [confusion[right][into] for into in taken]) for right in rows],
        words=_words(confusion, rows, title),
        is_wide=len(taken) > FITS_A_PHONE,
    )


def _cell(place: int, line: int, row: Mapping[str, int], right: str, into: str, title: Mapping[str, str]) -> Cell:
    count, total = row[into], sum(row.values())
    share = count / total
    return Cell(
        x=LEFT + place * CELL_WIDTH,
        y=TOP + line * CELL_HEIGHT,
        count=count,
        is_right=right == into,
        opacity=round(0.12 + 0.48 * share, 3) if count else 0.0,
        words=f"{title[right]} taken for {title[into]}: {count} of {total} ({share:.0%})",
    )


def _name(x: int, y: int, full: str) -> Name:
    return Name(x, y, full if len(full) <= NAME_CHARACTERS else full[: NAME_CHARACTERS - 1] + "…", full)


def _words(confusion: Confusion, rows: list[str], title: Mapping[str, str]) -> str:
    """The picture in a sentence or two."""
    counts = {(right, into): count for right in rows for into, count in confusion[right].items() if count}
    wrong = {pair: count for pair, count in counts.items() if pair[0] != pair[1]}
    text = f"{sum(counts.values()) - sum(wrong.values())} of {sum(counts.values())} messages on the right route."
    if not wrong:
        return text
    (right, into), count = max(wrong.items(), key=lambda item: item[1])
    often = f"{count} times" if count > 1 else "once"
    return f"{text} The commonest mistake: {title[right]} taken for {title[into]}, {often}."
