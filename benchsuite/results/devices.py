"""The kinds of devices, one row each: what is known of a kind without torch, and the class that measures on
it.

A device is named as torch names it: "cpu", "cuda:1". To add a kind, write a class shaped like
`measurement/xpu.py` and its row here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceKind:
    """One kind of device.

    Attributes:
        name: torch's word for it.
        implementation: "package.module:Class" of its `measurement.device.Device`; imported on use.
        on_host: whether steps run on the threads and in the memory of the host, so that both move their
            times, and nothing else may be timed meanwhile. Elsewhere the host hands work over and goes on.
        automatic: whether "auto" may choose it, before a CPU.
        profile: of a scenario, chosen by itself where it has one.
        precision: share of the median that `precision: auto` asks for; a GPU's samples spread less.
        macs_per_s, bytes_per_s: rough rates, to guess which cells take longest.
    """

    name: str
    implementation: str
    on_host: bool = False
    automatic: bool = True
    profile: str = "gpu"
    precision: float = 0.01
    macs_per_s: float = 3e12
    bytes_per_s: float = 5e11


DEVICES: Mapping[str, DeviceKind] = {
    row.name: row
    for row in (
        DeviceKind(
            name="cpu",
            implementation="benchsuite.measurement.cpu:CpuDevice",
            on_host=True,
            profile="cpu",
            precision=0.02,
            macs_per_s=3e10,
            bytes_per_s=5e9,
        ),
        DeviceKind(name="cuda", implementation="benchsuite.measurement.cuda:CudaDevice"),
        DeviceKind(name="xpu", implementation="benchsuite.measurement.xpu:XpuDevice", automatic=False),
    )
}
"""Word → kind. XPUs have never been measured on, so that "auto" does not choose one."""


def kind_of(device: str) -> DeviceKind:
    """Kind of a device by its name, "cuda:1"; a name that no row has is taken for a CPU's."""
    return DEVICES.get(device.partition(":")[0], DEVICES["cpu"])
