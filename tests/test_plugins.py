"""Mixers that are not benchsuite's: where they are found, what they need, and what their mistakes cost."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from benchsuite.errors import UsageError
from benchsuite.plugins import plugins, search_path, worker_environment
from benchsuite.results.store import RECORDS, read_run
from benchsuite.runner.process import Worker
from benchsuite.runner.workers import InlineWorkers
from benchsuite.scenario.validate import problems
from benchsuite.worker.build import mixer_class
from benchsuite.worker.worker_reply import Plan, WorkerReply
from benchsuite.zoo.catalogue import entry, known_parameters
from tests.builders import make_cell
from tests.commands import Cli
from tests.plans import plans_of

TOKENS = """
from torch import nn
class Mine(nn.Module):
    def __init__(self, dim, width=2):
        super().__init__()
        self.linear = nn.Linear(dim, dim)
    def forward(self, x, size):
        assert x.shape[1] == size[0] * size[1]
        return self.linear(x)
"""
MAPS = """
from torch import nn
class Mine(nn.Module):
    layout = "NCHW"
    def __init__(self, dim):
        super().__init__()
        self.conv = nn.Conv2d(dim, dim, 3, stride=2)
    def forward(self, x):
        return self.conv(x)
"""
KERNELS = """
from torch import nn
class Mine(nn.Module):
    def __init__(self, dim, kernel):
        super().__init__()
        self.kernel = kernel
        self.linear = nn.Linear(dim, dim)
    def forward(self, x, size):
        return self.linear(x)
