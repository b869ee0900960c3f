"""Options of executors: how they are read, and what is said of wrong ones."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchsuite.cli import main
from benchsuite.errors import ExecutorError, ExecutorFailed
from benchsuite.results.store import read_run
from benchsuite.runner.executors import ray
from benchsuite.runner.executors.device_workers import core_sets, one_device
from benchsuite.runner.executors.local import LocalExecutor
from benchsuite.runner.executors.local_pool import LocalPoolExecutor
from benchsuite.runner.executors.table import EXECUTORS, minutes, open_executor, parse, yes
from benchsuite.runner.workers import InlineWorkers
from tests.runner.executors.sweeps import FAKE, SCENARIO, SLOW, sweep


def test_options_are_read_as_their_kinds_and_the_last_counts() -> None:
    texts = ["time=1:30:00", "partition=a", "partition=b", "exclusive=yes", "tasks=4"]
    found = parse(texts, EXECUTORS["slurm"].options, "slurm")
    assert found == {"time": 90, "partition": "b", "exclusive": True, "tasks": 4}


@pytest.mark.parametrize(
    ("text", "whole"),
    [("90", 90), ("10:30", 11), ("2:00:00", 120), ("1-12", 36 * 60), ("1-00:00:01", 24 * 60 + 1)],
)
def test_times_are_written_as_slurm_writes_them(text: str, whole: int) -> None:
    assert minutes(text) == whole


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("partition", "write key=value"),
        ("partitoin=x", 'has no option "partitoin"; did you mean "partition"'),
        ("tasks=0", "tasks=0: must be 1 or more"),
        ("retries=-1", "must be 0 or more"),
        ("poll=0", "must be above 0"),
        ("time=0", "must be above 0"),
        ("exclusive=perhaps", "must be true or false"),
        ("tasks=many", "invalid literal"),
    ],
)
def test_options_that_cannot_be_are_refused(text: str, message: str) -> None:
    with pytest.raises(ExecutorError, match=message):
        parse([text], EXECUTORS["slurm"].options, "slurm")
    assert yes("NO") is False


def test_an_executor_without_options_says_so() -> None:
    with pytest.raises(ExecutorError, match=r'"inline" has no option "workers"\n  allowed: none'):
        open_executor("inline", (), ["workers=2"])


@pytest.mark.parametrize(("name", "extra"), [("ray", "ray"), ("slurm", "slurm")])
def test_an_extra_that_is_not_installed_is_named_with_its_command(
    name: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ExecutorError, match=rf"pip install 'benchsuite\[{extra}\]'"):
        open_executor(name, ())


def test_a_worker_sees_one_gpu() -> None:
    assert one_device("auto", gpus=True) == one_device("cuda", gpus=False) == "cuda:0"
    assert one_device("auto", gpus=False) == one_device("cpu", gpus=True) == "cpu"
    with pytest.raises(ExecutorError, match='device "cuda:1": a worker is given one GPU'):
        one_device("cuda:1", gpus=True)


def test_cores_are_dealt_in_sets_of_one_size() -> None:
    assert core_sets(2, range(5)) == [(0, 1), (2, 3)]
    with pytest.raises(ValueError, match="3 workers need as many cores, this machine has 2"):
        core_sets(3, range(2))
    with pytest.raises(ExecutorError, match="workers=9999: 9999 workers need as many cores"):
        LocalPoolExecutor(9999)


def node(name: str, **resources: float) -> dict[str, object]:
    return {"NodeID": name, "NodeManagerHostname": name, "Alive": True, "Resources": resources}


CLUSTER = [
    node("head"),
    node("small", CPU=4),
    node("big", CPU=16, GPU=2, **{"accelerator_type:H100": 1, "fast": 1}),
]


def test_a_gpu_has_an_actor_and_a_cpu_node_as_many_as_are_asked_for() -> None:
    found = ray.slots(CLUSTER, "cuda:0", {})
    assert [(slot.host, slot.cpus, slot.gpus) for slot in found] == [("big", 8, 1)] * 2
    found = ray.slots(CLUSTER, "cpu", {"workers": 2})
    assert [(slot.host, slot.cpus, slot.share) for slot in found] == [
        ("small", 2, (0, 2)), ("small", 2, (1, 2)), ("big", 8, (0, 2)), ("big", 8, (1, 2)),
    ]  # fmt: skip
    assert [slot.host for slot in ray.slots(CLUSTER, "cpu", {"resource": "fast"})] == ["big"]
    assert [slot.host for slot in ray.slots(CLUSTER, "cuda:0", {"gpu_type": "H100"})] == ["big"] * 2


def test_gpus_of_several_types_are_not_mixed_in_one_run() -> None:
    labelled = node("new", GPU=1, CPU=2) | {"Labels": {"ray.io/accelerator-type": "H200"}}
    mixed = [*CLUSTER, labelled]
    with pytest.raises(ExecutorError, match=r"GPUs of several types \(H100, H200\), .* gpu_type=H100"):
        ray.slots(mixed, "cuda:0", {})
    assert [slot.host for slot in ray.slots(mixed, "cuda:0", {"gpu_type": "H200"})] == ["new"]
    assert len(ray.slots(mixed, "cpu", {})) == 3


@pytest.mark.parametrize(
    ("nodes", "device", "options", "message"),
    [
        (
            CLUSTER[:2],
            "cuda:0",
            {},
            r"no node of the Ray cluster has a GPU; there is: head \(nothing\); small",
        ),
        (
            CLUSTER,
            "cuda:0",
            {"gpu_type": "A100"},
            "has a GPU and a GPU of type A100; .*accelerator_type:H100 1",
        ),
        (CLUSTER, "cpu", {"resource": "slow"}, 'has a CPU to give and the resource "slow"'),
        (CLUSTER, "cpu", {"workers": 5}, "workers=5: node small has 4 CPUs to give"),
        ([], "cpu", {}, "there is: no node"),
    ],
)
def test_what_no_node_has_is_named(
    nodes: list[dict[str, object]], device: str, options: dict[str, str], message: str
) -> None:
    with pytest.raises(ExecutorError, match=message):
        ray.slots(nodes, device, options)


def command(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command says on stderr when it exits with 2."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["benchsuite", "run", "hilo", *words])
        with pytest.raises(SystemExit) as raised:
            main()
    assert raised.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--executor", "rey"],
            "no executor 'rey'; did you mean \"ray\"?; allowed: process, inline, ray, slurm",
        ),
        (["--ray-address", "a:1"], "--ray-address goes with --executor ray, not with process"),
        (["--executor-option", "workers=2", "--device", "cuda"], "workers goes with the CPU"),
        (["--shard", "3/2"], "there are only 2 parts"),
        (["--shard", "1/999"], "use at most"),
        (["--executor", "slurm", "--slurm", "cluster=slrum"], 'did you mean "slurm"'),
    ],
)
def test_the_command_line_refuses_in_one_message(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "slurm" in words:
        pytest.importorskip("submitit", reason="submitit is not installed")
    assert message in command(words, capsys)


def test_a_run_whose_workers_are_gone_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone(LocalExecutor):
        def run(self, *arguments: Any) -> Any:
            raise ExecutorFailed("no worker is left, 2 groups were not measured")

    monkeypatch.setattr(ray, "RayExecutor", lambda *_: Gone(InlineWorkers((), FAKE), "ray"))
    (tmp_path / "a.yaml").write_text(SLOW)
    words = ["run", str(tmp_path / "a.yaml"), "--executor", "ray", "--out", str(tmp_path / "run"), "--quiet"]
    monkeypatch.setattr("sys.argv", ["benchsuite", *words])
    with pytest.raises(SystemExit) as raised:
        main()
    assert raised.value.code == 3
    assert capsys.readouterr().err.strip() == (
        "benchsuite: no worker is left, 2 groups were not measured; "
        f"go on with: benchsuite run --resume {tmp_path / 'run'} --executor ray"
    )


@pytest.mark.parametrize(("devices", "groups"), [("cpu", 1), ("['cuda:0', 'cuda:1']", 2)])
def test_the_environment_says_how_many_groups_share_the_host(
    tmp_path: Path, devices: str, groups: int
) -> None:
    text = SCENARIO.replace("device: cpu", f"device: {devices}")
    sweep(LocalExecutor(InlineWorkers((), FAKE)), tmp_path / "run", text)
    assert read_run(tmp_path / "run").environment["groups_on_host"] == groups
