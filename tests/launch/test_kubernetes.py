"""The manifests: every process of the Procfile once, with the same command, no privileges, and an end without haste."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.urls import reverse

from chatsite.transfer.files import MAX_BYTES
from tests.launch.test_containers import LONGEST_END_SECONDS, PROCFILE
from tests.processes import ROOT
from workers.reading import MEMORY_BYTES

FOLDER = ROOT / "deploy" / "kubernetes"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
API_VERSIONS = {
    "ConfigMap": "v1",
    "Deployment": "apps/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "Ingress": "networking.k8s.io/v1",
    "Job": "batch/v1",
    "Namespace": "v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "PodDisruptionBudget": "policy/v1",
    "PodMonitor": "monitoring.coreos.com/v1",
    "ScaledObject": "keda.sh/v1alpha1",
    "Service": "v1",
}
WORKERS = sorted(name for name in PROCFILE if name.startswith("worker-"))
Objects = dict[str, dict[str, Any]]


def _objects() -> dict[str, Objects]:
    """Everything that the kustomization applies, by kind and name."""
    found: dict[str, Objects] = defaultdict(dict)
    for file in KUSTOMIZATION["resources"]:
        for item in yaml.safe_load_all((FOLDER / file).read_text()):
            assert item["metadata"]["name"] not in found[item["kind"]], "twice"
            found[item["kind"]][item["metadata"]["name"]] = item
    return found


OBJECTS = _objects()
PODS: Objects = {
    name: item["spec"]["template"]["spec"] for kind in ("Deployment", "Job") for name, item in OBJECTS[kind].items()
}


def test_every_file_is_applied_but_the_example_of_the_secret() -> None:
    files = {path.name for path in FOLDER.iterdir()} - {"kustomization.yaml", "secret.example.yaml"}
    assert set(KUSTOMIZATION["resources"]) == files


def test_every_object_is_of_a_known_kind_in_its_present_version() -> None:
    for kind, items in OBJECTS.items():
        for item in items.values():
            assert item["apiVersion"] == API_VERSIONS[kind]
            assert item["metadata"].get("namespace") is None, "the kustomization says where"


def test_every_process_of_the_procfile_has_a_deployment_with_its_command() -> None:
    assert OBJECTS["Deployment"].keys() == PROCFILE.keys()
    in_containers = {"127.0.0.1": "0.0.0.0", "$PORT": "8000"}
    for name, command in PROCFILE.items():
        (container,) = PODS[name]["containers"]
        assert container["command"] == [in_containers.get(word, word) for word in shlex.split(command)]
        assert container["image"] == ("switchyard-worker" if name in WORKERS else "switchyard-web")


def test_images_have_an_exact_version() -> None:
    named = {image["name"]: image["newTag"] for image in KUSTOMIZATION["images"]}
    used = {container["image"] for pod in PODS.values() for container in pod["containers"]}
    assert named.keys() == used
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", tag) for tag in named.values())


@pytest.mark.parametrize("name", PODS)
def test_pods_have_no_privileges_and_know_their_settings(name: str) -> None:
    pod = PODS[name]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["envFrom"] == [{"configMapRef": {"name": "switchyard"}}, {"secretRef": {"name": "switchyard"}}]
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert container["resources"]["limits"]["memory"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}


@pytest.mark.parametrize("name", PROCFILE)
def test_processes_are_probed_end_without_haste_and_survive_a_drained_node(name: str) -> None:
    item, pod = OBJECTS["Deployment"][name], PODS[name]
    labels = {"app.kubernetes.io/name": name}
    assert item["spec"]["selector"]["matchLabels"] == labels
    assert labels.items() <= item["spec"]["template"]["metadata"]["labels"].items()
    (container,) = pod["containers"]
    assert "readinessProbe" in container
    restarting = [container[probe] for probe in ("startupProbe", "livenessProbe") if probe in container]
    assert all(probe["httpGet"]["path"] == "/healthz" for probe in restarting), "waiting is not mended by a restart"
    assert pod["terminationGracePeriodSeconds"] > (LONGEST_END_SECONDS if name in WORKERS else 10)
    budget = OBJECTS["PodDisruptionBudget"][name]["spec"]
    assert (budget["selector"]["matchLabels"], budget["maxUnavailable"]) == (labels, 1)


@pytest.mark.parametrize("name", WORKERS)
def test_workers_are_scaled_by_what_waits_and_runs_in_their_queue(name: str) -> None:
    queue = name.removeprefix("worker-")
    command = shlex.split(PROCFILE[name])
    assert command[command.index("-Q") + 1] == queue
    (container,) = PODS[name]["containers"]
    assert container["readinessProbe"]["exec"]["command"][-2:] == ["worker", queue]
    spec = OBJECTS["ScaledObject"][name]["spec"]
    assert spec["scaleTargetRef"] == {"name": name}
    assert 1 <= spec["minReplicaCount"] <= spec["maxReplicaCount"]
    (trigger,) = spec["triggers"]
    assert trigger["type"] == "prometheus"
    told = f'sum(max by (state) (switchyard_queue_jobs{{queue="{queue}",state=~"waiting|running"}}))'
    assert trigger["metadata"]["query"] == told
    slots = int(command[command.index("--concurrency") + 1])
    assert int(trigger["metadata"]["threshold"]) <= 2 * slots
    assert "replicas" not in OBJECTS["Deployment"][name]["spec"], "or every release would scale it back"


def test_those_that_read_files_have_memory_for_all_that_they_read_at_a_time_and_for_themselves() -> None:
    command = shlex.split(PROCFILE["worker-files"])
    children = int(command[command.index("--concurrency") + 1]) * MEMORY_BYTES
    (container,) = PODS["worker-files"]["containers"]
    limit, unit = container["resources"]["limits"]["memory"][:-2], container["resources"]["limits"]["memory"][-2:]
    assert unit == "Gi"
    assert int(limit) * 2**30 >= children + 512 * 2**20


def test_the_web_processes_are_reached_by_the_ingress_and_scaled_apart() -> None:
    assert OBJECTS["Service"]["web"]["spec"]["selector"] == {"app.kubernetes.io/name": "web"}
    assert OBJECTS["HorizontalPodAutoscaler"]["web"]["spec"]["minReplicas"] >= 2
    (rule,) = OBJECTS["Ingress"]["switchyard"]["spec"]["rules"]
    backends = {path["path"]: path["backend"]["service"]["name"] for path in rule["http"]["paths"]}
    assert backends == {"/": "web", "/metrics": "nowhere"}
    assert "selector" not in OBJECTS["Service"]["nowhere"]["spec"]
    origin = OBJECTS["ConfigMap"]["switchyard"]["data"]["ALLOWED_ORIGINS"]
    assert origin == f"https://{rule['host']}"


def test_the_ingress_takes_what_the_site_takes() -> None:
    limit = {
        name: int(ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-body-size"].removesuffix("m"))
        for name, ingress in OBJECTS["Ingress"].items()
    }
    assert limit["switchyard"] * 2**20 >= settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    assert limit["imports"] * 2**20 > MAX_BYTES
    (rule,) = OBJECTS["Ingress"]["imports"]["spec"]["rules"]
    assert [path["path"] for path in rule["http"]["paths"]] == [reverse("import")]
    assert rule["host"] == OBJECTS["Ingress"]["switchyard"]["spec"]["rules"][0]["host"]


def test_what_workers_are_scaled_by_is_exported_and_read() -> None:
    documented = (ROOT / "docs" / "monitoring.md").read_text()
    assert "| `switchyard_queue_jobs` | queue, state |" in documented
    spec = OBJECTS["PodMonitor"]["web"]["spec"]
    assert spec["selector"]["matchLabels"] == {"app.kubernetes.io/name": "web"}
    (endpoint,) = spec["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("http", "/metrics")
    assert endpoint["authorization"]["credentials"] == {"name": "switchyard", "key": "METRICS_TOKEN"}


def test_every_setting_is_documented_and_what_production_requires_is_set() -> None:
    documented = (ROOT / "docs" / "settings.md").read_text()
    secret = yaml.safe_load((FOLDER / "secret.example.yaml").read_text())["stringData"]
    public = OBJECTS["ConfigMap"]["switchyard"]["data"]
    for setting in secret.keys() | public.keys():
        assert f"| `{setting}` |" in documented
    assert not secret.keys() & public.keys()
    required = set(re.findall(r"^\| `([A-Z_]+)` \|[^|]*\*required\*", documented, re.MULTILINE))
    assert required <= secret.keys() | public.keys()
    assert public["DEBUG"] == "0"
    assert all(isinstance(value, str) for value in public.values())
