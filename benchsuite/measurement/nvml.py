"""State of one GPU by NVIDIA's management library (NVML): clocks, heat, power, and who else is on it.

Only read, never set. NVML is asked through the package nvidia-ml-py (module `pynvml`), which is optional; its
absence, like that of the driver, is a reason in words. A GPU is found by its UUID, since torch counts devices
otherwise than the driver where CUDA_VISIBLE_DEVICES is set.

Source: NVML API Reference, "Device Queries" and "nvmlClocksEventReasons".
"""

from __future__ import annotations

import contextlib
import functools
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

REASONS: Mapping[int, str] = {
    0x1: "idle",
    0x2: "user_clocks",
    0x4: "power_cap",
    0x8: "hw_slowdown",
    0x10: "sync_boost",
    0x20: "sw_thermal",
    0x40: "hw_thermal",
    0x80: "hw_power_brake",
    0x100: "display",
}
"""Bit of NVML's clock event ("throttle") reasons → our word: why the clocks are what they are."""
SMI_FIELDS: Mapping[str, str] = {
    "name": "name",
    "uuid": "uuid",
    "driver": "driver_version",
    "memory_mib": "memory.total",
    "sm_clock_mhz": "clocks.sm",
    "max_sm_clock_mhz": "clocks.max.sm",
    "memory_clock_mhz": "clocks.mem",
    "power_limit_w": "power.limit",
    "temperature_c": "temperature.gpu",
}
"""Our word → the field of `nvidia-smi --query-gpu`."""
MISSING = "nvidia-ml-py is not installed; pip install 'benchsuite[gpu]' brings it"


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process that computes on a GPU.

    Attributes:
        pid: as the driver counts; inside a container that may be another number than the process knows.
        memory_bytes: None where the driver does not say.
    """

    pid: int
    memory_bytes: int | None


class Nvml(Protocol):
    """One GPU. What the driver does not know of it is None."""

    before_bytes: int | None
    """`used_bytes` when this process had nothing on the card yet; None if nobody looked then."""

    def about(self) -> dict[str, Any]:
        """Facts that stay as they are while a cell is measured: name, driver, power_limit_w, persistence."""
        ...

    def sm_clock_mhz(self) -> int | None: ...

    def max_sm_clock_mhz(self) -> int | None: ...

    def temperature_c(self) -> int | None: ...

    def throttle_reasons(self) -> int | None:
        """Bit set over `REASONS`."""
        ...

    def power_w(self) -> float | None:
        """Power drawn; from Ampere on the mean of the last second."""
        ...

    def energy_j(self) -> float | None:
        """Joules since the driver was loaded, of the whole card."""
        ...

    def processes(self) -> tuple[GpuProcess, ...] | None:
        """Those with a compute context; a desktop's graphics are none."""
        ...

    def used_bytes(self) -> int | None:
        """Memory in use on the whole card, by whomever; in a container too."""
        ...

    def mig(self) -> bool | None:
        """True if the card is split into instances."""
        ...


def reason_words(bits: int) -> list[str]:
    """Words of a bit set, lowest bit first; a bit that `REASONS` does not know is written in hexadecimal."""
    set_bits = [1 << i for i in range(bits.bit_length()) if bits >> i & 1]
    return [REASONS.get(bit, hex(bit)) for bit in set_bits]


