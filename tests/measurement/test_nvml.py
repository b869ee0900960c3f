"""NVML behind its protocol: units, names of bits, and what is said where something is missing."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from benchsuite.measurement import nvml
from benchsuite.measurement.conditions import StateReader
from benchsuite.measurement.cpu import CpuDevice
from benchsuite.measurement.nvml import Card, GpuProcess, Nvml, open_card, reason_words
from tests.doubles.fake_nvml import FakeNvml


class NVMLError(Exception):
    """As pynvml's."""


class MismatchError(Exception):
    """As pynvml's NVMLLibraryMismatchError, which drivers before R510 bring: no NVMLError."""


class Library:
    """Stands for the module `pynvml`: answers from a table, and notes what it was asked."""

    NVMLError = NVMLError
    NVML_CLOCK_SM = 1
    NVML_TEMPERATURE_GPU = 0

    def __init__(self, handles: dict[str, str] | None = None, **answers: Any) -> None:
        self.handles = handles or {"GPU-abc": "card"}
        self.answers = answers
        self.asked: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("nvml") or name not in self.answers:
            raise AttributeError(name)

        def answer(*arguments: Any) -> Any:
            self.asked.append((name, arguments))
            value = self.answers[name]
            if isinstance(value, Exception):
                raise value
            return value

        return answer

    def nvmlInit(self) -> None:
        self.asked.append(("nvmlInit", ()))

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        if uuid not in self.handles:
            raise NVMLError("Not Found")
        return self.handles[uuid]


ANSWERS: dict[str, Any] = {
    "nvmlDeviceGetClockInfo": 1410,
    "nvmlDeviceGetMaxClockInfo": 1980,
    "nvmlDeviceGetTemperature": 61,
    "nvmlDeviceGetCurrentClocksEventReasons": 0x24,
    "nvmlDeviceGetPowerUsage": 350_500,
    "nvmlDeviceGetTotalEnergyConsumption": 7_000_250,
    "nvmlDeviceGetComputeRunningProcesses": [
        SimpleNamespace(pid=11, usedGpuMemory=4096),
        SimpleNamespace(pid=12, usedGpuMemory=None),
    ],
    "nvmlDeviceGetMigMode": [1, 0],
    "nvmlDeviceGetMemoryInfo": SimpleNamespace(used=5 << 30),
    "nvmlDeviceGetName": "NVIDIA H200",
    "nvmlSystemGetDriverVersion": "580.1",
    "nvmlDeviceGetEnforcedPowerLimit": 700_000,
    "nvmlDeviceGetPersistenceMode": 0,
}


def opened(library: Library, uuid: str = "abc") -> Nvml:
    card, reason = open_card(uuid, library)
    assert card is not None, reason
    return card


def test_answers_come_in_base_units_under_our_names() -> None:
    card = opened(Library(**ANSWERS))
    assert (card.sm_clock_mhz(), card.max_sm_clock_mhz(), card.temperature_c()) == (1410, 1980, 61)
    assert card.throttle_reasons() == 0x24
    assert card.power_w() == pytest.approx(350.5)
    assert card.energy_j() == pytest.approx(7000.25)
    assert card.processes() == (GpuProcess(11, 4096), GpuProcess(12, None))
    assert card.mig() is True
    assert card.used_bytes() == 5 << 30
    assert card.about() == {
        "name": "NVIDIA H200",
        "driver": "580.1",
        "power_limit_w": pytest.approx(700),
        "persistence": False,
    }


@pytest.mark.parametrize(
    "answers",
    [
        {},
        dict.fromkeys(ANSWERS, NVMLError("Not Supported")),
        dict.fromkeys(ANSWERS, MismatchError("Unversioned function called")),
    ],
)
def test_what_the_driver_or_the_package_does_not_have_is_none(answers: dict[str, Any]) -> None:
    card = opened(Library(**answers))
    asked = (card.sm_clock_mhz, card.max_sm_clock_mhz, card.temperature_c, card.throttle_reasons)
    assert [ask() for ask in asked] == [None] * 4
    assert [card.power_w(), card.energy_j(), card.processes(), card.mig(), card.used_bytes()] == [None] * 5
    assert set(card.about().values()) == {None}


def test_an_older_driver_gives_the_reasons_under_the_older_name() -> None:
    answers = {
        "nvmlDeviceGetCurrentClocksEventReasons": NVMLError("Function Not Found"),
        "nvmlDeviceGetCurrentClocksThrottleReasons": 0x1,
    }
    assert opened(Library(**answers)).throttle_reasons() == 0x1


