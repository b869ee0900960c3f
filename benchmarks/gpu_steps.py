"""The steps of `make gpu-check` and `make gpu-proof`, as a table. What each runs, and what must come out.

Seconds are what a step is thought to take on one NVIDIA H200. None has been measured; `gpu_kit.py` gives each
step some times as long, and more where the steps before it took longer than this table says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import gpu_expect as expect

OUT = "{out}"
"""Stands in a command for the folder of the step."""
_BENCHSUITE = ("-m", "benchsuite")
_MARK = "mark.gpu"
MIXERS = (
    "msa hilo w_msa sw_msa cswin dat nat halo focal coatnet_attention bottleneck_attention cascaded_group "
    "non_local swinv2_window_attention relpos_msa linformer gpsa acmix_swin"
).split()
"""Of the zoo: with masks, biases, unequal head sizes, and with neither."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command.

    Attributes:
        command: words after the Python interpreter; the first is a program of its own if it does not begin
            with "-" and is no file of Python.
        seconds: what it is thought to take.
        on_gpu: whether it needs one; otherwise it shows that the kit itself works.
        modules: that it imports beyond what every command needs.
        run: whether it writes a run folder, and goes on with the one that it left.
        expects: what must come out, beyond an exit code of 0.
        after: the step whose run it is compared with.
    """

    name: str
    command: tuple[str, ...]
    seconds: float
    on_gpu: bool = True
    modules: tuple[str, ...] = ()
    run: bool = False
    expects: tuple[expect.Expectation, ...] = ()
    after: str = ""


def run(
    name: str, scenario: str, *words: str, seconds: float, settings: Sequence[str] = (), **more: object
) -> Step:
    """A step that is a `benchsuite run`; `settings` are those of `--set`."""
    options = [word for setting in settings for word in ("--set", setting)]
    command = (*_BENCHSUITE, "run", scenario, *words, *options, "--out", OUT)
    return Step(name=name, command=command, seconds=seconds, run=True, **more)  # type: ignore[arg-type]


def gpu_tests(root: Path) -> tuple[str, ...]:
    """The command for all tests that need a GPU. Only the files that hold some: others may need packages that
    are not here."""
    tests = (root / "tests").rglob("test_*.py")
    files = sorted(str(path.relative_to(root)) for path in tests if _MARK in path.read_text(encoding="utf-8"))
    # Without the options of pyproject.toml, some of which need plugins; a new driver's warning is no failure.
    options = ("-m", "gpu", "-o", "addopts=", "-W", "default", "-p", "no:cacheprovider")
    return ("-m", "pytest", "-v", *options, *files)


def check(root: Path) -> tuple[Step, ...]:
    """Says within eight minutes whether everything works."""
    return (
        Step(
            name="kit",
            command=(*_BENCHSUITE, "run", "zoo", "--profile", "quick", "--filter", "mixer=msa", "--device",
                     "cpu", "--out", OUT),
            seconds=20, on_gpu=False, run=True, expects=(expect.ends_with("ok"),),
        ),
        Step(name="doctor", command=(*_BENCHSUITE, "doctor"), seconds=10, on_gpu=False),
        Step(name="probe", command=("benchmarks/gpu_probe.py",), seconds=40),
        Step(name="gpu-tests", command=gpu_tests(root), seconds=180, modules=("pytest",)),
        Step(
            name="self-test",
            command=(*_BENCHSUITE, "selftest", "--quick", "--device", "cuda", "--out", OUT),
            seconds=60,
        ),
        run("zoo", "zoo", "--profile", "gpu_quick", "--device", "cuda", seconds=110,
            settings=["measure.energy=false"],
            expects=(expect.ends_with("ok", "unsupported"), expect.below_the_roof)),
    )  # fmt: skip


def proof(root: Path) -> tuple[Step, ...]:
    """All that `check` leaves out."""
    rough = ["measure.rounds=1", "measure.precision=auto", "measure.energy=false"]
    fixed = (expect.ends_with("ok"), expect.compiled_once)
    return (
        Step(name="clocks", command=("nvidia-smi", "-q", "-d", "CLOCK,PERFORMANCE,POWER"), seconds=5),
        Step(
            name="self-test",
            command=(*_BENCHSUITE, "selftest", "--device", "cuda", "--out", OUT),
            seconds=180,
        ),
        run("memory-limit", "zoo", "--profile", "quick", "--filter", "mixer=msa", "--memory-limit", "8GiB",
            "--device", "cuda", seconds=40, expects=(expect.ends_with("ok"),)),
        run("kernels", "zoo", "--profile", "quick", "--device", "cuda", "--timeout", "60", "--filter",
            "mixer=" + ",".join(MIXERS), seconds=480,
            settings=[*rough, "sweep.batch=8", "sweep.dtype=[bf16, fp32]",
                      "sweep.kernel=[sdpa, flash, mem_efficient, cudnn]"],
            expects=(expect.ends_with("ok", "unsupported"), expect.flash_where_it_can,
                     expect.backend_asked_for)),
        run("flex", "zoo", "--profile", "quick", "--device", "cuda", "--filter", "mixer=w_msa,sw_msa,nat",
            seconds=200, settings=[*rough, "sweep.dtype=[fp32, bf16]", "sweep.kernel=[math, flex]"],
            expects=fixed),
        run("compile", "hilo", "--profile", "quick", "--device", "cuda", "--filter",
            "mixer=HiLo,MSA,W-MSA,SW-MSA kernel=math", seconds=220,
            settings=[*rough, "include=[]", "sweep.resolution=224", "sweep.batch=64",
                      "sweep.compile=[eager, default, reduce-overhead]"],
            expects=(*fixed, expect.graphs_take_their_memory)),
        run("memory", "hilo", "--device", "cuda", "--filter", "mixer=MSA kernel=math resolution>=896",
            seconds=60, settings=rough, expects=(expect.fits_up_to_896,)),
        run("networks", "litv2_table4", "--device", "cuda", "--filter", "mixer=HiLo,MSA", seconds=200,
            settings=[*rough, "sweep.dtype=[tf32, autocast_bf16, fp32]"],
            expects=(expect.ends_with("ok"), expect.ceilings_of_an_h200, expect.below_the_roof)),
        run("cold", "hilo", "--device", "cuda", "--filter", "mixer=HiLo,MSA,W-MSA resolution=224 kernel=sdpa",
            seconds=60, settings=[*rough, "sweep.dtype=bf16", "sweep.cache=cold"],
            expects=(expect.ends_with("ok"), expect.ceilings_of_an_h200)),
        *(
            run(name, "hilo", "--device", "cuda", "--filter", "resolution=224", seconds=270,
                settings=["sweep.dtype=[tf32, bf16, autocast_bf16]"], after=after,
                expects=(expect.ends_with("ok"), *([expect.same_as_before] if after else []),
                         expect.below_the_roof))
            for name, after in (("hilo", ""), ("hilo-again", "hilo"))
        ),
    )  # fmt: skip
