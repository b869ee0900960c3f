"""What every row of MIXERS must do.

A new row is tested at once; it needs a line here only for options without which it cannot be built.
"""

from __future__ import annotations

import copy
import importlib
import inspect
import re
import sys
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchsuite.mixers import BLOCKS, MIXERS, Relation
from benchsuite.mixers._attention import ALL_KERNELS

DIM, NUM_HEADS, SIZE = 32, 4, (14, 28)

EXAMPLE: dict[str, dict[str, Any]] = {
    "halo": {"block_size": 7},
}
"""Options without which a mixer cannot be built or run on the grid above, which all are given."""

VARIANTS: dict[str, dict[str, Any]] = {
    "window shifted": {"shift_size": 3},
    "window padded": {"window_size": 5, "shift_size": 2, "pad": True},
    "hilo padded": {"window_size": 3, "pad": True},
    "performer relu": {"feature_map": "relu"},
    "acmix tensor": {"shift": "tensor"},
    "acmix sdpa": {"kernel": "sdpa"},
    "acmix_swin shifted": {"shift_size": 3},
    "acmix_swin padded": {"window_size": 5, "shift_size": 2, "pad": True},
    "acmix_sra odd": {"sr_ratio": 4},
    "outlook strided": {"stride": 2},
    "nat dilated": {"kernel_size": 3, "dilation": 4},
    "nat sdpa dilated": {"kernel": "sdpa", "kernel_size": 3, "dilation": 3},
    "halo scaled": {"block_size": 7, "scale_pos": True},
    "davit_window five": {"window_size": 5},
    "dwconv shared": {"groups": 4, "bias": False},
    "idynamic_dwconv small": {"groups": 4, "kernel_size": 3},
    "cb_msa class": {"scaled": True, "context": "class"},
    "uniform_msa compensated": {"uniform": "compensated"},
    "uniform_msa parallel": {"uniform": "parallel"},
    "se max": {"add_maxpool": True},
    "ge mlp": {"extent": 2, "use_mlp": True},
    "focal shifted": {"shift_size": 3, "focal_level": 3, "pool_method": "conv"},
    "focal padded": {"window_size": 5, "pool_method": "mean", "focal_level": 3, "expand_size": 2},
    "focal max": {"pool_method": "max", "expand_size": 0},
    "quadtree A": {"variant": "A"},
    "linformer shared": {"share_kv": "all", "one_kv_head": True},
    "linformer rows": {"share_kv": "rows"},
    "gnconv global": {"global_filter": True},
    "cswin padded": {"split_size": 3, "pad": True},
    "cswin whole": {"whole": True},
    "dat log_cpb": {"position": "log_cpb", "stride": 2},
    "dat dwc": {"position": "dwc", "offset_range_factor": -1.0},
    "dat early": {"early": True, "num_groups": 4},
    "dat_pyramid strided": {"sr_ratio": 3},
    "swinv2_window_attention shifted": {"shift_size": 3},
    "swinv2_window_attention padded": {"window_size": 5, "shift_size": 2, "pad": True},
    "focalnet_modulation normed": {"post_norm": True, "normalize_modulator": True, "focal_level": 3},
    "maxvit_grid_attention tf": {"rel_pos": "bias_tf", "head_first": False, "window_size": (2, 7)},
    "biformer_bra soft": {"soft_routing": True, "diff_routing": True, "param_routing": True, "qk_dim": 16},
    "biformer_bra padded": {"n_win": 5, "pad": True, "side_dwconv": 0},
    "bottleneck_attention scaled": {"scale_pos_embed": True, "qkv_bias": True, "qk_ratio": 0.5},
    "lambda_layer global": {"r": None},
    "separable global": {"patch_size": 1},
    "afno truncated": {"hard_thresholding_fraction": 0.03, "num_blocks": 4, "mlp_ratio": 2},
    "cascaded_group kernels": {"kernel_sizes": (7, 5, 3, 1), "key_dim": 8},
}
"""Options that take another path through the same class; the first word is the mixer."""

DIFFERENTIABLE: dict[str, dict[str, Any]] = {
    # By default the stabiliser is detached as the authors do, so the gradient is not quite the derivative.
    "performer": {"stabiliser": "batch"},
}
"""Options under which the output is differentiable as a whole."""

NO_PARAMETERS = {"cb", "fnet", "pooling"}
"""Mixers that have nothing to learn."""

ONE_OF_A_KIND = [
    "msa",
    "hilo",
    "window shifted",
    "sra",
    "performer",
    "nat sdpa dilated",
    "dwconv",
    "se",
    "token_mlp",
    "gfnet",
    "pooling",
]
"""Attention to all, to two scales, in windows, to fewer keys, to features and to neighbours; a convolution, a
gate, an MLP over tokens, a Fourier transform, a mean."""

each_mixer = pytest.mark.parametrize("name", [*MIXERS, *VARIANTS])
each_that_learns = pytest.mark.parametrize(
    "name", [n for n in (*MIXERS, *VARIANTS) if n not in NO_PARAMETERS]
)


def mixer_of(name: str) -> str:
    return name.partition(" ")[0]


