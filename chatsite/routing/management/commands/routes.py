"""`manage.py routes check|publish|try|diff|export|import|roll-back`: the draft and its revisions, in a shell."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from chatsite.chat.trials import compared
from chatsite.routing import printing, publishing
from router import drafts, files, labelled, revisions
from router.artefact import ArtefactError
from router.diffing import differences
from router.models import Classifier, Draft, Revision, Safeguards
from router.policy import Request

DRAFT, LIVE = "draft", "live"
MAX_DIGITS = 10
REFUSALS = (
    drafts.InvalidPolicyError,
    drafts.DraftChangedError,
    revisions.LiveChangedError,
    files.FileError,
    labelled.LabelledFileError,
    ArtefactError,
)

if TYPE_CHECKING:
    from router.gate import Verdict
    from router.policy import Policy


class Command(BaseCommand):
    help = "Check, publish, try, compare, export and import routes. `check` ends with 1 if the gate refuses."

    def add_arguments(self, parser: CommandParser) -> None:
        kinds = parser.add_subparsers(dest="action", required=True, metavar="action")
        check = kinds.add_parser("check", help="have routes decide the labelled messages, beside others")
        check.add_argument("--file", type=Path, help="routes as `export` writes them (default: the draft)")
        check.add_argument("--beside", type=Path, help="routes to compare with (default: the live revision)")
        check.add_argument(
            "--elsewhere",
            action="store_true",
            help="the files are for another installation: models and groups that they name may be missing here",
        )
        publish = kinds.add_parser("publish", help="check the draft, and make it live if it is not worse")
        publish.add_argument("--note", default="", type=_note, help="what it changes and why")
        publish.add_argument("--author", help="the name of the user who publishes it")
        publish.add_argument("--past-gate", action="store_true", help="publish it whatever the gate says; audited")
        for each in (check, publish):
            each.add_argument("--labelled", type=Path, help="JSONL or CSV (default: the labelled set of the admin)")
            each.add_argument("--margin", type=_points, help="percentage points (default: that of the admin)")
        trial = kinds.add_parser("try", help="decide a message, by the live revision and by the draft")
        trial.add_argument("text", help="the message; - reads it from standard input")
        trial.add_argument("--route", default="", help="the route that the person names")
        diff = kinds.add_parser("diff", help="what is different between two: numbers, “live” or “draft”")
        diff.add_argument("before", nargs="?", default=LIVE)
        diff.add_argument("after", nargs="?", default=DRAFT)
        export = kinds.add_parser("export", help="write routes as TOML")
        export.add_argument("what", nargs="?", default=DRAFT, help="a number, “live” or “draft” (default)")
        export.add_argument("--output", type=Path, help="a file (default: standard output)")
        from_file = kinds.add_parser("import", help="make the draft what a file says")
        from_file.add_argument("file", type=Path, help="TOML; - reads standard input")
        from_artefact = kinds.add_parser("import-classifier", help="take in an artefact of fit_router, as the draft's")
        from_artefact.add_argument("file", type=Path)
        artefact = kinds.add_parser("export-classifier", help="write the artefact that routes run with")
        artefact.add_argument("what", nargs="?", default=DRAFT, help="a number, “live” or “draft” (default)")
        artefact.add_argument("--output", type=Path, required=True)
        back = kinds.add_parser("roll-back", help="make what a former revision says live again")
        back.add_argument("number")
        for each in (from_file, from_artefact, back):
            each.add_argument("--author", help="the name of the user who does it")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        getattr(self, f"_{action.replace('-', '_')}")(options)

    def _check(self, options: dict[str, Any]) -> None:
        file, beside, is_elsewhere = options["file"], options["beside"], options["elsewhere"]
        content, classifier = _from_file(file, is_elsewhere) if file else _draft()
        verdict = self._judge(content, classifier, _beside(beside, is_elsewhere), options)
        for line in [*printing.mistakes(verdict), *printing.matrix(verdict.draft.confusion)]:
            self.stdout.write(line)
        if not verdict.passes:
            raise CommandError("The gate refuses it.", returncode=1)

    def _publish(self, options: dict[str, Any]) -> None:
        content, classifier = _draft()
        author, note, live = _user(options["author"]), options["note"], revisions.live_revision()
        fingerprint = drafts.fingerprint(content, classifier.sha256)
        verdict = self._judge(content, classifier, _policy_of(live), options)
        if verdict.passes:
            facts = {"labelled": str(options["labelled"])} if options["labelled"] else {}
            revision = _in_words(publishing.publish_measured)(author, note, fingerprint, verdict, live, **facts)
        elif options["past_gate"]:
            revision = _in_words(publishing.publish_past_gate)(author, note, fingerprint)
        else:
            raise CommandError("The gate refuses it. Nothing was published.", returncode=1)
        self.stdout.write(f"{revision} is live.")

    def _try(self, options: dict[str, Any]) -> None:
        text = sys.stdin.read() if options["text"] == "-" else options["text"]
        found = compared(Request(text, options["route"]))
        for choice in found["choices"]:
            self.stdout.write(printing.described(choice))
        self.stdout.write(found["difference"])

    def _diff(self, options: dict[str, Any]) -> None:
        (old, old_sha), (new, new_sha) = (_named(options[side]) for side in ("before", "after"))
        for change in differences(old, new, old_classifier=old_sha, new_classifier=new_sha):
            self.stdout.write(str(change))

    def _export(self, options: dict[str, Any]) -> None:
        text = files.dump(*_named(options["what"]))
        if options["output"]:
            _write(options["output"], text.encode())
        else:
            self.stdout.write(text)

    def _import(self, options: dict[str, Any]) -> None:
        _in_words(files.import_into_draft)(_read(options["file"]), _user(options["author"]))
        self.stdout.write("The draft is what the file says. Nothing is published yet.")

    def _import_classifier(self, options: dict[str, Any]) -> None:
        from router.classifier import RoleClassifier  # numpy: not everything that is done here needs it

        author, content = _user(options["author"]), _in_words(options["file"].read_bytes)()
        _in_words(RoleClassifier.load)(content)  # what cannot be run is not taken in
        classifier = revisions.store_classifier(content)
        revisions.take_classifier(classifier, author)
        self.stdout.write(f"The draft runs with the classifier {classifier}. Nothing is published yet.")

    def _export_classifier(self, options: dict[str, Any]) -> None:
        classifier = Classifier.objects.filter(pk=_named(options["what"])[1]).first()
        if classifier is None:
            raise CommandError("The draft has no classifier yet. Run `manage.py load_defaults`.")
        _write(options["output"], bytes(classifier.content))

    def _roll_back(self, options: dict[str, Any]) -> None:
        revision = _in_words(revisions.roll_back)(_user(options["author"]), _revision(options["number"]))
        self.stdout.write(f"{revision} is live: {revision.note}.")

    def _judge(
        self, content: drafts.Snapshot, classifier: Classifier, beside: Policy | None, options: dict[str, Any]
    ) -> Verdict:
        """What the gate finds, printed as well."""
        _in_words(drafts.check)(content, is_elsewhere=options.get("elsewhere", False))
        for warning in drafts.warnings(content):
            self.stdout.write(f"Probably not meant: {warning}")
        path, margin = options["labelled"], options["margin"]
        names = {route["name"] for route in content["routes"]} | {
            route.name for route in (beside.routes if beside else ())
        }
        cases = _in_words(labelled.read_labelled)(path, names) if path else publishing.labelled_cases()
        margin = Safeguards.current().gate_margin if margin is None else margin
        verdict = _in_words(publishing.measure)(content, classifier, beside, cases, margin, lambda done, total: None)
        for name, figures in (("live", verdict.live), ("draft", verdict.draft)):
            if figures:
                self.stdout.write(f"{name:6} accuracy {figures.accuracy:.3f}, macro-F1 {figures.macro_f1:.3f}")
        if verdict.gain_on_known_routes is not None:
            gain = 100 * verdict.gain_on_known_routes
            self.stdout.write(f"accuracy on the routes that are there before: {gain:+.1f} percentage points")
        if not verdict.count:
            self.stdout.write("There is no labelled message that tells the two apart: nothing was measured.")
        self.stdout.write(f"on {verdict.count} labelled messages; the margin is {margin:g} percentage points.")
        for line in printing.flips(verdict):
            self.stdout.write(line)
        return verdict


def _draft() -> tuple[drafts.Snapshot, Classifier]:
    return drafts.snapshot(), _in_words(drafts.classifier)()


def _from_file(path: Path, is_elsewhere: bool) -> tuple[drafts.Snapshot, Classifier]:
    content, sha = _in_words(files.parse)(_read(path), is_elsewhere=is_elsewhere)
    classifier = Classifier.objects.filter(pk=sha).first() if sha else _in_words(drafts.classifier)()
    if classifier is None:
        raise CommandError(
            f"The classifier {sha[:12]} that the file names is not in this installation. Take the line out of the file "
            "to measure with the draft's, or bring it in with `manage.py routes import-classifier`."
        )
    return content, classifier


def _beside(path: Path | None, is_elsewhere: bool) -> Policy | None:
    """What routes are compared with: those of a file, or what is live."""
    if path is None:
        return _policy_of(revisions.live_revision())
    return _in_words(publishing.compiled)(*_from_file(path, is_elsewhere))


def _policy_of(revision: Revision | None) -> Policy | None:
    return _in_words(publishing.policy_of)(revision)


def _named(name: str) -> tuple[drafts.Snapshot, str]:
    """A snapshot and the hash of its classifier, of a revision by its number, of “live” or of “draft”."""
    if name == DRAFT:
        return drafts.snapshot(), Draft.current().classifier_id or ""
    revision = revisions.live_revision() if name == LIVE else _revision(name)
    if revision is None:
        raise CommandError("Nothing has been published yet.")
    return revision.snapshot, revision.classifier_id


def _revision(name: str) -> Revision:
    is_number = name.isdecimal() and len(name) < MAX_DIGITS
    revision = Revision.objects.select_related("classifier").filter(number=name).first() if is_number else None
    if revision is None:
        raise CommandError(f"There is no revision “{name}”. Say its number, “live” or “draft”.")
    return revision


def _user(name: str | None) -> Any:
    if not name:
        return None
    user = get_user_model().objects.filter(username=name).first()
    if user is None:
        raise CommandError(f"There is no user “{name}”.")
    return user


def _read(path: Path) -> str:
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise CommandError(f"{path} is not in UTF-8.") from None


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from error


def _points(text: str) -> float:
    with suppress(ValueError):
        if 0 <= (points := float(text)) <= 100:
            return points
    raise ArgumentTypeError(f"{text} is no number of percentage points from 0 to 100")


def _note(text: str) -> str:
    if len(text) > revisions.NOTE_LENGTH:
        raise ArgumentTypeError(f"it has {len(text)} characters; {revisions.NOTE_LENGTH} are allowed")
    return text


def _in_words(act: Callable[..., Any]) -> Callable[..., Any]:
    """`act`, whose refusals are the command's."""

    @wraps(act)
    def told(*args: Any, **kwargs: Any) -> Any:
        try:
            return act(*args, **kwargs)
        except REFUSALS as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{error.filename} cannot be read: {error.strerror}.") from error

    return told
