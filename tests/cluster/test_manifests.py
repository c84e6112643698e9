"""The files for clouds and Kubernetes: Ray's own schema for the former, our own rules for both."""

import json
import shlex
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.cluster.kuberay import RAYJOB
from tests.cluster.test_cluster_file import read_by_ray

FOLDER = Path(__file__).parents[2] / "cluster"
CLOUDS = ["aws.yaml", "gcp.yaml"]


def config(name):
    return yaml.safe_load((FOLDER / name).read_text("utf-8"))


@pytest.mark.parametrize("name", CLOUDS)
def test_ray_accepts_it_and_all_but_the_head_scale_from_zero(name):
    done = read_by_ray(config(name))
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout.splitlines()[-1])
    workers = dict(made["available_node_types"])
    head = workers.pop(made["head_node_type"])
    assert head["resources"]["CPU"] == 0
    assert set(workers) == {"cpu", "cpu_spot", "gpu"}
    assert {each["min_workers"] for each in workers.values()} == {0}
    assert made["idle_timeout_minutes"] > 0


@pytest.mark.parametrize("name", CLOUDS)
def test_that_check_finds_a_slip(name):
    wrong = config(name)
    wrong["available_node_types"]["cpu"]["min_worker"] = 1
    assert read_by_ray(wrong).returncode == 1
    wrong = config(name)
    wrong["head_node_type"] = "heat"
    assert read_by_ray(wrong).returncode == 1


@pytest.mark.parametrize("name", CLOUDS)
def test_every_node_has_this_package_and_the_token(name):
    ours, local = config(name), config("local.yaml")
    assert ours["file_mounts"] == local["file_mounts"]
    assert all(not near.startswith("/") for near in ours["file_mounts"].values())
    for commands in (ours["head_start_ray_commands"], ours["worker_start_ray_commands"]):
        assert "RAY_AUTH_MODE=token " in commands[-1]
    assert any("constraints.txt" in command for command in ours["setup_commands"])


def test_a_job_on_kubernetes_has_one_image_no_cells_on_its_head_and_a_command_that_is_ours():
    job = config("rayjob.yaml")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    head, workers = cluster["headGroupSpec"], cluster["workerGroupSpecs"]
    assert head["rayStartParams"]["num-cpus"] == "0"
    pods = [group["template"]["spec"] for group in (head, *workers)]
    assert len({container["image"] for pod in pods for container in pod["containers"]}) == 1
    for pod in pods:
        (container,) = pod["containers"]
        assert container["resources"]["requests"] == container["resources"]["limits"]
    assert {group["minReplicas"] for group in workers} == {0}
    command = shlex.split(job["spec"]["entrypoint"])
    assert command[:4] == ["python", "-m", "bench", "run"]
    pinned = (FOLDER.parent / "constraints.txt").read_text()
    assert f"ray=={cluster['rayVersion']}\n" in pinned


def slips(found, path=()):
    """Every copy of a manifest with one key misspelled, and with one number or flag as text; but of
    what a pod says, and of maps whose keys are anybody's."""
    for key, value in found.items():
        here = (*path, key)
        yield here, {f"{k}s" if k == key else k: v for k, v in found.items()}
        if isinstance(value, (bool, int)):
            yield here, found | {key: str(value)}
        if isinstance(value, dict) and value and here[-1] not in ("rayStartParams", "labels"):
            if here[-2:] == ("template", "spec"):
                continue
            for where, other in slips(value, here):
                yield where, found | {key: other}
        if isinstance(value, list):
            for at, each in enumerate(value):
                for where, other in slips(each, (*here, at)):
                    yield where, found | {key: [*value[:at], other, *value[at + 1 :]]}


def test_kuberay_s_api_knows_all_that_the_job_says_and_no_slip():
    validator = Draft202012Validator(RAYJOB)
    job = config("rayjob.yaml")
    assert list(validator.iter_errors(job)) == []
    found = list(slips(job))
    assert len(found) > 40
    for where, wrong in found:
        assert not validator.is_valid(wrong), where


def test_kubernetes_knows_all_that_its_pods_say():
    import kubernetes_validate as kubernetes

    cluster = config("rayjob.yaml")["spec"]["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, **group["template"]}
        newest = kubernetes.latest_version()
        kubernetes.validate(pod, newest, strict=True)
        (container,) = pod["spec"]["containers"]
        for slip in ({"resource": {}}, {"env": [{"nam": "x"}]}, {"image": 1}):
            wrong = pod | {"spec": pod["spec"] | {"containers": [container | slip]}}
            with pytest.raises(kubernetes.ValidationError):
                kubernetes.validate(wrong, newest, strict=True)