def mixer_class(name: str) -> Any:
    module, _, cls = MIXERS[mixer_of(name)].partition(":")
    return getattr(importlib.import_module(module), cls)


def make(name: str, **options: Any) -> Any:
    cls = mixer_class(name)
    accepted = inspect.signature(cls).parameters
    wanted = (
        {"dim": DIM, "num_heads": NUM_HEADS, "grid": SIZE}
        | EXAMPLE.get(mixer_of(name), {})
        | VARIANTS.get(name, {})
        | options
    )
    torch.manual_seed(0)
    return cls(**{key: value for key, value in wanted.items() if key in accepted})


def make_input(name: str, batch: int = 2, **how: Any) -> Tensor:
    height, width = SIZE
    shapes = {
        "BNC": (batch, height * width, DIM),
        "NCHW": (batch, DIM, height, width),
        "NHWC": (batch, height, width, DIM),
    }
    torch.manual_seed(1)
    return torch.randn(shapes[mixer_class(name).layout], **how)


def apply(module: nn.Module, x: Tensor) -> Tensor:
    out: Tensor = module(x, SIZE) if module.layout == "BNC" else module(x)
    return out


def parameters_of(name: str) -> set[str]:
    return set(inspect.signature(mixer_class(name)).parameters)


@each_mixer
def test_layout_and_kernels_are_declared_on_the_class(name: str) -> None:
    cls = mixer_class(name)
    assert cls.layout in {"BNC", "NCHW", "NHWC"}
    assert cls.kernels[0] == "math"
    assert set(cls.kernels) <= set(ALL_KERNELS)
    assert isinstance(cls.relation, Relation)


@each_mixer
def test_options_are_keywords_only(name: str) -> None:
    for parameter in inspect.signature(mixer_class(name)).parameters.values():
        assert parameter.name in {"dim", "num_heads"} or parameter.kind is parameter.KEYWORD_ONLY


@pytest.mark.parametrize("target", [*MIXERS.values(), *BLOCKS.values()])
def test_every_argument_is_explained(target: str) -> None:
    module, _, name = target.partition(":")
    cls = getattr(importlib.import_module(module), name)
    _, _, section = inspect.cleandoc(cls.__doc__ or "").partition("\nArgs:\n")
    entries = re.findall(r"^    ([\w, ]+): ", section.partition("\n\n")[0], re.MULTILINE)
    assert {word for entry in entries for word in entry.split(", ")} == set(inspect.signature(cls).parameters)


@each_mixer
def test_the_docstring_of_the_file_names_paper_and_reference(name: str) -> None:
    doc = sys.modules[mixer_class(name).__module__].__doc__
    assert doc is not None
    assert "arXiv:" in doc
    assert "Reference: " in doc


@each_mixer
def test_ports_lead_to_a_class_of_the_same_file(name: str) -> None:
    module = sys.modules[mixer_class(name).__module__]
    zoo = MIXERS | BLOCKS
    assert all(
        zoo[port.mixer].startswith(f"{module.__name__}:") for port in getattr(module, "PORTS", {}).values()
    )


@each_mixer
@pytest.mark.parametrize("batch", [1, 3])
def test_shape_and_dtype_are_kept_on_a_grid_that_is_not_square(name: str, batch: int) -> None:
    x = make_input(name, batch)
    out = apply(make(name).eval(), x)  # batch norm of pooled maps does not train on a single image
    assert out.shape == x.shape
    assert out.dtype == x.dtype
    assert out.isfinite().all()


@each_mixer
def test_images_of_a_batch_do_not_see_each_other(name: str) -> None:
    module, x = make(name).eval(), make_input(name)
    alone = torch.cat([apply(module, image[None]) for image in x])
    torch.testing.assert_close(apply(module, x), alone)


@each_mixer
def test_the_input_is_not_changed(name: str) -> None:
    x = make_input(name)
    before = x.clone()
    apply(make(name), x)
    assert torch.equal(x, before)


@each_mixer
def test_gradients_reach_the_input_and_every_parameter(name: str) -> None:
    module, x = make(name), make_input(name).requires_grad_()
    out = apply(module, x)
    (out * torch.randn_like(out)).sum().backward()
    gradients = {"input": x.grad} | {key: parameter.grad for key, parameter in module.named_parameters()}
    dead = [key for key, gradient in gradients.items() if gradient is None or not gradient.any()]
    assert dead == []
    assert all(gradient.isfinite().all() for gradient in gradients.values())


@each_mixer
def test_gradients_are_the_derivative_in_double_precision(name: str) -> None:
    module = make(name, **DIFFERENTIABLE.get(name, {})).double().eval()
    x = make_input(name, 1, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: apply(module, x), x, fast_mode=True)


@each_mixer
def test_bfloat16_gives_about_the_same(name: str) -> None:
    module, x = make(name).eval(), make_input(name)
    exact = apply(module, x)
    half = apply(module.to(torch.bfloat16), x.bfloat16())
    assert half.dtype == torch.bfloat16
    assert (half.float() - exact).abs().max() < 0.1 * exact.abs().max()


