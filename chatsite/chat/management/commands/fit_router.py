"""`manage.py fit_router`: the routing classifier, fitted anew from the messages in the repository."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from router.artefact import MAX_BYTES, SHIPPED, read_metadata
from router.labelled import LabelledFileError, read_labelled
from router.rows import RowError

if TYPE_CHECKING:
    from router.training_data import Sample


class Command(BaseCommand):
    help = "Fit the classifier that tells the role of a message, and write it as an artefact."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--extra",
            action="append",
            default=[],
            type=Path,
            metavar="FILE.jsonl",
            help="more messages; only rows of Dolly whose label is clear are used (CC BY-SA 3.0). May be repeated.",
        )
        parser.add_argument(
            "--own",
            action="append",
            default=[],
            type=Path,
            metavar="FILE",
            help="messages of yours: JSONL or CSV with text, role and perhaps context; all are used. May be repeated.",
        )
        parser.add_argument("--linear", action="store_true", help="fit no encoder: much faster")
        parser.add_argument("--output", type=Path, default=SHIPPED, help="where to write (default: %(default)s)")
        parser.add_argument("--seed", type=int, default=1, help="draws the joined messages (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        from router import training, training_data  # scikit-learn takes a second to load
        from workers.encoder import encode

        seed, output = options["seed"], options["output"]
        if output.is_dir() or not output.parent.is_dir():  # known before the half hour that it takes
            raise CommandError(f"{output} cannot be written: it is a folder, or in one that is not there.")
        try:
            samples = training_data.own_samples(seed)
            for path in options["extra"]:
                samples += self._extra(path, seed)
            for path in options["own"]:
                cases = read_labelled(path, training_data.ROLES)
                samples += [
                    training_data.Sample(case.text, case.route, case.text, "own", case.context) for case in cases
                ]
            content = training.fit(samples, seed, self.stdout.write, None if options["linear"] else encode)
            if len(content) > MAX_BYTES:
                raise CommandError(f"The artefact has {len(content):,} bytes, more than the {MAX_BYTES:,} allowed.")
            output.write_bytes(content)
        except (RowError, LabelledFileError, OSError) as error:
            raise CommandError(str(error)) from error
        self._report(content, options["output"])

    def _extra(self, path: Path, seed: int) -> list[Sample]:
        from router.training_data import ROLES, extra_samples

        try:
            found = extra_samples(path, seed)
        except KeyError as error:
            raise CommandError(f"{path.name}: a row of Dolly has no field {error}.") from error
        if unknown := sorted({sample.role for sample in found} - set(ROLES)):
            raise CommandError(f"{path.name}: “{unknown[0]}” is no role. There are: {', '.join(ROLES)}.")
        self.stdout.write(f"{path.name}: {len(found)} messages that may be used.")
        return found

    def _report(self, content: bytes, path: Path) -> None:
        metadata = read_metadata(content)
        self.stdout.write(f"Wrote {path} ({len(content):,} bytes). On messages that were held out:")
        for name in ("metrics", "linear", "tuned", "joined"):
            if name in metadata:
                self.stdout.write(_line(name, metadata[name]))
        self.stdout.write(
            f"Thresholds: {metadata['thresholds']}; join: {metadata['join']}; data {metadata['data_sha256'][:12]}, "
            f"seed {metadata['seed']}."
        )


def _line(name: str, figures: Mapping[str, Any]) -> str:
    by_source = ", ".join(f"{source} {share:.3f}" for source, share in figures["accuracy_by_source"].items())
    return (
        f"{name:8} accuracy {figures['accuracy']:.3f}, macro-F1 {figures['macro_f1']:.3f}, calibration error "
        f"{figures['calibration_error']:.3f}; by source: {by_source}."
    )
