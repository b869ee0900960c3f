"""Ray on this machine, with a head that measures nothing and nodes that can be killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from benchsuite.errors import ExecutorError, ExecutorFailed
from benchsuite.results.record import Record
from benchsuite.results.store import read_run
from benchsuite.runner.executors.local import LocalExecutor
from benchsuite.runner.observer import Observer
from benchsuite.runner.workers import InlineWorkers
from tests.runner.executors.sweeps import FAKE, SLOW, deterministic, sweep

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
pytest.importorskip("ray", reason="Ray is not installed: pip install 'benchsuite[ray]'")
pytestmark = [
    pytest.mark.slow,  # starts a cluster
    pytest.mark.xdist_group("executors"),
    pytest.mark.filterwarnings("ignore"),  # Ray's own, from its threads
    pytest.mark.skipif(sys.platform != "linux", reason="kills nodes as Linux allows"),
]


def executor(address: str, **options: Any) -> Any:
    from benchsuite.runner.executors.ray import RayExecutor

    return RayExecutor({"address": address, "timeout": 60.0} | options, (), FAKE)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head without CPUs, and one node with two."""
    from ray.cluster_utils import Cluster

    found = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "include_dashboard": False, "object_store_memory": 80 << 20},
    )
    found.add_node(num_cpus=2, object_store_memory=80 << 20)
    yield found
    found.shutdown()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, tuple[Any, ...]]]:
    """Records of the inline executor."""
    folder = tmp_path_factory.mktemp("expected")
    sweep(LocalExecutor(InlineWorkers((), FAKE)), folder / "run")
    sweep(LocalExecutor(InlineWorkers((), FAKE)), folder / "slow", SLOW)
    return {"run": deterministic(folder / "run"), "slow": deterministic(folder / "slow")}


class Disturbs(Observer):
    """Calls something as soon as the first record is there."""

    def __init__(self, what: Any) -> None:
        self._what = what
        self.done = False

    def cell_ends(self, record: Record, environment: Mapping[str, Any]) -> None:
        if not self.done:
            self.done = True
            self._what()


def actors(cluster: Any) -> list[int]:
    """Processes of our actors in this cluster, and in no other that this machine may have."""
    raylets = {node.all_processes["raylet"][0].process.pid for node in cluster.list_all_nodes()}
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent in raylets and (path / "cmdline").read_bytes().startswith(b"ray::ActorWorkers"):
                found.append(int(path.name))
    return found


def test_actors_give_the_records_of_the_inline_executor(cluster: Any, tmp_path: Path, expected: Any) -> None:
    sweep(executor(cluster.address, workers=2), tmp_path / "run")
    assert deterministic(tmp_path / "run") == expected["run"]
    run = read_run(tmp_path / "run")
    assert {record.session for record in run.records} <= set(run.environments)
    assert {environment["groups_on_host"] for environment in run.environments.values()} == {2}


def test_a_killed_actor_is_replaced_and_only_its_group_begins_again(
    cluster: Any, tmp_path: Path, expected: Any
) -> None:
    def kill() -> None:
        for pid in actors(cluster):
            os.kill(pid, signal.SIGKILL)

    later = threading.Timer(0.3, kill)  # most likely amid the second group; the table is the same whenever
    watch = Disturbs(later.start)
    result = sweep(executor(cluster.address), tmp_path / "run", SLOW, observer=watch)
    assert watch.done
    later.join()
    assert (result.missing, result.stopped) == (0, False)
    assert deterministic(tmp_path / "run") == expected["slow"]
    attempts = [record.attempts for record in read_run(tmp_path / "run").records]
    assert set(attempts) <= {1, 2}
    assert attempts.count(2) <= 2  # one group was in flight


def test_a_killed_node_leaves_its_work_to_another(cluster: Any, tmp_path: Path, expected: Any) -> None:
    doomed = cluster.add_node(num_cpus=2, object_store_memory=80 << 20)

    def kill() -> None:
        raylet = doomed.all_processes["raylet"][0].process
        raylet.kill()  # as if its machine had gone
        raylet.wait()

    watch = Disturbs(kill)
    result = sweep(executor(cluster.address), tmp_path / "run", SLOW, observer=watch)
    assert watch.done
    assert (result.missing, result.stopped) == (0, False)
    assert deterministic(tmp_path / "run") == expected["slow"]
    cluster.remove_node(doomed, allow_graceful=False)


def test_a_driver_that_is_killed_loses_only_what_was_in_flight(
    cluster: Any, tmp_path: Path, expected: Any, repository: Path
) -> None:
    folder = tmp_path / "run"
    code = (
        "from pathlib import Path; from tests.runner.executors.sweeps import *; "
        "from benchsuite.runner.executors.ray import RayExecutor; "
        f"sweep(RayExecutor({{'address': {cluster.address!r}}}, (), FAKE), Path({str(folder)!r}), SLOW)"
    )
    driver = subprocess.Popen(
        [sys.executable, "-c", code], cwd=repository, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 90
    while not (folder / "records.jsonl").is_file() or not read_run(folder).records:
        assert time.monotonic() < deadline
        assert driver.poll() is None
        time.sleep(0.02)
    driver.kill()
    driver.wait()
    kept = deterministic(folder)
    assert 1 <= len(kept) < 6
    result = sweep(executor(cluster.address), folder, None)
    assert result.measured == 6 - len(kept)
    assert deterministic(folder) == expected["slow"]


def test_asked_to_stop_actors_end_soon_and_the_run_can_be_gone_on_with(
    cluster: Any, tmp_path: Path, expected: Any
) -> None:
    folder = tmp_path / "run"
    watch = Disturbs(lambda: None)
    stopped = sweep(executor(cluster.address), folder, SLOW, stopping=lambda: watch.done, observer=watch)
    assert stopped.stopped
    assert sweep(executor(cluster.address), folder, None).missing == 0
    assert deterministic(folder) == expected["slow"]


def test_what_is_in_use_by_others_is_not_waited_for_without_end(cluster: Any, tmp_path: Path) -> None:
    import ray

    used = executor(cluster.address, timeout=2.0, retries=0)

    @ray.remote(num_cpus=2)
    class Hog:
        def ready(self) -> bool:
            return True

    hog = Hog.remote()
    assert ray.get(hog.ready.remote())
    with pytest.raises(
        ExecutorFailed, match=r"no worker is left, 3 groups .* within 2 s: what it needs .* in use"
    ):
        sweep(used, tmp_path / "run", SLOW)


def test_resources_that_no_node_has_are_named_before_anything_is_planned(
    cluster: Any, tmp_path: Path
) -> None:
    gpu = SLOW.replace("device: cpu", "device: cuda")
    with pytest.raises(ExecutorError, match=r"no node of the Ray cluster has a GPU; there is: .*CPU 2"):
        sweep(executor(cluster.address), tmp_path / "run", gpu)
    assert not (tmp_path / "run").exists()


def test_without_a_cluster_at_the_address_the_error_comes_within_the_timeout() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(ExecutorError, match=rf"127.0.0.1:{port}: no Ray cluster answers there .* given 3 s"):
        executor(f"127.0.0.1:{port}", timeout=3.0)
    with pytest.raises(ExecutorError, match='write HOST:PORT, "auto" or "local"'):
        executor("somewhere")
