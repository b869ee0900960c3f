"""Comparison groups on a Ray cluster: an actor for each GPU, or for each node or set of cores of a CPU.

An actor holds warm worker processes, so torch is started once and not for every group; it never imports torch
itself. Ray places actors and notices lost nodes; what is measured, and in which process, stays ours.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchsuite.errors import BenchsuiteError, ExecutorError, ExecutorFailed, WorkerLost
from benchsuite.results.cell import Cell
from benchsuite.results.record import Record
from benchsuite.runner.executors.device_workers import DeviceWorkers, one_device
from benchsuite.runner.executors.executor import WorkerSettings
from benchsuite.runner.executors.pool import PoolExecutor, WorkerPool
from benchsuite.runner.process import ANSWERS
from benchsuite.search_path import move_to

TIMEOUT_S = 60.0
RETRIES = 2
THREADS = "OMP_NUM_THREADS"
_LOCAL_STORE_BYTES = 100 << 20
"""Of a Ray that is started here; records are small."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where an actor goes: a node and what it takes of it.

    Attributes:
        share: which of how many sets of the node's cores it uses.
        groups: how many actors the node has.
    """

    node: str
    host: str
    cpus: float
    gpus: int
    share: tuple[int, int]
    groups: int


class RayExecutor(PoolExecutor):
    """Measures on the nodes of a Ray cluster.

    Args:
        options: as in the table of executors. Without an address, RAY_ADDRESS or a Ray on this machine is
            used if there is one, and else started here.

    Raises:
        ExecutorError: Ray is not installed, or no cluster answers in time.
    """

    name = "ray"

    def __init__(
        self, options: Mapping[str, Any], pythonpath: Sequence[str] = (), answers: str = ANSWERS
    ) -> None:
        self._timeout_s = float(options.get("timeout", TIMEOUT_S))
        self._ray = _connected(options.get("address"), self._timeout_s)
        super().__init__(options, pythonpath, answers)

    def _pool(self, device: str) -> WorkerPool:
        slots = self._slots(device)
        retries = int(self._options.get("retries", RETRIES))
        return WorkerPool(lambda number: self._actor(slots[number]), len(slots), retries=retries)

    def close(self) -> None:
        """Let go of the cluster, and end it if it was started here."""
        super().close()
        self._ray.shutdown()

    def _resolved(self, word: str) -> str:
        has_gpus = any(node["Resources"].get("GPU", 0) >= 1 for node in self._nodes())
        device = one_device(word, gpus=has_gpus)
        self._slots(device)  # refuses what no node has, before anything is planned
        return device

    def _nodes(self) -> list[dict[str, Any]]:
        return [node for node in self._ray.nodes() if node["Alive"]]

    def _slots(self, device: str) -> list[Slot]:
        return slots(self._nodes(), device, self._options)

    def _actor(self, slot: Slot) -> _Actor:
        alive = {node["NodeID"] for node in self._nodes()}
        if slot.node not in alive:
            raise WorkerLost(f"node {slot.host} is gone")
        return _Actor(self._ray, slot, self._timeout_s)


def slots(nodes: Sequence[Mapping[str, Any]], device: str, options: Mapping[str, Any]) -> list[Slot]:
    """Where actors for a device go: one a GPU, or `workers` (1) on each node for a CPU.

    Raises:
        ExecutorError: no node has what is asked for, or GPUs are of several types and none was chosen; says
            what there is.
    """
    gpu = device != "cpu"
    kind, name = options.get("gpu_type"), options.get("resource")
    wanted: list[tuple[str, Callable[[Mapping[str, Any]], bool]]] = []
    wanted.append(
        ("a GPU", lambda node: node["Resources"].get("GPU", 0) >= 1)
        if gpu
        else ("a CPU to give", lambda node: node["Resources"].get("CPU", 0) >= 1)
    )
    if kind:
        wanted.append((f"a GPU of type {kind}", lambda node: str(kind) in _gpu_types(node)))
    if name:
        wanted.append((f'the resource "{name}"', lambda node: node["Resources"].get(str(name), 0) > 0))
    fit = [node for node in nodes if all(has(node) for _, has in wanted)]
    if not fit:
        names = " and ".join(words for words, _ in wanted)
        raise ExecutorError(f"no node of the Ray cluster has {names}; there is: {_there(nodes)}")
    if gpu and not kind and len(types := {each for node in fit for each in _gpu_types(node)}) > 1:
        raise ExecutorError(
            f"the Ray cluster has GPUs of several types ({', '.join(sorted(types))}), whose numbers do not "
            f"belong into one run; choose one: --executor-option gpu_type={min(types)}"
        )
    workers = int(options.get("workers", 1))
    places = []
    for node in fit:
        cpus = float(node["Resources"].get("CPU", 0))
        many = int(node["Resources"]["GPU"]) if gpu else workers
        if not gpu and cpus < many:
            raise ExecutorError(
                f"--executor-option workers={workers}: node {_host(node)} has {cpus:g} CPUs to give"
            )
        for i in range(many):
            share = (0, 1) if gpu else (i, many)
            places.append(Slot(node["NodeID"], _host(node), float(cpus // many), int(gpu), share, many))
    return places


class _Actor:
    """A worker of the pool; `ActorWorkers` is its far end."""

    def __init__(self, ray: Any, slot: Slot, timeout_s: float) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self.name = slot.host if slot.share[1] == 1 else f"{slot.host} {slot.share[0] + 1}/{slot.share[1]}"
        self._ray = ray
        self._timeout_s = timeout_s
        self._slot = slot
        strategy = NodeAffinitySchedulingStrategy(slot.node, soft=False)
        remote = ray.remote(
            num_cpus=slot.cpus,
            num_gpus=slot.gpus,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=2,  # one that measures, one that can be told to stop
            scheduling_strategy=strategy,
        )(ActorWorkers)
        self._actor = remote.remote(slot.share, slot.groups, os.environ.get(THREADS))

    def open(self, settings: WorkerSettings) -> Mapping[str, Any]:
        timeout = self._ray.exceptions.GetTimeoutError
        with self._watched():
            try:
                # Torch may take a minute to start on a cold file system, after the actor has its place.
                self._ray.get(self._actor.process_info.remote(), timeout=self._timeout_s)
            except timeout:
                raise WorkerLost(
                    f"no worker on {self._slot.host} within {self._timeout_s:g} s: what it needs "
                    f"({self._slot.cpus:g} CPUs, {self._slot.gpus} GPUs) is in use"
                ) from None
            opened, reply = self._ray.get(self._actor.opened.remote(settings))
        if opened:
            environment: Mapping[str, Any] = reply
            return environment
        raise reply if isinstance(reply, BenchsuiteError) else ExecutorFailed(f"{self.name}: {reply}")

    def measure(self, cells: Sequence[Cell]) -> Iterator[Record]:
        with self._watched():
            stream = self._actor.measure.options(num_returns="streaming").remote(tuple(cells))
            for reference in stream:
                yield self._ray.get(reference)

    def stop(self) -> None:
        with contextlib.suppress(Exception):  # it may be gone
            self._actor.stop.remote()

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._ray.kill(self._actor)

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Ray's errors as ours: what the far end raised, or that it is gone."""
        errors = self._ray.exceptions
        try:
            yield
        except errors.RayTaskError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, BenchsuiteError):
                raise cause from None
            last = str(error).strip().splitlines()[-1]
            raise ExecutorFailed(f"the worker on {self.name} failed: {last}") from error
        except errors.RayError as error:
            raise WorkerLost(f"the worker on {self.name} was lost ({type(error).__name__})") from error


