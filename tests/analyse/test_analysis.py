"""What is read of real mixers: attention, learned scalars, and nothing where nobody asked."""

from __future__ import annotations

import importlib
import inspect
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import benchsuite.mixers
from benchsuite.analyse.analysis import (
    AnalysisSettings,
    analyse,
    cell_of,
    cells_of,
    path_weights,
    scale_statistics,
)
from benchsuite.analyse.attention import AttentionReader
from benchsuite.analyse.data import AttentionLayer
from benchsuite.analyse.geometry import READERS
from benchsuite.errors import UsageError
from benchsuite.mixers import MIXERS
from benchsuite.mixers.acmix import ACmix
from benchsuite.mixers.context_broadcast import ScaledContextBroadcast
from benchsuite.mixers.hilo import HiLo
from benchsuite.mixers.maxvit import GridAttention
from benchsuite.mixers.msa import MSA
from benchsuite.mixers.pvt import SpatialReductionAttention
from benchsuite.mixers.swin import WindowAttention
from benchsuite.parity.cases import read_cases
from benchsuite.parity.compare import counterpart_of
from tests.report.synthetic import make_record, make_run

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
SMALL = AnalysisSettings(resolution=(224, 224), images=1, dim=32, num_heads=4)


def read(module: nn.Module, *inputs: Any) -> list[AttentionLayer]:
    with torch.no_grad(), AttentionReader(module.eval()) as reader:
        module(*inputs)
    return reader.layers


