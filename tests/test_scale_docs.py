"""The examples in docs/scale: what can run here does, and the rest is at least well formed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchsuite.results.store import read_run
from benchsuite.runner.executors.table import EXECUTORS
from tests.runner.executors.sweeps import SCENARIO


@pytest.fixture(scope="module")
def job(repository: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((repository / "docs/scale/kubernetes-job.yaml").read_text())
    return found


def test_the_job_is_indexed_and_its_shards_are_as_many_as_its_pods(job: dict[str, Any]) -> None:
    assert (job["apiVersion"], job["kind"], job["spec"]["completionMode"]) == ("batch/v1", "Job", "Indexed")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    environment = {one["name"]: one["value"] for one in container["env"]}
    assert int(environment["SHARDS"]) == job["spec"]["completions"] == job["spec"]["parallelism"]
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    volumes = {volume["name"] for volume in job["spec"]["template"]["spec"]["volumes"]}
    assert mounted.keys() == volumes
    assert environment["RUNS"].startswith(mounted["runs"])
    labels = job["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]
    (rule,) = labels["requiredDuringSchedulingIgnoredDuringExecution"]
    assert rule["labelSelector"]["matchLabels"] == {"batch.kubernetes.io/job-name": job["metadata"]["name"]}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("sh") is None, reason="the pod's command wants a shell")
def test_the_command_of_a_pod_measures_its_shard_and_goes_on_after_an_eviction(
    job: dict[str, Any], tmp_path: Path, repository: Path
) -> None:
    """The pods' own script, with an interpreter that answers from a script in place of devices."""
    (container,) = job["spec"]["template"]["spec"]["containers"]
    (tmp_path / "tiny.yaml").write_text(SCENARIO)
    commands = tmp_path / "bin"
    commands.mkdir()
    fake = commands / "benchsuite"
    fake.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tests.runner.executors.scripted "$@"\n')
    fake.chmod(0o755)
    ids: list[str] = []
    for index in ("0", "1"):
        environment = os.environ | {
            "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(repository),
            "SCENARIO": str(tmp_path / "tiny.yaml"),
            "SHARDS": "2",
            "RUNS": str(tmp_path / "runs"),
            "OPTIONS": "--quiet",
            "JOB_COMPLETION_INDEX": index,
        }
        for _ in range(2):  # the second time, its folder is there
            done = subprocess.run(
                [*container["command"], *container["args"]],
                env=environment, cwd=repository, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
        run = read_run(tmp_path / "runs" / str(int(index) + 1))
        assert run.scenario["run"]["shard"] == {"index": int(index) + 1, "count": 2}
        ids += [record.id for record in run.records]
    assert len(ids) == len(set(ids)) == 12


def test_the_cluster_names_a_head_that_measures_nothing_and_as_many_workers_as_machines(
    repository: Path,
) -> None:
    cluster = yaml.safe_load((repository / "docs/scale/ray-cluster.yaml").read_text())
    assert cluster["min_workers"] == cluster["max_workers"] == len(cluster["provider"]["worker_ips"])
    assert any("--head" in line and "--num-gpus=0" in line for line in cluster["head_start_ray_commands"])
    assert any("--address=$RAY_HEAD_IP:6379" in line for line in cluster["worker_start_ray_commands"])


def test_the_container_file_installs_the_extras_that_the_examples_use(repository: Path) -> None:
    text = (repository / "docs/scale/Dockerfile").read_text()
    assert "'.[gpu,ray,slurm]'" in text
    project = (repository / "pyproject.toml").read_text()
    assert all(re.search(rf"^{extra} = \[", project, re.M) for extra in ("gpu", "ray", "slurm"))
    assert 'ENTRYPOINT ["benchsuite"]' in text


def test_the_readme_names_every_option_and_no_other(repository: Path) -> None:
    text = (repository / "docs/scale/README.md").read_text()
    slurm, ray = text.split("\n## SLURM")[1].split("\n## Ray")
    options = EXECUTORS["slurm"].options, EXECUTORS["ray"].options.keys() - {"address"}
    for said, known in zip((slurm, ray.split("\n## How far")[0]), options, strict=True):
        rows = [line.split("|")[1] for line in said.splitlines() if line.startswith("| `")]
        named = {word for row in rows for cell in re.findall(r"`([^`]+)`", row) for word in cell.split()}
        assert named == set(known)