class ActorWorkers(DeviceWorkers):
    """Measures groups on the device that Ray has given to this process.

    Args:
        threads: what the driver has in OMP_NUM_THREADS. Ray puts a number of its own there, and records would
            differ from those of other executors.
    """

    def __init__(self, share: tuple[int, int], groups: int, threads: str | None) -> None:
        super().__init__(share, groups)
        os.environ.pop(THREADS, None)
        if threads is not None:
            os.environ[THREADS] = threads

    def opened(self, settings: WorkerSettings) -> tuple[bool, Any]:
        """(True, environment) of workers that were started, or (False, what is wrong with the input)."""
        move_to(settings.folder)
        try:
            return True, self.open(settings)
        except (BenchsuiteError, ValueError) as error:
            return False, error if isinstance(error, BenchsuiteError) else str(error)

    def process_info(self) -> Mapping[str, int]:
        """Its process id, for those who want to disturb it."""
        return {"pid": os.getpid()}


def _connected(address: object, timeout_s: float) -> Any:
    """The ray module, connected; raises ExecutorError."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when ray is imported
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if importlib.util.find_spec("ray") is None:
        raise ExecutorError(
            "--executor ray needs Ray, which is not installed; install it with: pip install 'benchsuite[ray]'"
        )
    import ray

    where = str(address) if address else os.environ.get("RAY_ADDRESS")
    if where and where not in ("auto", "local"):
        _require_answer(where, timeout_s)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    before = signal.getsignal(signal.SIGTERM)
    try:
        if where and where != "local":
            ray.init(address=where, **quiet)
        elif where or not _joined(ray, quiet):
            own: dict[str, Any] = {"include_dashboard": False, "object_store_memory": _LOCAL_STORE_BYTES}
            ray.init(address="local", **own, **quiet)
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)  # Ray's own would end the process without a word
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ExecutorError(f"--executor ray: no cluster at {where or 'this machine'}: {reason}") from error
    return ray


def _joined(ray: Any, quiet: Mapping[str, Any]) -> bool:
    """Join the Ray that this machine runs, if it does."""
    try:
        ray.init(address="auto", **quiet)
    except ConnectionError:
        return False
    return True


def _require_answer(address: str, timeout_s: float) -> None:
    """Raise ExecutorError unless something listens there; Ray itself would wait long, or end the process."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise ExecutorError(f'--ray-address {address}: write HOST:PORT, "auto" or "local"')
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=timeout_s).close()
    except (OSError, OverflowError) as error:
        raise ExecutorError(
            f"--ray-address {address}: no Ray cluster answers there ({error}); it was given {timeout_s:g} s"
        ) from None


def _gpu_types(node: Mapping[str, Any]) -> set[str]:
    """What a node says of its GPUs: as a resource, as a label, or not at all."""
    named = {key.partition(":")[2] for key in node["Resources"] if key.startswith("accelerator_type:")}
    label = (node.get("Labels") or {}).get("ray.io/accelerator-type")
    return named | ({str(label)} if label else set())


def _there(nodes: Sequence[Mapping[str, Any]]) -> str:
    """What the nodes have, in words."""
    described = []
    for node in nodes:
        named = {
            key: value
            for key, value in node["Resources"].items()
            if not key.startswith("node:") and key not in ("memory", "object_store_memory")
        }
        words = ", ".join(f"{key} {value:g}" for key, value in sorted(named.items()))
        described.append(f"{_host(node)} ({words or 'nothing'})")
    return "; ".join(described) or "no node"


def _host(node: Mapping[str, Any]) -> str:
    return str(node.get("NodeManagerHostname") or node.get("NodeManagerAddress") or node["NodeID"][:8])