def without_queries(module: MSA | HiLo) -> None:
    """Make all logits 0, so that attention is uniform."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if "qkv" in name or "l_q" in name:
                parameter.zero_()


def test_self_attention_without_queries_is_uniform_and_reaches_as_far_as_worked_by_hand() -> None:
    module = MSA(8, 2)
    without_queries(module)
    (layer,) = read(module, torch.randn(2, 9, 8), (3, 3))
    assert (layer.layer, layer.branch, layer.keys) == ("", "", 9)
    assert layer.entropy == pytest.approx((1, 1))
    assert layer.distance == pytest.approx((16 / 27, 16 / 27), abs=1e-6)


def test_a_class_token_is_a_key_of_the_entropy_and_has_no_place() -> None:
    module = MSA(8, 2)
    without_queries(module)
    with torch.no_grad(), AttentionReader(module, image=(32, 32)) as reader:
        module(torch.randn(1, 5, 8), (1, 5))
    (layer,) = reader.layers
    assert layer.entropy == pytest.approx((1, 1))
    assert layer.distance == pytest.approx(
        (4 * 0.5 / 5,) * 2
    )  # a fifth of the weight goes to the class token


def test_both_branches_of_hilo_are_read_and_lofi_keys_lie_at_the_centres_of_their_windows() -> None:
    module = HiLo(8, 2, window_size=2)
    without_queries(module)
    hifi, lofi = read(module, torch.randn(1, 16, 8), (4, 4))
    assert (hifi.branch, hifi.keys, lofi.branch, lofi.keys) == ("Hi-Fi", 4, "Lo-Fi", 4)
    assert hifi.distance == pytest.approx((0.25,))  # two by two of tokens a quarter wide
    # Along an axis a query at 1/8 sees keys at 2/8 and 6/8: (1 + 5) / 2 eighths; one at 3/8: (1 + 3) / 2.
    assert lofi.distance == pytest.approx((2 * (3 + 2) / 2 / 8,))


def test_hilo_of_single_tokens_is_self_attention() -> None:
    (layer,) = read(HiLo(8, 2, window_size=1), torch.randn(1, 9, 8), (3, 3))
    assert (layer.branch, layer.keys) == ("Lo-Fi", 9)
    assert layer.distance is not None


def test_pooled_keys_without_pooling_are_the_tokens() -> None:
    (layer,) = read(SpatialReductionAttention(8, 2, sr_ratio=1), torch.randn(1, 9, 8), (3, 3))
    assert layer.keys == 9
    assert layer.distance is not None


def test_windows_are_near_and_dilated_ones_far() -> None:
    (near,) = read(WindowAttention(8, 2, window_size=2), torch.randn(1, 64, 8), (8, 8))
    (far,) = read(GridAttention(8, 2, window_size=2), torch.randn(1, 8, 8, 8))
    assert near.distance is not None
    assert far.distance is not None
    assert 4 * max(near.distance) == pytest.approx(max(far.distance), rel=0.2)


def test_nothing_is_recorded_outside_of_the_context() -> None:
    module = MSA(8, 2).eval()
    x = torch.randn(1, 9, 8)
    reader = AttentionReader(module)
    module(x, (3, 3))
    assert reader.layers == []
    with reader:
        module(x, (3, 3))
    assert len(reader.layers) == 1
    module(x, (3, 3))
    assert len(reader.layers) == 1
    assert not module._forward_hooks
    assert not module._forward_pre_hooks
    assert torch.overrides._len_torch_function_stack() == 0


def test_hooks_are_taken_off_after_an_error() -> None:
    module = MSA(8, 2)
    with pytest.raises(RuntimeError), AttentionReader(module):
        module(torch.randn(1, 9, 7), (3, 3))
    assert not module._forward_pre_hooks
    assert torch.overrides._len_torch_function_stack() == 0


def test_reading_changes_no_output() -> None:
    module = HiLo(8, 2).eval()
    x = torch.randn(1, 16, 8)
    with torch.no_grad():
        plain = module(x, (4, 4))
        with AttentionReader(module):
            read_output = module(x, (4, 4))
    assert plain.equal(read_output)


def test_mixers_know_nothing_of_their_analysis() -> None:
    for path in Path(inspect.getfile(benchsuite.mixers)).parent.glob("*.py"):
        assert "benchsuite.analyse" not in path.read_text(encoding="utf-8"), path.name


@pytest.mark.parametrize("name", READERS)
def test_every_reader_is_of_a_class_that_there_is(name: str) -> None:
    file, _, cls = name.partition(":")
    assert issubclass(getattr(importlib.import_module(f"benchsuite.mixers.{file}"), cls), nn.Module)


def test_every_mixer_can_be_looked_into() -> None:
    read_ones = set()
    for name in MIXERS:
        ask = replace(SMALL, params={"block_size": 7}) if name == "halo" else SMALL
        subject = analyse(cell_of(name, ask), ask)
        assert subject.field is not None or subject.notes, name
        for layer in subject.attention:
            read_ones.add(name)
            assert all(-1e-6 <= value <= 1 + 1e-5 for value in layer.entropy or ()), name
            assert all(0 <= value <= 2 for value in layer.distance or ()), name
            assert len(layer.entropy_nats) <= 4, name
    assert {"msa", "hilo", "window", "sra", "t_msa", "davit_channel", "acmix", "nat", "focal"} <= read_ones
    assert not {"performer", "quadtree", "gpsa", "dwconv", "lambda_layer"} & read_ones


def test_a_softmax_that_is_not_read_is_named() -> None:
    (note,) = analyse(cell_of("quadtree", SMALL), SMALL).notes
    assert "QuadTreeAttention" in note


def test_path_weights_are_what_was_set() -> None:
    module = nn.Sequential(ACmix(8, 2), nn.Identity(), ACmix(8, 2))
    with torch.no_grad():
        module[2].rate1.fill_(0.25)
        module[2].rate2.fill_(-2.0)
    first, second = path_weights(module)
    assert (first.layer, first.attention, first.convolution) == ("0", 0.5, 0.5)
    assert (second.layer, second.attention, second.convolution) == ("2", 0.25, -2.0)


def test_scale_statistics_are_those_of_what_was_set() -> None:
    module = ScaledContextBroadcast(11)
    (untrained,) = scale_statistics(module)
    assert (untrained.mean, untrained.std, untrained.ratio) == (0, 0, None)
    with torch.no_grad():
        module.lam.copy_(torch.arange(11.0).flip(0) - 5)  # −5 to 5: quantiles −4 and 4
    (found,) = scale_statistics(module)
    assert found.channels == 11
    assert (found.low, found.high, found.ratio) == pytest.approx((-4, 4, 1))  # torch 2.14: 3.9999998
    assert found.mean == pytest.approx(0)
    assert found.std == pytest.approx(math.sqrt(10))  # (11² − 1) / 12


@pytest.mark.parametrize("name", ["msa", "hilo_a0.5", "swin_pad_sw", "micro_pvt"])
def test_with_the_authors_weights_the_matrix_read_is_the_one_behind_their_output(name: str) -> None:
    case = next(case for case in read_cases(GOLDEN) if case.name == name)
    ours = counterpart_of(case)
    assert ours is not None
    module = ours.load(case, "math").eval()
    with torch.no_grad(), AttentionReader(module) as reader:
        output = ours.run(module, case.input, case.size)
    tolerance = case.output_tolerance
    torch.testing.assert_close(output, case.output, rtol=tolerance.rtol, atol=tolerance.atol)
    assert reader.layers
    assert all(0 < value < 1 for layer in reader.layers for value in layer.entropy or ())


def test_the_entropy_of_the_authors_self_attention_is_that_of_their_formula() -> None:
    case = next(case for case in read_cases(GOLDEN) if case.name == "msa")
    heads, dim = int(case.kwargs["num_heads"]), int(case.kwargs["dim"])
    batch, tokens, _ = case.input.shape
    qkv = case.input.double() @ case.state["qkv.weight"].double().T
    if "qkv.bias" in case.state:
        qkv = qkv + case.state["qkv.bias"]
    q, k, _ = qkv.reshape(batch, tokens, 3, heads, dim // heads).permute(2, 0, 3, 1, 4)
    logits = q @ k.transpose(-2, -1) / math.sqrt(dim // heads)
    log_p = logits.log_softmax(-1)
    wanted = -(log_p.exp() * log_p).sum(-1).mean(dim=(0, 2))
    ours = counterpart_of(case)
    assert ours is not None
    module = ours.load(case, "math").eval()
    with torch.no_grad(), AttentionReader(module) as reader:
        ours.run(module, case.input, case.size)
    assert reader.layers[0].entropy_nats == pytest.approx(wanted.tolist(), abs=2e-6)


def test_a_network_is_read_layer_by_layer() -> None:
    ask = AnalysisSettings(resolution=(64, 64), images=1)
    subject = analyse(cell_of("deit_ti_cbs", ask), ask)
    assert [layer.layer for layer in subject.attention] == [f"blocks.{i}.attn" for i in range(12)]
    assert {layer.keys for layer in subject.attention} == {17}
    assert all(layer.distance for layer in subject.attention)
    assert [scale.layer for scale in subject.scales] == [f"blocks.{i}.mlp.cb" for i in range(12)]
    assert subject.field is not None
    assert (subject.field.output, subject.field.unit, subject.field.grid) == (
        "the last block",
        "pixel",
        (64, 64),
    )
    assert (subject.kind, subject.weights.kind, subject.weights.seed) == ("network", "random", 0)
    assert json.loads(subject.model_dump_json())["inputs"] == "normal noise, seed 0"


def test_another_seed_gives_other_weights_and_the_same_seed_the_same() -> None:
    first, again = (analyse(cell_of("msa", SMALL), SMALL) for _ in range(2))
    other_ask = replace(SMALL, seed=1)
    assert first == again
    assert first.attention != analyse(cell_of("msa", other_ask), other_ask).attention


def test_an_unknown_name_is_met_with_the_nearest() -> None:
    with pytest.raises(
        UsageError, match=r'no run folder, mixer or network is called "hillo"; did you mean "hilo"\?'
    ):
        cell_of("hillo", SMALL)


def test_of_a_run_each_subject_is_looked_into_once_at_its_smallest_size_on_math_and_cpu() -> None:
    run = make_run(
        [
            make_record("a", resolution=448, kernel="sdpa"),
            make_record("a", resolution=224, kernel="sdpa"),
            make_record("b", resolution=448),
        ]
    )
    cells = cells_of(run, AnalysisSettings(images=3))
    assert [(c.name, c.resolution, c.kernel, c.device, c.dtype, c.batch) for c in cells] == [
        ("a", (224, 224), "math", "cpu", "fp32", 3),
        ("b", (448, 448), "math", "cpu", "fp32", 3),
    ]


def test_a_run_without_cells_has_nothing_to_analyse() -> None:
    with pytest.raises(UsageError, match="holds no cells to analyse"):
        cells_of(make_run([]), AnalysisSettings())
