"""`manage.py evaluate router|classifier|summariser FILE.jsonl --json`: figures on a file of examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from router.rows import RowError

LISTS = ("predictions", "outputs")


class Command(BaseCommand):
    help = (
        "Evaluate on a JSONL file. router: rows with text and role (summarise, classify or generate). classifier: "
        "rows with text and label. summariser: rows with text, references (a list) and, if there is one, instruction."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("part", choices=("router", "classifier", "summariser"))
        parser.add_argument("file", type=Path, metavar="FILE.jsonl")
        parser.add_argument("--json", action="store_true", help="print everything, as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        from chatsite.chat import evaluation  # numpy and more

        evaluate = getattr(evaluation, f"evaluate_{options['part']}")
        try:
            options["file"].open("rb").close()  # before anything large is loaded
            figures = evaluate(options["file"])
        except RowError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror or error}.") from error
        if options["json"]:
            self.stdout.write(json.dumps(figures, ensure_ascii=False))
        else:
            for name, value in figures.items():
                if name not in LISTS:
                    self.stdout.write(f"{name}: {value}")