"""
METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n"
SCENARIO = "name: mine\ntitle: Mine\nsweep: {{mixer: [{mixers}], resolution: 64, dim: 32, num_heads: 4}}\n"

Write = Callable[[str], str]
_numbers = itertools.count()


@pytest.fixture
def searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that modules are looked for in, as if it were on PYTHONPATH."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("own_")]:
        del sys.modules[name]
    mixer_class.cache_clear()


@pytest.fixture
def write(searched: Path) -> Write:
    """Writes a module under a name of its own, since Python keeps what it imported once."""

    def call(source: str) -> str:
        name = f"own_{next(_numbers)}"
        (searched / f"{name}.py").write_text(source)
        return name

    return call


def planned(target: str, **changes: object) -> WorkerReply[Plan]:
    (plan,) = plans_of([make_cell(name="Mine", target=target, **changes)])
    return plan


def package(folder: Path, name: str, entry_points: str, modules: dict[str, str]) -> None:
    """A distribution as an installer leaves it, by hand."""
    info = folder / f"{name}-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(METADATA.format(name=name))
    (info / "entry_points.txt").write_text(f"[benchsuite.mixers]\n{entry_points}\n")
    for path, source in modules.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(source)


def test_a_mixer_of_tokens_needs_only_its_forward(write: Write) -> None:
    plan = planned(f"{write(TOKENS)}:Mine")
    assert plan.value is not None
    assert plan.value.cost.macs == 16 * 32 * 32  # a linear layer on 4 × 4 tokens
    assert plan.value.cost.params == 32 * 32 + 32


def test_a_mixer_of_maps_names_its_layout_and_may_change_the_grid(write: Write) -> None:
    plan = planned(f"{write(MAPS)}:Mine", resolution=(144, 80))
    assert plan.value is not None
    assert plan.value.cost.macs == 4 * 2 * 9 * 32 * 32  # 9 × 5 becomes 4 × 2


def test_a_mixer_that_takes_a_kernel_gets_whichever_it_is(write: Write) -> None:
    target = f"{write(KERNELS)}:Mine"
    assert planned(target, kernel="flash").value is not None
    assert mixer_class(target)(32, kernel="flash").kernel == "flash"


def test_a_mixer_without_kernels_runs_on_math_only_and_says_why(write: Write) -> None:
    target = f"{write(TOKENS)}:Mine"
    plan = planned(target, kernel="flash")
    assert plan.status == "unsupported"
    assert plan.failure is not None
    assert plan.failure.message == (
        f"{target} has no flash kernel: it names no `kernels` and takes no argument `kernel`, so it runs as "
        "it is, which counts as math"
    )


@pytest.mark.parametrize(
    ("source", "kind", "why"),
    [
        ("class Mine(:", "SyntaxError", "invalid syntax"),
        ("import no_such_thing", "ModuleNotFoundError", "No module named 'no_such_thing'"),
        ("from os import no_such_name", "ImportError", "cannot import name 'no_such_name' from 'os'"),
        ("raise ValueError('not today')", "ValueError", "not today"),
        ("raise SystemExit('bye')", "SystemExit", "bye"),
        (TOKENS.replace("Mine", "Mime"), "AttributeError", 'no class "Mine"; did you mean "Mime"?'),
        ("def Mine(dim): ...", "TypeError", "it is a function, not a subclass of torch.nn.Module"),
        ("class Mine: ...", "TypeError", "it is a class Mine, not a subclass of torch.nn.Module"),
        (MAPS.replace("NCHW", "CHW"), "ValueError", "its layout 'CHW' is none of BNC, NCHW, NHWC"),
    ],
)
def test_a_class_that_cannot_be_had_is_an_error_of_its_own_rows(
    write: Write, source: str, kind: str, why: str
) -> None:
    target = f"{write(source)}:Mine"
    plans = plans_of([make_cell(name="Mine", target=target), make_cell()])
    assert [plan.status for plan in plans] == ["error", "ok"]
    failure = plans[0].failure
    assert failure is not None
    assert (failure.stage, failure.kind) == ("build", kind)
    assert failure.message.startswith(f"{target} cannot be loaded: ")
    assert why in failure.message


def test_a_module_that_is_nowhere_says_where_it_was_looked_for() -> None:
    failure = planned("own_nowhere.attention:Mine").failure
    assert failure is not None
    assert failure.kind == "ModuleNotFoundError"
    assert failure.message == (
        "own_nowhere.attention:Mine cannot be loaded: no module named 'own_nowhere': not in the current "
        "folder, --pythonpath, PYTHONPATH or what is installed"
    )


def test_a_name_that_stands_for_nothing_is_an_error() -> None:
    failure = planned("own_uninstalled").failure
    assert failure is not None
    assert failure.message == (
        "own_uninstalled cannot be loaded: no mixer and no installed package's mixer is called so"
    )


@pytest.mark.parametrize(
    ("result", "kind"), [("(1, [])", "tuple"), ("None", "NoneType"), ("{'x': 1}", "dict")]
)
def test_an_output_without_a_tensor_is_an_error_that_says_so(write: Write, result: str, kind: str) -> None:
    plan = planned(f"{write(TOKENS.replace('self.linear(x)', result))}:Mine")
    assert plan.status == "error"
    assert plan.failure is not None
    assert plan.failure.message == f"forward returned a {kind}, and no tensor in it"


def test_wrong_arguments_of_an_own_mixer_are_bad_input(write: Write) -> None:
    name = write(TOKENS)
    with pytest.raises(UsageError, match=rf"Mine \({name}:Mine\): .*unexpected keyword argument 'wdith'"):
        planned(f"{name}:Mine", config={"wdith": 3})


def test_the_folders_named_come_first_and_the_current_folder_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    workers = InlineWorkers(["sub"])
    assert (sys.path[0], sys.path[-1]) == (str(tmp_path / "sub"), str(tmp_path))
    assert sys.path[1:-1] == list(dict.fromkeys(filter(None, before)))
    workers.close()
    assert sys.path == before
    assert search_path(["."])[0] == str(tmp_path)  # where it is asked for
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    found = worker_environment(["sub", "/other"])["PYTHONPATH"]
    assert found == os.pathsep.join([str(tmp_path / "sub"), "/other", "/elsewhere"])
    monkeypatch.delenv("PYTHONPATH")
    assert "PYTHONPATH" not in worker_environment([])


@pytest.mark.slow
@pytest.mark.parametrize("command", [["-m", "benchsuite"], ["bin/benchsuite"]])
def test_files_beside_the_scenario_stand_for_no_installed_package(
    tmp_path: Path, repository: Path, command: list[str]
) -> None:
    for name in ("torch", "numpy", "typer", "pickle"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('the wrong one')")
    (tmp_path / "beside.py").write_text(TOKENS)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "benchsuite").write_text("from benchsuite.cli import main; main()")
    measure = (
        "measure: {warmup_s: 0, min_samples: 2, max_samples: 2, rounds: 1, threads: 1, ceilings: false}\n"
    )
    (tmp_path / "mine.yaml").write_text(SCENARIO.format(mixers="'beside:Mine'") + measure)
    done = subprocess.run(
        [sys.executable, *command, "run", "mine.yaml", "--out", "r", "--device", "cpu"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [record.status for record in read_run(tmp_path / "r").records] == ["ok"]


def test_a_worker_finds_a_package_in_the_folder_it_is_given(tmp_path: Path) -> None:
    package(tmp_path, "acme", "acme_mixer = acme.deep.attention:Mine", {"acme/deep/attention.py": TOKENS})
    process = Worker([str(tmp_path)])
    try:
        answer = process.call("count", make_cell(target="acme_mixer"))
    finally:
        process.close()
    assert answer.value is not None, answer.failure


def test_a_packages_mixer_is_known_by_name_and_parameters_without_importing_it(searched: Path) -> None:
    package(
        searched,
        "own_acme",
        "acme_mixer = own_acme.attention:Mine",
        {"own_acme/__init__.py": "raise RuntimeError", "own_acme/attention.py": TOKENS},
    )
    assert known_parameters()["acme_mixer"] == ("width",)
    assert "acme_mixer" not in known_parameters(installed=False)
    found = entry("acme_mixer")
    assert (found.target, found.package) == ("own_acme.attention:Mine", "own_acme 1.2")
    assert (found.layout, found.kernels, found.relation) == ("see source", ("math",), None)
    text = SCENARIO.format(mixers="{name: acme_mixer, params: {wdith: 3}}")
    (problem,) = problems(text, "mine.yaml", known_parameters())
    assert problem.message == 'unknown parameter of mixer "acme_mixer"'
    assert problem.suggestion == "width"
    assert not [name for name in sys.modules if name.startswith("own_acme")]


@pytest.mark.parametrize(
    "modules",
    [
        {},
        {"own_acme/attention.py": "class Mine(:"},
        {"own_acme/attention.py": "from own_other import Base\nclass Mine(Base): ..."},
        {"own_acme/attention.py": TOKENS.replace("width=2", "**options")},
    ],
)
def test_parameters_that_cannot_be_read_are_not_checked(searched: Path, modules: dict[str, str]) -> None:
    package(searched, "own_acme", "acme_mixer = own_acme.attention:Mine", modules)
    text = SCENARIO.format(mixers="{name: acme_mixer, params: {anything: 3}}")
    assert problems(text, "mine.yaml", known_parameters()) == []


def test_names_that_clash_and_targets_that_are_none_are_warned_of(searched: Path) -> None:
    package(searched, "own_acme", "hilo = acme:Mine\nfine = acme:Mine\nvague = acme", {})
    package(searched / "more", "own_beta", "fine = beta:Mine", {})
    found = plugins(search_path([str(searched / "more")]))
    assert {name: plugin.target for name, plugin in found.mixers.items()} == {"fine": "beta:Mine"}
    assert sorted(found.warnings) == [
        'the mixer "fine" of own_acme 1.2 is not used: own_beta 1.2 has one of that name; acme:Mine names it',
        'the mixer "hilo" of own_acme 1.2 is not used: benchsuite has one of that name; acme:Mine names it',
        'the mixer "vague" of own_acme 1.2 is not used: "acme" is not of the form package.module:Class',
    ]
    assert entry("hilo").target == "benchsuite.mixers.hilo:HiLo"


def test_check_says_what_clashes(cli: Cli, searched: Path) -> None:
    package(searched / "site", "own_acme", "hilo = acme:Mine", {})
    (searched / "mine.yaml").write_text(SCENARIO.format(mixers="hilo"))
    code, out, err = cli("check", searched / "mine.yaml", "--pythonpath", searched / "site")
    assert (code, out) == (0, f"{searched}/mine.yaml: ok\n")
    assert err.startswith('the mixer "hilo" of own_acme 1.2 is not used: benchsuite has one of that name')


def test_check_build_names_each_mixer_that_cannot_be_had_once(cli: Cli, write: Write, searched: Path) -> None:
    good, bad = write(TOKENS), write(f"import no_such_thing\n{TOKENS}")
    scenario = SCENARIO.format(mixers=f"msa, '{good}:Mine', {{name: '{bad}:Mine', label: Bad}}")
    path = searched / "mine.yaml"
    path.write_text(scenario.replace("resolution: 64", "resolution: [64, 32]") + "measure: {threads: 1}\n")
    code, out, _ = cli("check", "--build", path, "--pythonpath", searched)
    assert code == 2
    assert out.splitlines() == [
        f"{path}: 4 of 6 cells build",
        f"{path}:3:{scenario.splitlines()[2].index(bad)}  sweep.mixer[2].name",
        f"  Bad  error: {bad}:Mine cannot be loaded: No module named 'no_such_thing'  (2 cells)",
        "1 problem",
    ]


def test_one_error_of_a_module_at_many_sizes_is_told_once_with_its_place(
    cli: Cli, write: Write, searched: Path
) -> None:
    source = TOKENS.replace("self.linear(x)", "self.linear(x.unflatten(1, size)[:, :, :, 1:])")
    entry = f"{{name: '{write(source)}:Mine', vary: {{width: [1, 2]}}}}"
    path = searched / "mine.yaml"
    path.write_text(SCENARIO.format(mixers=entry).replace("resolution: 64", "resolution: [64, 32]"))
    code, out, _ = cli("check", "--build", path, "--pythonpath", searched)
    assert code == 2
    head, place, message, end = out.splitlines()
    assert head == f"{path}: 0 of 4 cells build"
    assert place.startswith(f"{path}:3:")
    assert place.endswith("  sweep.mixer[0].name")
    assert message.startswith("  Mine width=1 and 1 more  error: mat1 and mat2 shapes cannot be multiplied")
    assert message.endswith("a whole network is subject: backbone (time: --network)  (4 cells)")
    assert end == "1 problem"


def test_a_name_that_is_nowhere_is_found_by_check_with_its_place_and_the_nearest(
    cli: Cli, write: Write, searched: Path
) -> None:
    path = searched / "mine.yaml"
    path.write_text(SCENARIO.format(mixers=f"msa, '{write(TOKENS)}:Mime'"))
    code, out, _ = cli("check", path)
    assert code == 2
    assert f"{path}:3:" in out
    assert 'has no "Mime"; did you mean "Mine"?' in out


def test_a_name_that_is_nowhere_costs_a_run_only_its_cells(cli: Cli, write: Write, searched: Path) -> None:
    """A gate runs one scenario on two revisions, one of which may lack a mixer."""
    path = searched / "mine.yaml"
    path.write_text(SCENARIO.format(mixers=f"msa, '{write(TOKENS)}:Mime'"))
    code, out, _ = cli("run", "--dry-run", path)
    assert code == 0
    assert 'has no class "Mime"; did you mean "Mine"?' in out


def test_an_expected_error_is_no_failure_of_check(cli: Cli, write: Write, searched: Path) -> None:
    path = searched / "mine.yaml"
    rule = "expect: [{where: mixer=Bad, status: error, reason: planted}]\n"
    bad = write(f"import no_such_thing\n{TOKENS}")
    path.write_text(SCENARIO.format(mixers=f"{{name: '{bad}:Mine', label: Bad}}") + rule)
    assert cli("check", "--build", path, "--pythonpath", searched)[0] == 0


def test_check_build_points_at_the_entry_of_a_cell_among_several_of_one_name(
    cli: Cli, write: Write, searched: Path
) -> None:
    refusing = write(TOKENS.replace("assert", "if True: raise ValueError('not here')\n        assert"))
    broken = write(TOKENS.replace("self.linear(x)", "self.linear(x[..., 1:])"))
    path = searched / "mine.yaml"
    path.write_text(
        "name: mine\ntitle: Mine\nsubject: backbone\nsweep:\n  resolution: 32\n  backbone:\n"
        "    - {name: mixer_s32, label: Own}\n"
        f"    - {{name: mixer_s32, label: A, mixer: {{all: '{refusing}:Mine'}}}}\n"
        f"    - {{name: mixer_s32, label: B, mixer: {{all: '{broken}:Mine'}}}}\n"
    )
    code, out, _ = cli("check", "--build", path, "--pythonpath", searched)
    lines = out.splitlines()
    assert (code, lines[0], lines[-1]) == (2, f"{path}: 1 of 3 cells build", "1 problem")
    assert lines[1] == f"{path}:8:14  sweep.backbone[1].name"
    assert lines[2].startswith("  A  unsupported: not here")
    assert lines[3] == f"{path}:9:14  sweep.backbone[2].name"
    assert lines[4].startswith("  B  error: mat1 and mat2")


def test_check_build_points_at_the_entry_that_lacks_an_argument(
    cli: Cli, write: Write, searched: Path
) -> None:
    own = f"{write(TOKENS.replace('width=2', 'width'))}:Mine"
    path = searched / "mine.yaml"
    mixers = f"\n  {{name: '{own}', label: A, params: {{width: 1}}}},\n  {{name: '{own}', label: B}}"
    path.write_text(SCENARIO.format(mixers=mixers))
    code, out, _ = cli("check", "--build", path, "--pythonpath", searched)
    place, message, _ = out.splitlines()
    assert (code, place) == (2, f"{path}:5:10  sweep.mixer[1].name")
    assert message.startswith(f"  B ({own}): missing a required argument: 'width'")


@pytest.mark.parametrize("command", [["run"], ["check"], ["check", "--build"]])
def test_a_folder_that_is_not_there_is_bad_input(cli: Cli, command: list[str]) -> None:
    code, _, err = cli(*command, "hilo", "--pythonpath", "nowhere")
    assert (code, err) == (2, "--pythonpath nowhere: no such folder\n")


@pytest.mark.slow
def test_the_example_of_the_docs_runs_and_resumes_with_the_folder_it_began_with(
    cli: Cli, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    example = "examples/own_mixer/own_mixer.yaml"
    page = (repository / "docs" / "adding-a-mixer.md").read_text()
    command = f"benchsuite run {example} --pythonpath examples/own_mixer"
    assert command in page
    words = [
        *command.split()[1:],
        "--profile",
        "quick",
        "--set",
        "measure.threads=1",
        "--out",
        str(tmp_path / "r"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "benchsuite", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    records = tmp_path / "r" / RECORDS
    labels = [record.cell.name for record in read_run(tmp_path / "r").records]
    assert labels == ["msa", "pooling", "Shift distance=1", "Shift distance=2"]

    records.write_text("".join(records.read_text().splitlines(keepends=True)[:-1]))
    threads = torch.get_num_threads()
    code, _, err = cli("run", "--resume", tmp_path / "r", "--executor", "inline", "-q")
    torch.set_num_threads(threads)
    assert (code, err) == (0, "")
    after = read_run(tmp_path / "r")
    assert [record.status for record in after.records] == ["ok"] * 4
    assert after.scenario["run"]["pythonpath"] == [str(Path("examples/own_mixer").resolve())]


@pytest.mark.slow
def test_the_example_of_networks_builds(cli: Cli, repository: Path) -> None:
    folder = repository / "examples" / "own_network"
    page = (repository / "docs" / "adding-a-mixer.md").read_text()
    for line in (folder / "own_network.yaml").read_text().splitlines():
        assert line in page or not line.startswith("    - ")
    code, out, _ = cli("check", "--build", folder / "own_network.yaml", "--pythonpath", folder)
    assert (code, out) == (0, f"{folder}/own_network.yaml: ok, 10 of 10 cells build\n")


def test_the_class_that_the_docs_show_is_the_one_of_the_example(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = (repository / "docs" / "adding-a-mixer.md").read_text().split("```python\n")[1].split("```")[0]
    shown = {"torch": torch, "nn": torch.nn, "Tensor": torch.Tensor}
    exec(block, shown)
    monkeypatch.setattr(sys, "path", [str(repository / "examples" / "own_mixer"), *sys.path])
    ours, theirs = mixer_class("shift_mixer:ShiftMixer")(8, distance=2), shown["ShiftMixer"](8, distance=2)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 15, 8)
    assert torch.equal(ours(x, (3, 5)), theirs(x, (3, 5)))


def test_a_run_goes_on_past_a_mixer_that_cannot_be_had(cli: Cli, write: Write, searched: Path) -> None:
    path = searched / "mine.yaml"
    module = write(f"raise OSError(5, 'no licence')\n{TOKENS}")
    bad = f"{module}:Mine"
    measure = "measure: {warmup_s: 0, min_samples: 2, max_samples: 2, rounds: 1, ceilings: false}\n"
    path.write_text(SCENARIO.format(mixers=f"{{name: '{bad}', label: Bad}}, msa") + measure)
    code, _, err = cli("run", path, "--executor", "inline", "-q", "--device", "cpu", "--out", searched / "r")
    assert code == 3
    assert "1 of 2 cells failed unexpectedly:" in err
    lines = (searched / "r" / RECORDS).read_text().splitlines()
    first, second = (json.loads(line) for line in lines)
    assert (first["status"], first["failure"]["kind"], second["status"]) == ("error", "OSError", "ok")
    assert first["failure"]["message"] == f"{bad} cannot be loaded: [Errno 5] no licence"


def test_check_and_list_of_a_packages_mixer_import_neither_it_nor_torch(
    tmp_path: Path, repository: Path
) -> None:
    package(
        tmp_path,
        "acme",
        "acme_mixer = acme.attention:Mine",
        {"acme/__init__.py": "raise RuntimeError", "acme/attention.py": TOKENS},
    )
    (tmp_path / "mine.yaml").write_text(SCENARIO.format(mixers="{name: acme_mixer, params: {width: 3}}"))
    code = (
        "import sys\nfrom benchsuite.cli import app\n"
        "for words in (['check', sys.argv[1]], ['list', 'mixers'], ['show', 'mixer', 'acme_mixer']):\n"
        "    app(words, standalone_mode=False)\n"
        "sys.exit(bool({'torch', 'acme'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "mine.yaml")],
        cwd=repository, env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path}/mine.yaml: ok" in done.stdout
    assert "package   acme 1.2" in done.stdout