@each_mixer
def test_it_is_built_and_run_on_meta(name: str) -> None:
    with torch.device("meta"):
        module = make(name)
    assert {tensor.device.type for tensor in module.state_dict().values()} <= {"meta"}
    out = apply(module, make_input(name, device="meta"))
    assert out.is_meta
    assert out.shape == make_input(name).shape


@each_mixer
def test_a_module_from_meta_works_once_it_has_weights(name: str) -> None:
    module, x = make(name).eval(), make_input(name)
    with torch.device("meta"):
        other = make(name).eval()
    apply(other, x.to("meta"))
    other.to_empty(device="cpu").load_state_dict(module.state_dict())
    assert torch.equal(apply(other, x), apply(module, x))


@each_that_learns
def test_the_state_dict_holds_all_that_decides_the_output(name: str) -> None:
    module, x = make(name).eval(), make_input(name)
    keys = set(module.state_dict())
    expected = apply(module, x)
    assert set(module.state_dict()) == keys  # nothing made on the way is kept
    other = make(name).eval()
    for parameter in other.parameters():
        nn.init.normal_(parameter)
    assert not torch.equal(apply(other, x), expected)
    other.load_state_dict(module.state_dict())
    assert torch.equal(apply(other, x), expected)


@each_that_learns
def test_a_deep_copy_is_independent_and_alike(name: str) -> None:
    module, x = make(name).eval(), make_input(name)
    expected = apply(module, x)
    other = copy.deepcopy(module)
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    assert torch.equal(apply(other, x), expected)


@each_that_learns
def test_it_trains_after_it_ran_in_inference_mode(name: str) -> None:
    # What a fused kernel saves for the backward pass must not stem from inference mode.
    kernel = "sdpa" if "sdpa" in mixer_class(name).kernels else "math"
    module, x = make(name, kernel=kernel), make_input(name)
    with torch.inference_mode():
        expected = apply(module, x)
    out = apply(module, x)
    out.backward(
        torch.ones_like(out)
    )  # the gradient of a sum has no strides, which old MKLs do not transform
    torch.testing.assert_close(out, expected)


@each_mixer
def test_dropout_acts_in_training_only(name: str) -> None:
    for option in parameters_of(name) & {"attn_drop", "proj_drop"}:
        module, x = make(name, **{option: 0.5}), make_input(name)
        assert not torch.equal(apply(module, x), apply(module, x))
        module.eval()
        assert torch.equal(apply(module, x), apply(module, x))
        assert torch.equal(apply(module, x), apply(make(name).eval(), x))


@each_mixer
def test_kernels_that_run_here_agree_with_math(name: str) -> None:
    x = make_input(name)
    expected = apply(make(name).eval(), x)
    ran = set()
    for kernel in mixer_class(name).kernels:
        if kernel == "compiled":  # takes long: test_compiled.py
            continue
        module = make(name, kernel=kernel).eval()
        try:
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch tells why a kernel cannot run
                out = apply(module, x)
        except RuntimeError as error:
            if not str(error).startswith(("No available kernel", "No viable backend")):
                raise
            continue
        ran.add(kernel)
        torch.testing.assert_close(out, expected)
    assert ran >= {"math", "sdpa"} & set(mixer_class(name).kernels)


@each_mixer
def test_an_unknown_kernel_is_refused_with_the_known_ones(name: str) -> None:
    if "kernel" not in parameters_of(name):
        assert mixer_class(name).kernels == ("math",)
        return
    known = ", ".join(mixer_class(name).kernels)
    with pytest.raises(ValueError, match=f"{mixer_of(name)} has no kernel 'mat'; it runs on {known}$"):
        make(name, kernel="mat")


@each_mixer
def test_heads_that_do_not_divide_the_channels_are_named(name: str) -> None:
    if "num_heads" not in parameters_of(name):
        return
    with pytest.raises(ValueError, match=r"^num_heads 5 does not divide dim 32$"):
        make(name, num_heads=5)


def assert_compiles(name: str, backend: str) -> None:
    """In one graph, eager's output, and what the first call makes and keeps must serve the next."""
    module, x = make(name).eval(), make_input(name)
    expected = apply(copy.deepcopy(module), x)
    torch._dynamo.reset()
    compiled = torch.compile(module, backend=backend, fullgraph=True, dynamic=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch, in its own compiler
        warnings.filterwarnings("ignore", message=".*code generation for complex")  # run as they are
        for _ in range(3):
            torch.testing.assert_close(apply(compiled, x), expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hilo", "window shifted"])
def test_it_compiles_into_one_graph_and_gives_the_same(name: str) -> None:
    assert_compiles(name, "aot_eager")


@pytest.mark.slow
@pytest.mark.compile
@each_mixer
def test_every_mixer_compiles_into_one_graph_and_gives_the_same(name: str) -> None:
    assert_compiles(name, "aot_eager")


@pytest.mark.slow
@pytest.mark.compile
@pytest.mark.parametrize("name", ONE_OF_A_KIND)
def test_one_mixer_of_a_kind_gives_the_same_in_the_code_of_inductor(name: str) -> None:
    assert_compiles(name, "inductor")
