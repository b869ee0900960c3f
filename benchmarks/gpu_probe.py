"""What only a GPU settles, a line each: `ok | BAD | skip`, name, facts. For `make gpu-check`; about a minute.

    python benchmarks/gpu_probe.py

Each probe asks of the device what the measuring code takes for granted. Exit code 1 if one is BAD.
"""

from __future__ import annotations

import statistics
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from benchsuite.measurement import memory, nvml  # noqa: E402
from benchsuite.measurement.accelerator import LEAST_S  # noqa: E402
from benchsuite.measurement.conditions import StateReader  # noqa: E402
from benchsuite.measurement.cuda import CudaDevice, kernel_seconds  # noqa: E402
from benchsuite.measurement.energy import measure_energy  # noqa: E402

Found = tuple[bool, str]
"""Whether it is as it should be, and the facts."""
DEVICE = "cuda:0"
IDLE_S = 10.0


def timer() -> CudaDevice:
    return CudaDevice(0)


def product() -> Callable[[], Tensor]:
    x = torch.randn(4096, 4096, device=DEVICE, dtype=torch.bfloat16)
    return lambda: x @ x


def properties() -> Found:
    told = torch.cuda.get_device_properties(0)
    facts = f"{told.name}, {told.clock_rate} kHz, L2 {told.L2_cache_size >> 20} MiB, uuid {told.uuid}"
    return min(
        told.clock_rate, told.L2_cache_size, len(str(told.uuid))
    ) > 0, f"{facts}, torch {torch.__version__}"


def state() -> Found:
    """The driver answers, and in a time that is nothing beside a visit."""
    card, why = nvml.for_device(DEVICE)
    if card is None:
        return False, why
    watch = StateReader(card, elsewhere=timer().elsewhere_bytes)
    begin = time.perf_counter()
    snapshot = watch.snapshot()
    took = time.perf_counter() - begin
    return took < 0.02, f"{took * 1e3:.1f} ms: {snapshot}, before this process {card.before_bytes} bytes"


def clock_after_idling() -> Found:
    """Blocks are alike from the fourth on after ten idle seconds."""
    step = product()
    time.sleep(IDLE_S)
    blocks = [statistics.median(timer().time_calls(step, 20)) for _ in range(60)]
    shown = [round(blocks[i] * 1e3, 3) for i in (0, 1, 2, 9, 59)]
    return max(blocks[3:]) < 1.05 * min(blocks[30:]), f"ms of blocks 1, 2, 3, 10, 60: {shown}"


def clock_at_work() -> Found:
    """A GPU is read at work: its clock and reasons are others 5 ms after the last step, or are not."""
    card, why = nvml.for_device(DEVICE)
    if card is None:
        return False, why
    step = product()
    for _ in range(300):
        step()
    during = card.sm_clock_mhz(), nvml.reason_words(card.throttle_reasons() or 0)
    torch.cuda.synchronize()
    time.sleep(0.005)
    after = card.sm_clock_mhz(), nvml.reason_words(card.throttle_reasons() or 0)
    return "idle" not in during[1], f"at work {during}, 5 ms after {after}"


def events() -> Found:
    """Two events cost little beside the shortest sample."""
    small = torch.randn(64, 64, device=DEVICE)
    empty, one = (
        statistics.median(timer().time_calls(step, 64)) for step in (lambda: None, lambda: small.add_(1))
    )
    return empty < LEAST_S / 40, f"nothing {empty * 1e6:.2f} µs, one kernel {one * 1e6:.2f} µs"


def delay() -> Found:
    """A delay lasts about as long as it should."""
    took = statistics.median(timer().time_calls(timer()._delay(1e-3), 20))
    return 0.8e-3 < took < 1.5e-3, f"{took * 1e3:.3f} ms for 1 ms"


def many_small_kernels() -> Found:
    """A replay of 1,500 kernels takes about as long as the profiler sees them run."""
    small = torch.randn(64, 64, device=DEVICE)

    def step() -> None:
        for _ in range(1500):
            small.add_(1)

    busy = timer().time_busy(step, 20)
    seen = kernel_seconds(step, 5)
    if busy is None or seen is None:
        return False, f"replay {busy}, profiler {seen}"
    method, replay = busy[0], statistics.median(busy[1])
    wall = statistics.median(timer().time_calls(step, 8))
    facts = f"{method} {replay * 1e6:.0f} µs, profiler {seen * 1e6:.0f} µs, wall {wall * 1e6:.0f} µs"
    return method == "cuda_graph" and 0.9 < replay / seen < 2.5, facts


