"""Weights of a user: whose names they have, and what is said where they do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from benchsuite.analyse.analysis import AnalysisSettings, analyse, cell_of
from benchsuite.analyse.files import fill, read_state
from benchsuite.errors import UsageError
from benchsuite.mixers.msa import MSA
from benchsuite.parity.cases import read_cases
from benchsuite.worker.build import build

GOLDEN = Path(__file__).parents[1] / "data" / "golden"


def test_weights_under_our_own_names_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    source, module = MSA(8, 2), MSA(8, 2)
    save_file(source.state_dict(), path)
    weights = fill(module, "msa", "mixer", path)
    assert (weights.kind, weights.file, weights.mapping) == ("file", "w.safetensors", "benchsuite")
    assert len(weights.sha256) == 64
    assert module.qkv.weight.equal(source.qkv.weight)


@pytest.mark.parametrize("wrapper", [None, "model", "state_dict"])
def test_a_checkpoint_of_torch_is_unwrapped_and_parallel_prefixes_go(
    tmp_path: Path, wrapper: str | None
) -> None:
    path = tmp_path / "w.pth"
    state = {f"module.{name}": tensor for name, tensor in MSA(8, 2).state_dict().items()}
    torch.save(state if wrapper is None else {wrapper: state, "epoch": 3}, path)
    assert set(read_state(path)) == set(MSA(8, 2).state_dict())


def test_the_authors_weights_of_a_mixer_go_through_the_parity_mapping(tmp_path: Path) -> None:
    case = next(case for case in read_cases(GOLDEN) if case.name == "hilo_a0.5")
    path = tmp_path / "hilo.safetensors"
    save_file(dict(case.state), path)
    params = {name: case.kwargs[name] for name in ("window_size", "alpha", "qkv_bias") if name in case.kwargs}
    ask = AnalysisSettings(
        resolution=(64, 64),
        dim=case.kwargs["dim"],
        num_heads=case.kwargs["num_heads"],
        params={"qkv_bias": False} | params,
        weights=path,
    )
    module = build(cell_of("hilo", ask), "cpu").module
    weights = fill(module, "hilo", "mixer", path)
    height, width = case.size
    with torch.no_grad():
        output = module(case.input, (height, width))
    torch.testing.assert_close(
        output, case.output, rtol=case.output_tolerance.rtol, atol=case.output_tolerance.atol
    )
    subject = analyse(cell_of("hilo", ask), ask)
    assert subject.weights == weights
    assert subject.weights.kind == "file"


def test_the_authors_names_of_a_network_are_mapped(tmp_path: Path) -> None:
    path = tmp_path / "deit.pth"
    ask = AnalysisSettings(resolution=(64, 64), images=1)
    state = build(cell_of("deit_ti", ask), "cpu", seed=5).module.state_dict()
    theirs = {name.replace("patch_embed.", "patch_embed.proj."): tensor for name, tensor in state.items()}
    torch.save({"model": theirs}, path)
    module = build(cell_of("deit_ti", ask), "cpu").module
    assert fill(module, "deit_ti", "network", path).mapping == "dingmyu/davit:VisionTransformer"
    assert all(tensor.equal(state[name]) for name, tensor in module.state_dict().items())


def test_what_does_not_fit_is_named_with_its_shapes(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    state = MSA(8, 2).state_dict()
    state["qkv.weight"] = torch.zeros(30, 10)
    state["extra"] = state.pop("proj.bias")
    save_file(state, path)
    with pytest.raises(UsageError) as caught:
        fill(MSA(8, 2), "msa", "mixer", path)
    assert str(caught.value) == (
        f"{path}: does not fit msa; tried the names of benchsuite, msa. Under those of benchsuite:\n"
        "  missing: proj.bias\n"
        "  left over: extra\n"
        "  of another shape: qkv.weight (30, 10), wanted (24, 8)"
    )


def test_many_names_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({f"layer{i}": torch.zeros(1) for i in range(9)}, path)
    with pytest.raises(UsageError, match="left over: layer0, layer1, layer2, layer3, layer4 and 4 more"):
        fill(MSA(8, 2), "msa", "mixer", path)


class Payload:
    """Something that is no tensor."""


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save({"model": Payload()}, path)
    with pytest.raises(UsageError, match="holds more than tensors"):
        read_state(path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("absent.pth", None, "no such file of weights"),
        ("torn.safetensors", b"\x05", "cannot be read"),
        ("empty.pth", b"", "is no checkpoint"),
        ("text.pth", b"hello there", "is no checkpoint"),
    ],
)
def test_a_file_that_is_none_is_said_to_be(
    tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=said):
        read_state(tmp_path / name)


@pytest.mark.parametrize("content", [[torch.zeros(1)], {}, {"epoch": 3}])
def test_a_checkpoint_without_a_state_dict_is_said_to_have_none(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(UsageError, match="holds no state dict"):
        read_state(tmp_path / "w.pth")