@pytest.mark.parametrize(
    ("bit", "word"),
    [
        (0x1, "idle"),
        (0x2, "user_clocks"),
        (0x4, "power_cap"),
        (0x8, "hw_slowdown"),
        (0x10, "sync_boost"),
        (0x20, "sw_thermal"),
        (0x40, "hw_thermal"),
        (0x80, "hw_power_brake"),
        (0x100, "display"),
    ],
)
def test_every_bit_has_the_name_that_nvml_documents(bit: int, word: str) -> None:
    assert reason_words(bit) == [word]


def test_a_bit_set_is_a_list_of_words_and_unknown_bits_stay_visible() -> None:
    assert reason_words(0) == []
    assert reason_words(0x2 | 0x40 | 0x800) == ["user_clocks", "hw_thermal", "0x800"]


@pytest.mark.parametrize("uuid", ["abc", "GPU-abc"])
def test_a_gpu_is_found_by_its_uuid_with_or_without_the_prefix(uuid: str) -> None:
    library = Library({"GPU-abc": "mine", "GPU-def": "other"}, **ANSWERS)
    opened(library, uuid).temperature_c()
    assert library.asked[-1] == ("nvmlDeviceGetTemperature", ("mine", 0))


def test_an_instance_has_its_own_processes_the_cards_clocks_and_no_energy_counter() -> None:
    library = Library({"MIG-abc": "instance"}, **ANSWERS, nvmlDeviceGetDeviceHandleFromMigDeviceHandle="card")
    card = opened(library)
    assert card.energy_j() is None
    assert card.mig() is True
    card.processes()
    assert library.asked[-1] == ("nvmlDeviceGetComputeRunningProcesses", ("instance",))
    card.sm_clock_mhz()
    assert library.asked[-1] == ("nvmlDeviceGetClockInfo", ("card", 1))


def test_an_unknown_uuid_is_a_reason() -> None:
    assert open_card("xyz", Library()) == (None, "NVML knows no GPU with the UUID xyz")


@pytest.mark.parametrize("kind", [NVMLError, MismatchError])
def test_without_a_driver_or_with_one_of_another_age_there_is_a_reason(kind: type[Exception]) -> None:
    library = Library()
    library.nvmlInit = lambda: (_ for _ in ()).throw(kind("Driver Not Loaded"))  # type: ignore[method-assign]
    assert open_card("abc", library) == (None, "NVML cannot be used: Driver Not Loaded")


def test_an_old_driver_costs_no_cell_its_time() -> None:
    """With R470 whatever is asked in a newer form raises, and is absent from the snapshot."""
    old = {name: MismatchError("Unversioned function called") for name in ANSWERS}
    card = opened(Library(**old | {"nvmlDeviceGetTemperature": 61}))
    found = StateReader(card).snapshot()
    assert found["gpu_temperature_c"] == 61
    assert not set(found) & {"sm_clock_mhz", "throttle", "gpu_power_w", "other_gpu_processes", "mig"}


def test_a_library_that_cannot_look_for_uuids_is_a_reason() -> None:
    library = Library()
    library.nvmlDeviceGetHandleByUUID = lambda uuid: (_ for _ in ()).throw(MismatchError())  # type: ignore[method-assign]
    assert open_card("abc", library) == (None, "NVML knows no GPU with the UUID abc")


def test_without_the_package_the_reason_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)  # importing it now raises ImportError
    card, reason = open_card("abc")
    assert card is None
    assert "benchsuite[gpu]" in reason


def test_a_cpu_has_none() -> None:
    assert CpuDevice().card() == (None, "cpu is no GPU")


def test_nothing_is_ever_set_on_the_card() -> None:
    library = Library(**ANSWERS)
    card = opened(library)
    for ask in (
        card.about,
        card.sm_clock_mhz,
        card.max_sm_clock_mhz,
        card.temperature_c,
        card.throttle_reasons,
        card.power_w,
        card.energy_j,
        card.processes,
        card.mig,
        card.used_bytes,
    ):
        ask()
    names = {name for name, _ in library.asked} - {"nvmlInit"}
    assert names == set(ANSWERS)
    assert all("Get" in name for name in names)


def test_the_fake_is_a_gpu() -> None:
    fake: Nvml = FakeNvml(joules=iter([1.0, 2.0]))
    assert [fake.energy_j(), fake.energy_j(), fake.energy_j()] == [1.0, 2.0, 2.0]
    assert fake.processes() == ()


@pytest.mark.gpu
def test_a_real_gpu_answers() -> None:
    pytest.importorskip("pynvml")
    card, reason = nvml.for_device("cuda:0")
    assert isinstance(card, Card), reason
    clock, highest = card.sm_clock_mhz(), card.max_sm_clock_mhz()
    assert clock is not None
    assert highest is not None
    assert 0 < clock <= highest
