"""The Helm chart: linted, valid for Kubernetes, confined, and its nodes and migration run with what it renders."""

import json
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet

from shared.settings import Settings
from tests.deploy.test_patience import PATIENCE
from tests.deploy.tools import module, tool
from tests.support.databases import PostgresServer
from tests.support.ports import free_port
from tests.support.redis_servers import RedisServer
from tests.support.serving import THIS_CODE, serving

CHART = Path(__file__).parents[2] / "deploy" / "helm"
KUBERNETES = ("1.27", "1.33", "1.37")
GIVEN = {"existingSecret": "keys", "hosts": ["gateway.example.com"]}
EVERYTHING: dict[str, Any] = {
    **GIVEN,
    "autoscaling": {"enabled": True},
    "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "tls"},
    "serviceMonitor": {"enabled": True, "authorizationSecret": {"name": "scrape"}},
    "networkPolicy": {"extraEgress": [{"ports": [{"port": 22, "protocol": "TCP"}]}]},
}


def helm(*arguments: str, values: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    command = [tool("helm"), *arguments, str(CHART), "--values", "-"]
    return subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False, timeout=60)


def rendered(values: dict[str, Any]) -> str:
    done = helm("template", "prod", "--namespace", "ai", values=values)
    assert done.returncode == 0, done.stderr
    return done.stdout


def objects(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What the chart makes, by kind."""
    return {found["kind"]: found for found in yaml.safe_load_all(rendered(values)) if found}


def pod_of(found: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = found["spec"]["template"]["spec"]
    return spec


def test_it_passes_helms_linter() -> None:
    for values in (GIVEN, EVERYTHING):
        done = helm("lint", "--strict", values=values)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version", KUBERNETES)
def test_its_objects_are_valid_for_kubernetes(version: str, tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    file.write_text(rendered(EVERYTHING), "utf-8")
    command = [sys.executable, "-m", "kubernetes_validate", "--strict", "-k", version, str(file)]
    done = subprocess.run(
        command, env=module("kubernetes_validate"), capture_output=True, text=True, check=False, timeout=120
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert said.count(" passed for resource ") == len(objects(EVERYTHING)) - 1, (
        "ServiceMonitor alone has no schema here"
    )


def test_it_makes_everything_that_operators_expect() -> None:
    expected = {"Deployment", "Service", "ServiceAccount", "PodDisruptionBudget", "NetworkPolicy", "Job"}
    assert objects(GIVEN).keys() == expected
    assert objects(EVERYTHING).keys() == expected | {"HorizontalPodAutoscaler", "Ingress", "ServiceMonitor"}


def test_secrets_are_references_and_nothing_else() -> None:
    made = objects(EVERYTHING)
    assert "Secret" not in made
    for kind in ("Deployment", "Job"):
        (container,) = pod_of(made[kind])["containers"]
        assert container["envFrom"] == [{"secretRef": {"name": "keys"}}]
        names = {entry["name"] for entry in container["env"]}
        assert {name.lower() for name in names} - {"pod_ip"} <= Settings.model_fields.keys()
    for refused in ({"hosts": []}, {**GIVEN, "settings": {"OPENAI_API_KEY": "sk"}}, {**GIVEN, "unknown": 1}):
        assert helm("template", "prod", values=refused).returncode != 0


def test_its_pods_are_confined_probed_and_get_the_time_to_stop() -> None:
    made = objects(EVERYTHING)
    for kind in ("Deployment", "Job"):
        pod = pod_of(made[kind])
        (container,) = pod["containers"]
        assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, 10001)
        assert pod["automountServiceAccountToken"] is False
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    pod = pod_of(made["Deployment"])
    (container,) = pod["containers"]
    assert pod["terminationGracePeriodSeconds"] > PATIENCE
    ready, live = container["readinessProbe"], container["livenessProbe"]
    assert (ready["httpGet"]["path"], live["httpGet"]["path"]) == ("/readyz", "/livez")
    assert ready["periodSeconds"] * ready["failureThreshold"] < Settings.model_fields["shutdown_drain"].default
    assert "replicas" not in made["Deployment"]["spec"], "it would undo what the autoscaler did"
    assert made["Job"]["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert made["ServiceMonitor"]["spec"]["endpoints"][0]["relabelings"][0]["replacement"] == "mcp-gateway"


def environment(container: dict[str, Any], **secret: str) -> dict[str, str]:
    """The environment of a pod at 127.0.0.1, as Kubernetes makes it: the container's own over the Secret's."""
    own = {entry["name"]: entry.get("value", "127.0.0.1") for entry in container["env"]}
    return {**secret, **{name: re.sub(r"\$\(POD_IP\)", own["POD_IP"], value) for name, value in own.items()}}


@pytest.mark.slow
async def test_its_migration_and_its_node_run_with_what_it_renders(
    tmp_path: Path, postgres: PostgresServer, redis_server: RedisServer
) -> None:
    made, url, port = objects(EVERYTHING), postgres.new_database("template0"), str(free_port())
    secret = {"JWT_SECRET": secrets.token_hex(32), "SECRETS_KEY": Fernet.generate_key().decode()}
    secret |= {"DATABASE_URL": url, "REDIS_URL": redis_server.url, "ADMIN_PASSWORD": "correct horse battery staple"}
    here = {"DATA_DIR": str(tmp_path / "data"), "AUTH_MODE": "required", "SHUTDOWN_DRAIN": "0"}
    (job,), (node,) = pod_of(made["Job"])["containers"], pod_of(made["Deployment"])["containers"]

    def migrate(*more: str) -> int:
        environ = {**environment(job, **secret), **here, "PATH": os.environ["PATH"]}
        command = [*THIS_CODE, *job["args"], *more]
        return subprocess.run(command, env=environ, capture_output=True, check=False, timeout=60).returncode

    assert migrate("--check") == 3
    assert migrate() == 0
    assert migrate("--check") == 0
    settings = {**environment(node, **secret), **here, "API_PORT": port, "NODE_URL": f"http://127.0.0.1:{port}"}
    settings.pop("DATA_DIR")
    async with serving(tmp_path / "data", **settings) as running:
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            path = node[probe]["httpGet"]["path"]
            assert (await running.http.get(path, headers={"Host": "10.1.2.3:3000"})).status_code == 200
        for host in ("gateway.example.com", "prod-ai-mcp-gateway.ai.svc", "prod-ai-mcp-gateway:80"):
            assert (await running.http.get("/v1/models", headers={"Host": host})).status_code == 401
        assert (await running.http.get("/v1/models", headers={"Host": "elsewhere.example"})).status_code == 421
    postgres.drop(url)