def training_step() -> Found:
    """The busy time of a training step is known, and no more than the step."""
    net = nn.Linear(512, 512, device=DEVICE)
    optimizer = torch.optim.AdamW(net.parameters())
    given = torch.ones(64, 512, device=DEVICE)

    def step() -> None:
        optimizer.zero_grad()
        net(given).sum().backward()
        optimizer.step()

    busy = timer().time_busy(step, 10, capture=False)  # AdamW counts its steps on the host
    wall = statistics.median(timer().time_calls(step, 20))
    if busy is None:
        return False, "no busy time"
    return 0 < busy[1][0] <= wall, f"{busy[0]} {busy[1][0] * 1e6:.0f} µs, wall {wall * 1e6:.0f} µs"


def energy() -> Found:
    """Joules over seconds are watts that a card can draw."""
    step, begin = product(), time.perf_counter()
    found = measure_energy(step, timer(), nvml.for_device(DEVICE)[0])
    took = time.perf_counter() - begin
    if found is None:
        return False, "no counter"
    watts = found.joules / statistics.median(timer().time_calls(step, 20))
    return 1 < watts < 1500, f"{found.joules:.4g} J a step, {watts:.0f} W, read in {took:.2f} s"


def memory_of_a_linear_layer() -> Found:
    """A layer without a bias adds its output and nothing else; the process has a context beside it."""
    layer, given = nn.Linear(1024, 2048, bias=False, device=DEVICE), torch.randn(512, 1024, device=DEVICE)
    found = memory.measure_memory(_inferring(layer, given), layer, given)
    facts = f"{found.activations_bytes} bytes of activations, process {found.process_bytes}"
    return found.activations_bytes == 512 * 2048 * 4, facts


def memory_under_graphs() -> Found:
    """Where a replay allocates nothing its peak is that of its graph, or none is given."""
    layers = nn.Sequential(nn.Linear(1024, 4096), nn.GELU(), nn.Linear(4096, 1024)).to(DEVICE)
    given = torch.randn(4096, 1024, device=DEVICE)
    step = _inferring(torch.compile(layers, mode="reduce-overhead"), given)
    step()
    found = memory.measure_memory(step, layers, given)
    return (
        found.activations_bytes >= 4096 * 4096 * 4,
        f"{found.activations_bytes >> 20} MiB, at least 64 are there",
    )


def a_step_that_waits() -> Found:
    """It is not captured, and torch is after it as it was before."""
    small = torch.randn(64, 64, device=DEVICE)
    busy = timer().time_busy(lambda: (small @ small).sum().item(), 5)
    leaked = torch.cuda.current_stream() != torch.cuda.default_stream()
    torch.cuda.empty_cache()  # raises on torch up to 2.11 after a capture that failed
    return not leaked and (
        busy is None or busy[0] != "cuda_graph"
    ), f"{busy and busy[0]}, stream leaked: {leaked}"


def _inferring(module: Callable[[Tensor], Tensor], given: Tensor) -> Callable[[], Tensor]:
    def step() -> Tensor:
        with torch.inference_mode():
            return module(given)

    return step


PROBES: Mapping[str, Callable[[], Found]] = {
    "properties": properties,
    "state by NVML": state,
    "clock after idling": clock_after_idling,
    "clock at work": clock_at_work,
    "cost of events": events,
    "length of a delay": delay,
    "many small kernels": many_small_kernels,
    "training step": training_step,
    "energy": energy,
    "memory of a linear layer": memory_of_a_linear_layer,
    "memory under CUDA graphs": memory_under_graphs,
    "a step that waits": a_step_that_waits,  # the last: it may spoil the process
}


def main(probes: Mapping[str, Callable[[], Found]] = PROBES) -> int:
    """Print a line for each probe; 0 if none is BAD."""
    warnings.simplefilter("ignore")
    there, sound = torch.cuda.is_available(), True
    for name, probe in probes.items():
        if not there:
            print(f"skip  {name:26} torch sees no CUDA device here")
            continue
        try:
            good, facts = probe()
        except Exception as error:  # noqa: BLE001  whatever it was, the others are asked too
            good, facts = False, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        print("ok  " if good else "BAD ", f" {name:26}", facts, flush=True)
        sound = sound and good
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
