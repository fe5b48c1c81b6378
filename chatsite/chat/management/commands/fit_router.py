"""`manage.py fit_router`: the routing classifier, fitted anew from the messages in the repository."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from router.artefact import MAX_BYTES, SHIPPED, read_metadata
from router.rows import RowError


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
        parser.add_argument("--linear", action="store_true", help="fit no encoder: much faster")
        parser.add_argument("--output", type=Path, default=SHIPPED, help="where to write (default: %(default)s)")
        parser.add_argument("--seed", type=int, default=1, help="draws the joined messages (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        from router import training, training_data  # scikit-learn takes a second to load
        from workers.encoder import encode

        seed = options["seed"]
        try:
            samples = training_data.own_samples(seed)
            for path in options["extra"]:
                found = training_data.extra_samples(path, seed)
                self.stdout.write(f"{path.name}: {len(found)} messages that may be used.")
                samples += found
            content = training.fit(samples, seed, self.stdout.write, None if options["linear"] else encode)
            options["output"].write_bytes(content)
        except (RowError, OSError) as error:
            raise CommandError(str(error)) from error
        if len(content) > MAX_BYTES:
            raise CommandError(f"The artefact has {len(content):,} bytes, more than the {MAX_BYTES:,} allowed.")
        self._report(content, options["output"])

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
