"""The manifests say only what KubeRay and Kubernetes know, and what one part names another has."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "jobs" / "deploy"
JOB = {
    "entrypoint", "entrypointNumCpus", "backoffLimit", "shutdownAfterJobFinishes", "ttlSecondsAfterFinished",
    "rayClusterSpec", "runtimeEnvYAML", "activeDeadlineSeconds", "submissionMode", "suspend",
}  # fmt: skip
CLUSTER = {"rayVersion", "enableInTreeAutoscaling", "autoscalerOptions", "headGroupSpec", "workerGroupSpecs"}
AUTOSCALER = {"upscalingMode", "idleTimeoutSeconds", "resources", "image", "imagePullPolicy", "env"}
HEAD = {"serviceType", "rayStartParams", "template"}
WORKERS = {"groupName", "replicas", "minReplicas", "maxReplicas", "numOfHosts", "rayStartParams", "template"}
POD = {"securityContext", "containers", "volumes", "tolerations", "nodeSelector"}
CONTAINER = {"name", "image", "ports", "envFrom", "env", "resources", "volumeMounts"}
"""Fields of ray.io/v1 (rayjob_types.go, raycluster_types.go) and of pods that the manifests may use. Nothing here can
ask a Kubernetes; a field that is misspelt there would be dropped or refused."""


def job() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "kuberay" / "rayjob.yaml").read_text("utf-8"))
    return found


def gpu_workers() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((DEPLOY / "kuberay" / "gpu-workers.yaml").read_text("utf-8"))
    return found


def groups() -> list[dict[str, Any]]:
    cluster = job()["spec"]["rayClusterSpec"]
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"], *gpu_workers()]


def test_a_job_has_the_fields_that_kuberay_knows() -> None:
    found = job()
    assert (found["apiVersion"], found["kind"]) == ("ray.io/v1", "RayJob")
    spec = found["spec"]
    cluster = spec["rayClusterSpec"]
    assert set(spec) <= JOB
    assert set(cluster) <= CLUSTER
    assert set(cluster["autoscalerOptions"]) <= AUTOSCALER
    assert cluster["autoscalerOptions"]["upscalingMode"] in {"Default", "Aggressive", "Conservative"}
    assert set(cluster["headGroupSpec"]) <= HEAD
    assert spec["entrypoint"].split()[:2] == ["joinery", "run"]


@pytest.mark.parametrize("group", groups()[1:], ids=lambda group: str(group["groupName"]))
def test_a_group_of_workers_may_grow_and_shrink(group: dict[str, Any]) -> None:
    assert set(group) <= WORKERS
    assert 0 <= group["minReplicas"] <= group["replicas"] < group["maxReplicas"]


@pytest.mark.parametrize("group", groups(), ids=lambda group: str(group.get("groupName", "head")))
def test_a_pod_has_what_it_names(group: dict[str, Any]) -> None:
    pod = group["template"]["spec"]
    assert set(pod) <= POD
    assert pod["securityContext"]["runAsNonRoot"] is True
    volumes = {volume["name"] for volume in pod["volumes"]}
    for container in pod["containers"]:
        assert set(container) <= CONTAINER
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes
        assert container["resources"]["limits"]["memory"] == container["resources"]["requests"]["memory"]
    assert all(isinstance(value, str) for value in group["rayStartParams"].values()), "KubeRay takes strings only"


def test_versions_are_those_of_the_constraints() -> None:
    (pinned,) = re.findall(r"^ray==(\S+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)
    assert job()["spec"]["rayClusterSpec"]["rayVersion"] == pinned


def test_the_image_has_every_package_of_the_house() -> None:
    text = (DEPLOY / "Containerfile").read_text("utf-8")
    copied = set(re.findall(r"^COPY (\w+) \w+$", text, re.MULTILINE))
    assert copied == {"schemas", "pipeline", "annotators", "clustering", "trainer", "jobs", "data_cards"}
    assert ".[cluster]" in text
    assert "USER ray" in text
