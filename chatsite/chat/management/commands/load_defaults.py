"""`manage.py load_defaults`: what a fresh installation starts with. Runs at every start and leaves alone what is there.

As long as nothing has been published, it makes the built-in models, the default routes and the labelled messages
that the first drafts are measured on, and publishes the routes.
Later it only stores the classifier that came with a new version. An OpenAI-compatible server that the environment
names (OPENAI_BASE_URL, OPENAI_API_KEY, OPENAI_MODEL) becomes a provider when it is seen for the first time, and its
model answers on the routes that generate.
"""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand
from django.db import transaction
from environs import Env

from router import defaults, drafts, labelled_set
from router.artefact import SHIPPED
from router.labelled import Case
from router.models import AuditEntry, Classifier, Draft, LabelledMessage, Revision, Route
from router.revisions import draft_is_published, import_classifier, publish
from router.rows import read_rows
from workers.backends.base import Run
from workers.errors import WorkerError
from workers.models import EMBEDDED_MODELS, Model, Provider, Role

REAL_CHAT = settings.BASE_DIR / "router" / "data" / "real_chat.jsonl"
EMBEDDED_NAMES = {"minilm-extractive": "MiniLM extractive", "minilm-zero-shot": "MiniLM zero-shot"}
ASK_SECONDS = 5.0
NAMES_SHOWN = 8

env = Env()


class UnclearModelError(Exception):
    """Which model the server should answer with cannot be told; the text says what to do."""


class Command(BaseCommand):
    help = "Load the default providers, models, routes and the classifier. Changes nothing that is there already."

    def handle(self, *args: Any, verbosity: int, **options: Any) -> None:
        self._is_quiet = verbosity == 0
        is_fresh = not Revision.objects.exists()
        with transaction.atomic():
            if is_fresh:
                self._take_new_classifier()
                routes = defaults.load_defaults(_embedded_models())
                self._say(f"Loaded the routes {', '.join(route.name for route in routes)} and the built-in models.")
            if not AuditEntry.objects.filter(action=AuditEntry.Action.LABELLED_SET).exists():
                count = labelled_set.add(_real_chat(), None, LabelledMessage.Source.SHIPPED)
                self._say(f"Loaded {count} labelled messages, which drafts are measured on.")
            is_clean = is_fresh or draft_is_published()
            model = self._connect(env.str("OPENAI_BASE_URL", "").rstrip("/"))
            if model:
                _answer_with(model)
            if is_fresh or (model and is_clean):
                self._say(f"Published {str(publish(None, 'Defaults')).lower()}.")
            elif model:
                self._say("It waits in the draft, which has other changes too: publish that in the admin.")
            if not is_fresh:  # last, because it goes live only through the gate
                self._take_new_classifier()

    def _connect(self, base_url: str) -> Model | None:
        """The model of the server at `base_url`. None if there is no address, or it is known, or of no use."""
        if not base_url or Provider.objects.filter(base_url=base_url).exists():
            return None
        provider = Provider(name=base_url.rpartition("://")[2][:80], kind=Provider.Kind.OPENAI, base_url=base_url)
        provider.api_key = env.str("OPENAI_API_KEY", "")
        try:
            provider.full_clean()
            identifier = env.str("OPENAI_MODEL", "") or _only_model(provider)
        except ValidationError as error:
            self._say(f"OPENAI_BASE_URL is not used: {' '.join(error.messages)}")
            return None
        except UnclearModelError as error:
            self._say(f"OPENAI_BASE_URL is not used: {error}")
            return None
        provider.save()
        self._say(f"Connected {identifier} at {base_url}.")
        return Model.objects.create(provider=provider, name=_free_name(identifier), identifier=identifier)

    def _take_new_classifier(self) -> None:
        """Store the classifier that came with this version; a draft that had the former one goes on with it."""
        former = Classifier.objects.filter(is_shipped=True).values_list("pk", flat=True)
        is_former = Draft.current().classifier_id in set(former)
        classifier = import_classifier(SHIPPED)
        Classifier.objects.filter(pk=classifier.pk).update(is_shipped=True)
        if is_former or Draft.current().classifier_id is None:
            drafts.set_classifier(classifier)

    def _say(self, text: str) -> None:
        if not self._is_quiet:
            self.stdout.write(text)


def _real_chat() -> list[Case]:
    """Messages as people write them, never fitted on; the default routes are called like the roles."""
    rows = read_rows(REAL_CHAT, "text", "role", "part")
    return [Case(row["text"], row["role"], row.get("context", "")) for row in rows if row["part"] == "dev"]


def _embedded_models() -> dict[str, list[Model]]:
    """The built-in models by role, made with their provider."""
    provider, _ = Provider.objects.get_or_create(kind=Provider.Kind.EMBEDDED, defaults={"name": "Built in"})
    return {
        role: [
            Model.objects.get_or_create(
                provider=provider,
                identifier=identifier,
                defaults={"name": EMBEDDED_NAMES[identifier], "licence": "Apache-2.0"},
            )[0]
        ]
        for identifier, role in EMBEDDED_MODELS.items()
    }


def _only_model(provider: Provider) -> str:
    """The name of the one model that the server offers. Raises UnclearModelError."""
    from workers.backends.openai_compatible import list_models  # loads the SDK: only where there is a server to ask

    run = Run(role="", prompt=[], base_url=provider.base_url, api_key=provider.api_key)
    try:
        names = list_models(run, ASK_SECONDS)
    except WorkerError as error:
        raise UnclearModelError(
            f"{provider} could not be asked for its models: {error} Start it and run this again, or name the "
            "model with OPENAI_MODEL."
        ) from error
    if len(names) != 1:
        offer = f"offers {', '.join(names[:NAMES_SHOWN])}" if names else "does not list its models"
        raise UnclearModelError(f"{provider} {offer}. Name one with OPENAI_MODEL.")
    return names[0]


def _free_name(identifier: str) -> str:
    """`identifier` as people will see it, made unique if another provider has a model of that name."""
    name = identifier.rstrip("/").rpartition("/")[2][:100]
    number = Model.objects.filter(name__startswith=name).count()
    return f"{name} ({number + 1})" if number else name


def _answer_with(model: Model) -> None:
    """Put `model` last on every route that generates."""
    for route in Route.objects.filter(role=Role.GENERATE):
        route.route_models.create(model=model, position=route.route_models.count())