class Card:
    """A GPU that pynvml answers for.

    Args:
        library: the module `pynvml`, initialised.
        card: NVML's handle of the physical GPU.
        instance: handle of the MIG instance that is used, if it is one. Clocks, heat and power are the
            card's; the energy counter is too, and is not read, since other instances feed it.
    """

    before_bytes: int | None = None

    def __init__(self, library: Any, card: Any, instance: Any = None) -> None:
        self._library = library
        self._card = card
        self._instance = instance

    def about(self) -> dict[str, Any]:
        limit = self._ask("nvmlDeviceGetEnforcedPowerLimit", self._card)
        persistence = self._ask("nvmlDeviceGetPersistenceMode", self._card)
        return {
            "name": self._ask("nvmlDeviceGetName", self._card),
            "driver": self._ask("nvmlSystemGetDriverVersion"),
            "power_limit_w": None if limit is None else limit * 1e-3,
            "persistence": None if persistence is None else bool(persistence),
        }

    def sm_clock_mhz(self) -> int | None:
        return self._whole("nvmlDeviceGetClockInfo", self._card, self._library.NVML_CLOCK_SM)

    def max_sm_clock_mhz(self) -> int | None:
        return self._whole("nvmlDeviceGetMaxClockInfo", self._card, self._library.NVML_CLOCK_SM)

    def temperature_c(self) -> int | None:
        return self._whole("nvmlDeviceGetTemperature", self._card, self._library.NVML_TEMPERATURE_GPU)

    def throttle_reasons(self) -> int | None:
        found = self._whole("nvmlDeviceGetCurrentClocksEventReasons", self._card)
        if found is None:  # the name before driver 535
            found = self._whole("nvmlDeviceGetCurrentClocksThrottleReasons", self._card)
        return found

    def power_w(self) -> float | None:
        milliwatts = self._ask("nvmlDeviceGetPowerUsage", self._card)
        return None if milliwatts is None else milliwatts * 1e-3

    def energy_j(self) -> float | None:
        if self._instance is not None:
            return None
        millijoules = self._ask("nvmlDeviceGetTotalEnergyConsumption", self._card)
        return None if millijoules is None else millijoules * 1e-3

    def processes(self) -> tuple[GpuProcess, ...] | None:
        found = self._ask("nvmlDeviceGetComputeRunningProcesses", self._handle())
        if found is None:
            return None
        return tuple(GpuProcess(one.pid, one.usedGpuMemory) for one in found)

    def used_bytes(self) -> int | None:
        memory = self._ask("nvmlDeviceGetMemoryInfo", self._handle())
        return None if memory is None else int(memory.used)

    def mig(self) -> bool | None:
        if self._instance is not None:
            return True
        modes = self._ask("nvmlDeviceGetMigMode", self._card)  # now, and after the next reset
        return None if modes is None else bool(modes[0])

    def _handle(self) -> Any:
        return self._card if self._instance is None else self._instance

    def _whole(self, function: str, *arguments: Any) -> int | None:
        answer = self._ask(function, *arguments)
        return None if answer is None else int(answer)

    def _ask(self, function: str, *arguments: Any) -> Any:
        """The answer; None if this card, this driver or this version of pynvml has none.

        Whatever it raises: pynvml's NVMLLibraryMismatchError, which drivers before R510 bring, is no
        NVMLError, and no cell fails because the state of a card cannot be read.
        """
        asked = getattr(self._library, function, None)
        if asked is None:
            return None
        try:
            return asked(*arguments)
        except Exception:  # noqa: BLE001
            return None


def open_card(uuid: str, library: Any = None) -> tuple[Nvml | None, str]:
    """The GPU, or MIG instance, of this UUID; else None and the reason why not.

    Args:
        uuid: with "GPU-" or "MIG-" in front, or bare as torch gives it.
        library: what to ask in place of `pynvml`.
    """
    if library is None:
        library = _pynvml()
        if library is None:
            return None, MISSING
    try:
        library.nvmlInit()
    except Exception as error:  # noqa: BLE001  as of `Card._ask`
        return None, f"NVML cannot be used: {error}"
    bare = uuid.removeprefix("GPU-").removeprefix("MIG-")
    for name in (f"GPU-{bare}", f"MIG-{bare}"):
        with contextlib.suppress(Exception):
            handle = library.nvmlDeviceGetHandleByUUID(name)
            if name.startswith("GPU-"):
                return Card(library, handle), ""
            return Card(library, library.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle), handle), ""
    return None, f"NVML knows no GPU with the UUID {uuid}"


def _pynvml() -> Any:
    """The module, or None where it is not installed."""
    try:
        import pynvml
    except ImportError:
        return None
    return pynvml


@functools.cache
def for_device(device: str) -> tuple[Nvml | None, str]:
    """The GPU behind torch's name of a CUDA device, "cuda:0"; None and the reason if NVML has none."""
    import torch

    uuid = str(getattr(torch.cuda.get_device_properties(device), "uuid", ""))
    if not uuid:
        return None, "this version of torch does not say the GPU's UUID"
    card, reason = open_card(uuid)
    if card is not None and not torch.cuda.memory_reserved(device):
        card.before_bytes = card.used_bytes()
    return card, reason


def ask_nvidia_smi(uuid: str) -> dict[str, str] | None:
    """Driver, clocks, power limit and temperature, asked by UUID, since torch and the driver may count
    devices differently."""
    if shutil.which("nvidia-smi") is None:
        return None
    select = [f"--id=GPU-{uuid.removeprefix('GPU-')}"] if uuid else []
    query = [
        "nvidia-smi",
        *select,
        f"--query-gpu={','.join(SMI_FIELDS.values())}",
        "--format=csv,noheader,nounits",
    ]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    values = [value.strip() for value in answer.splitlines()[0].split(",")] if answer.strip() else []
    return dict(zip(SMI_FIELDS, values, strict=False)) or None
