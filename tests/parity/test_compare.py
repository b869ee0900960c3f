"""What a comparison says when something is not as it should be."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchsuite.errors import DeviceError, UsageError
from benchsuite.parity.cases import read_cases
from benchsuite.parity.compare import ParityRow, check_folder
from benchsuite.parity.ports import find_port, load_authors_weights

DATA = Path(__file__).parents[1] / "data" / "golden"

Edit = Callable[[dict[str, Any], dict[str, Tensor]], object]


@pytest.fixture
def altered(tmp_path: Path) -> Callable[..., ParityRow]:
    """Compare a case after an edit of its description and tensors; the row of one kernel."""

    def compare(edit: Edit, *, name: str = "hilo_pad_a0.5_odd", kernel: str = "math") -> ParityRow:
        description = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
        tensors = load_file(DATA / f"{name}.safetensors")
        edit(description, tensors)
        (tmp_path / f"{name}.json").write_text(json.dumps(description), encoding="utf-8")
        save_file(tensors, tmp_path / f"{name}.safetensors")
        (row,) = check_folder(tmp_path, kernels=[kernel])
        return row

    return compare


def test_an_unaltered_case_is_ok(altered: Callable[..., ParityRow]) -> None:
    row = altered(lambda description, tensors: None)
    assert row.verdict == "ok"
    assert row.reason == ""
    assert row.output_error is not None
    assert row.output_allowed is not None
    assert row.output_error <= row.output_allowed
    assert row.grad_norms_compared == 10


def test_an_output_that_is_off_is_a_mismatch(altered: Callable[..., ParityRow]) -> None:
    row = altered(lambda description, tensors: tensors["output"][0, 3, 5].add_(0.25))
    assert row.verdict == "mismatch"
    assert row.reason == "output is off by up to 0.25"
    assert row.output_error == pytest.approx(0.25, rel=1e-3)
    assert row.output_allowed is not None
    assert row.output_allowed < 0.25


def test_a_gradient_that_is_off_is_a_mismatch(altered: Callable[..., ParityRow]) -> None:
    row = altered(lambda description, tensors: tensors["grad_input"][1, 0, 0].add_(0.5))
    assert row.verdict == "mismatch"
    assert row.reason == "gradient of the input is off by up to 0.5"


def test_a_gradient_of_a_weight_that_is_off_is_a_mismatch(altered: Callable[..., ParityRow]) -> None:
    def edit(description: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        description["param_grad_l2_norms"]["l_q.weight"] *= 2

    row = altered(edit)
    assert row.verdict == "mismatch"
    assert row.reason.startswith("gradient of l_q.weight has norm ")


def test_a_gradient_that_is_zero_but_for_rounding_is_not_compared(altered: Callable[..., ParityRow]) -> None:
    def edit(description: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        description["param_grad_l2_norms"]["l_q.weight"] *= 2
        description["params_with_zero_gradient_up_to_rounding"] = ["l_q.weight"]

    row = altered(edit)
    assert row.verdict == "ok"
    assert row.grad_norms_compared == 9


@pytest.mark.parametrize("tensor", ["output", "grad_input"])
def test_not_a_number_is_never_within_the_tolerance(altered: Callable[..., ParityRow], tensor: str) -> None:
    row = altered(lambda description, tensors: tensors[tensor][0, 0, 0].fill_(torch.nan))
    assert row.verdict == "mismatch"
    assert "off by up to nan" in row.reason


def test_a_missing_weight_is_a_mismatch_that_names_it(altered: Callable[..., ParityRow]) -> None:
    row = altered(lambda description, tensors: tensors.pop("param.l_q.bias"))
    assert row.verdict == "mismatch"
    assert row.reason.startswith("ours cannot be built from the case: ")
    assert 'Missing key(s) in state_dict: "l_q.bias"' in row.reason


def test_a_weight_that_ours_has_no_use_for_is_a_mismatch(altered: Callable[..., ParityRow]) -> None:
    row = altered(lambda description, tensors: tensors.update({"param.gamma": torch.ones(3)}))
    assert row.verdict == "mismatch"
    assert 'Unexpected key(s) in state_dict: "gamma"' in row.reason


def test_an_argument_that_ours_does_not_have_is_a_mismatch(altered: Callable[..., ParityRow]) -> None:
    row = altered(lambda description, tensors: description["kwargs"].update(qk_scale=0.5))
    assert row.verdict == "mismatch"
    assert row.reason == (
        "ours cannot be built from the case: qk_scale=0.5 is not supported; only qk_scale=None is"
    )


def test_a_grid_on_which_ours_does_not_run_is_a_mismatch(altered: Callable[..., ParityRow]) -> None:
    row = altered(lambda description, tensors: description.update(mixer="hilo"))
    assert row.verdict == "mismatch"
    assert row.reason == "ours does not run: window_size 2 does not divide the 7 × 9 grid"


def test_an_output_of_another_shape_is_a_mismatch(altered: Callable[..., ParityRow]) -> None:
    row = altered(lambda description, tensors: tensors.update(output=torch.zeros(2, 62, 32)))
    assert row.verdict == "mismatch"
    assert row.reason == "ours does not run: output is (2, 63, 32), the authors' (2, 62, 32)"


def test_a_mixer_without_a_port_is_unknown_and_named(altered: Callable[..., ParityRow]) -> None:
    row = altered(lambda description, tensors: description.update(mixer="quadtree_C"))
    assert (row.verdict, row.mixer, row.kernel) == ("unknown", "quadtree_C", None)
    assert row.reason == 'no mixer here is a port of "quadtree_C"'
    assert row.output_error is None


def test_a_network_without_a_port_is_unknown_and_named(altered: Callable[..., ParityRow]) -> None:
    def edit(description: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        description["source"]["repo"] = "https://github.com/someone/else"

    row = altered(edit, name="micro_pvt")
    assert (row.verdict, row.mixer, row.kernel) == ("unknown", "whole_model", None)
    assert row.reason == 'no network here is a port of "someone/else:PyramidVisionTransformer"'


def test_a_weight_of_a_network_that_is_off_is_a_mismatch(altered: Callable[..., ParityRow]) -> None:
    row = altered(lambda description, tensors: tensors["param.cls_token"].mul_(2.0), name="micro_pvt")
    assert row.verdict == "mismatch"
    assert row.reason.startswith("output is off by up to ")


def test_an_argument_that_our_network_does_not_have_is_a_mismatch(altered: Callable[..., ParityRow]) -> None:
    row = altered(lambda description, tensors: description["kwargs"].update(num_stages=3), name="micro_pvt")
    assert row.verdict == "mismatch"
    assert row.reason == (
        "ours cannot be built from the case: num_stages=3 is not supported; only num_stages=4 is"
    )


def test_a_kernel_that_no_mixer_of_the_network_has_is_unavailable(altered: Callable[..., ParityRow]) -> None:
    def edit(description: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        description["kwargs"]["num_stages"] = 3  # what cannot be built is taken to run on math alone

    row = altered(edit, name="micro_pvt", kernel="sdpa")
    assert (row.verdict, row.reason) == ("unavailable", "the network runs on math")


def test_a_kernel_that_the_mixer_lacks_is_unavailable(altered: Callable[..., ParityRow]) -> None:
    row = altered(lambda description, tensors: None, name="performer_hubhop", kernel="flash")
    assert (row.verdict, row.kernel) == ("unavailable", "flash")
    assert row.reason == "the mixer runs on math"


def test_a_kernel_that_the_device_lacks_is_unavailable(altered: Callable[..., ParityRow]) -> None:
    row = altered(lambda description, tensors: None, kernel="cudnn")
    assert row.verdict == "unavailable"
    assert row.reason.startswith("torch has no such kernel on cpu: No ")


def test_by_default_there_is_a_row_for_each_kernel_of_the_mixer() -> None:
    rows = list(check_folder(DATA))
    kernels = [row.kernel for row in rows if row.case == "msa"]
    assert kernels == ["math", "sdpa", "flash", "mem_efficient", "cudnn"]
    assert [row.kernel for row in rows if row.case == "performer_softmax"] == ["math"]


def test_a_row_reads_as_texts_with_missing_numbers_left_blank() -> None:
    row = ParityRow(
        case="a", mixer="b", kernel="math", output_error=1e-7, output_allowed=2.5e-5, verdict="ok", reason="c"
    )
    assert row.texts() == ("ok", "math", "1.0e-07", "2.5e-05", "", "", "a (b): c")
    assert ParityRow(case="a", mixer="a", verdict="unknown").texts() == ("unknown", "", "", "", "", "", "a")


def test_an_unknown_kernel_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^unknown attention kernel fast\n  allowed: math, sdpa, "):
        check_folder(DATA, kernels=["math", "fast"])


@pytest.mark.parametrize("device", ["abacus", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(DeviceError, match=f'^device "{device}" is not there: '):
        check_folder(DATA, device=device)


def test_a_comparison_leaves_torch_as_it_was() -> None:
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high")
    try:
        list(check_folder(DATA, kernels=["math"]))
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(before[0])
    assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32) == before


def test_a_port_is_found_by_the_name_of_the_authors_mixer() -> None:
    found = find_port("twins_gsa")
    assert found is not None
    assert found[0] == "gsa"
    assert found[1].__name__ == "GlobalSubSampledAttention"
    assert find_port("twins") is None


def test_authors_weights_load_for_any_kernel() -> None:
    (case,) = (case for case in read_cases(DATA) if case.name == "msa")
    module = load_authors_weights(case.mixer, case.kwargs, case.state, kernel="sdpa")
    torch.testing.assert_close(module(case.input, case.size), case.output, rtol=1e-4, atol=1e-4)


def test_weights_for_an_unknown_mixer_are_refused_with_the_nearest_name() -> None:
    message = re.escape('no port of an authors\' mixer "hilo_pad"; did you mean "hilo_padded"?\n  allowed: ')
    with pytest.raises(UsageError, match=f"^{message}.*, hilo, hilo_padded, "):
        load_authors_weights("hilo_pad", {}, {})
