"""ResNet against its formulas, ACmix-ResNet against the zoo's bottleneck, and their counts."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.backbones import resnet
from benchsuite.backbones.resnet import PORTS, ResNet, ResNetConfig
from benchsuite.measurement.macs import count_cost
from benchsuite.mixers.acmix import ACmixBottleneck
from benchsuite.results.record import Cost

ACMIX_DEPTHS = {
    "acmix_resnet26": (1, 2, 4, 1),
    "acmix_resnet38": (2, 3, 5, 2),
    "acmix_resnet50": (3, 4, 6, 3),
}
WIDTHS = (64, 128, 256, 512)


def randomised(network: nn.Module) -> Any:
    torch.manual_seed(0)
    for name, tensor in network.state_dict().items():
        if "running_var" in name:
            tensor.copy_(torch.rand_like(tensor) + 0.5)
        elif "num_batches" not in name:
            tensor.copy_(torch.randn_like(tensor) / max(1, tensor[0].numel()) ** 0.5)
    return network.eval()


def by_hand(s: dict[str, Tensor], x: Tensor, depths: tuple[int, ...]) -> Tensor:
    """ResNet on torchvision's names."""

    def conv_norm(conv: str, norm: str, x: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
        x = F.conv2d(x, s[f"{conv}.weight"], stride=stride, padding=padding)
        scale = s[f"{norm}.weight"] / (s[f"{norm}.running_var"] + 1e-5).sqrt()
        shift = s[f"{norm}.bias"] - s[f"{norm}.running_mean"] * scale
        return x * scale[:, None, None] + shift[:, None, None]

    x = F.max_pool2d(F.relu(conv_norm("conv1", "bn1", x, 2, 3)), 3, stride=2, padding=1)
    for stage, depth in enumerate(depths, 1):
        for block in range(depth):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            y = F.relu(conv_norm(f"{name}.conv1", f"{name}.bn1", x))
            y = F.relu(conv_norm(f"{name}.conv2", f"{name}.bn2", y, stride, 1))
            y = conv_norm(f"{name}.conv3", f"{name}.bn3", y)
            if block == 0:
                x = conv_norm(f"{name}.downsample.0", f"{name}.downsample.1", x, stride)
            x = F.relu(x + y)
    return F.linear(F.adaptive_avg_pool2d(x, 1).flatten(1), s["fc.weight"], s["fc.bias"])


def test_torchvisions_names_and_formulas_are_ours() -> None:
    depths = (1, 2, 1, 1)
    network = randomised(ResNet(ResNetConfig(depths), num_classes=7).double())
    x = torch.randn(2, 3, 64, 96, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(network(x), by_hand(network.state_dict(), x, depths), rtol=1e-8, atol=1e-8)


def test_images_may_have_any_size_where_there_are_convolutions_only() -> None:
    network = ResNet(ResNetConfig((1, 1, 1, 1)), num_classes=5, resolution=224).eval()
    assert network(torch.randn(1, 3, 75, 50)).shape == (1, 5)


def test_mixers_are_made_for_the_grids_that_an_odd_resolution_has() -> None:
    network: Any = ResNet(
        ResNetConfig((1, 1, 1, 2)), num_classes=5, resolution=(75, 50), mixer={"all": "token_mlp"}
    )
    assert network.eval()(torch.randn(1, 3, 75, 50)).shape == (1, 5)
    tokens = [network.layer1[0].conv2.tokens, network.layer4[1].conv2.tokens]
    tokens += [stage[0].conv2.mixer.tokens for stage in (network.layer2, network.layer3, network.layer4)]
    assert tokens == [19 * 13, 3 * 2, 19 * 13, 10 * 7, 5 * 4]  # a strided block mixes, and then pools


@pytest.mark.parametrize("kernel", ["math", "sdpa"])
def test_acmix_resnet_is_made_of_the_zoos_bottlenecks(kernel: str) -> None:
    network = randomised(
        ResNet(ResNetConfig((1, 2, 1, 1), mixer="acmix"), num_classes=7, resolution=128, kernel=kernel)
    )
    x = torch.randn(1, 3, 128, 128)
    with torch.no_grad():
        expected = network.maxpool(network.bn1(network.conv1(x)).relu())
        for dim, width, stage in zip(
            (64, 256, 512, 1024), WIDTHS, list(network.children())[3:7], strict=True
        ):
            for number, block in enumerate(stage):
                stride = 2 if number == 0 and width > 64 else 1
                zoo = ACmixBottleneck(dim, width=width, stride=stride)
                zoo.load_state_dict(block.state_dict())
                expected, dim = zoo.eval()(expected), 4 * width
        expected = network.fc(expected.mean(dim=(2, 3)))
        torch.testing.assert_close(network(x), expected, rtol=1e-4, atol=1e-4)


def test_the_authors_weights_of_an_acmix_resnet_are_stacked_block_by_block() -> None:
    port = PORTS["ResNet"]
    authors = {"layers": [1, 2, 1, 1], "num_classes": 7, "head": 8, "k_att": 5}
    with torch.device("meta"):
        network = port.network(**port.arguments(authors))
    ours = {n: torch.randn(t.shape) for n, t in network.state_dict().items() if "num_batches" not in n}
    theirs: dict[str, Tensor] = {}
    for name, tensor in ours.items():
        if ".conv2.qkv." in name:  # queries, keys and values are three layers of theirs
            for number, part in enumerate(tensor.chunk(3), 1):
                theirs[name.replace("qkv", f"conv{number}")] = part
        else:
            theirs[name.replace(".conv2.conv.", ".conv2.")] = tensor
    assert "layer2.1.conv2.conv3.bias" in theirs
    assert "layer4.0.conv2.dep_conv.weight" in theirs
    loaded = port.load(authors, theirs)
    assert {n for n, t in loaded.state_dict().items() if n in ours and not torch.equal(t, ours[n])} == set()
    assert {block.conv2.num_heads for block in loaded.layer2} == {8}
    assert {block.conv2.kernel_size for block in loaded.layer2} == {5}


def bottlenecks(depths: tuple[int, ...], mixer_params: Any, mixer_macs: Any) -> tuple[int, int]:
    """Parameters and multiply–adds of all bottlenecks at 224, with those of what mixes given."""
    params = macs = 0
    dim, side = 64, 56
    for depth, width, stage_side in zip(depths, WIDTHS, (56, 28, 14, 7), strict=True):
        for block in range(depth):
            n, m = side**2, stage_side**2
            params += dim * width + 4 * width**2 + 12 * width + mixer_params(width)
            macs += n * dim * width + mixer_macs(width, n, m) + m * 4 * width**2
            if block == 0:
                params += 4 * dim * width + 8 * width
                macs += m * 4 * dim * width
            dim, side = 4 * width, stage_side
    return params, macs


STEM = (147 * 64 + 128, 112**2 * 147 * 64)
HEAD = (2049 * 1000, 2048 * 1000)


def test_counts_of_resnet_50_are_those_of_the_closed_form() -> None:
    params, macs = bottlenecks((3, 4, 6, 3), lambda c: 9 * c * c, lambda c, n, m: 9 * m * c * c)
    cost = cost_of("resnet50")
    assert cost.params == STEM[0] + params + HEAD[0] == 25_557_032  # as torchvision's
    assert cost.macs == STEM[1] + macs + HEAD[1]
    assert round((cost.macs + cost.other_ops["norm"]) / 1e9, 2) == 4.11  # as timm prints, which counts norms


def acmix_params(c: int) -> int:
    projections, position, rates = 3 * c * c + 3 * c, 3 * c // 4, 2
    return projections + position + rates + 12 * 9 + 81 * c


def acmix_macs(c: int, n: int, m: int) -> int:
    return 3 * n * c * c + 2 * n * c // 4 + 2 * m * 49 * c + 27 * n * c + 81 * m * c


@pytest.mark.parametrize("name", ACMIX_DEPTHS)
def test_counts_of_acmix_resnets_are_those_of_the_closed_form(name: str) -> None:
    params, macs = bottlenecks(ACMIX_DEPTHS[name], acmix_params, acmix_macs)
    cost = cost_of(name)
    assert cost.params == STEM[0] + params + HEAD[0]
    assert cost.macs == STEM[1] + macs + HEAD[1]
    assert not cost.uncounted


@pytest.mark.parametrize(
    ("name", "millions", "giga"),
    [("acmix_resnet26", 10.6, 2.3), ("acmix_resnet38", 14.6, 2.9), ("acmix_resnet50", 18.6, 3.6)],
)
def test_the_authors_print_what_the_shifts_would_make_if_counted_twice(
    name: str, millions: float, giga: float
) -> None:
    params, macs = bottlenecks(
        ACMIX_DEPTHS[name],
        lambda c: acmix_params(c) + 81 * c,
        lambda c, n, m: acmix_macs(c, n, m) + 81 * m * c,
    )
    assert round((STEM[0] + params + HEAD[0]) / 1e6, 1) == millions
    assert round((STEM[1] + macs + HEAD[1]) / 1e9, 1) == giga


def test_acmix_put_into_resnet_50_makes_acmix_resnet_50() -> None:
    with torch.device("meta"):
        swapped = resnet.resnet50(mixer={"all": "acmix"}).state_dict()
        ours = resnet.acmix_resnet50().state_dict()
    assert {name: t.shape for name, t in swapped.items()} == {name: t.shape for name, t in ours.items()}


@pytest.mark.parametrize("choice", ["involution", "dwconv", "msa", "nat", "bottleneck_attention"])
def test_mixers_of_every_layout_with_and_without_strides_can_be_put_in(choice: str) -> None:
    mixer = {"stage2": choice, "stage3": choice}
    network = ResNet(ResNetConfig((1, 1, 1, 1)), num_classes=5, resolution=112, mixer=mixer)
    assert network.eval()(torch.randn(1, 3, 112, 112)).shape == (1, 5)


def test_what_does_not_fit_is_refused_with_its_stage() -> None:
    with pytest.raises(ValueError, match="stage4: mixer 'acmix' cannot mix 512 channels of a 3 × 3 grid"):
        resnet.resnet50(resolution=96, mixer={"stage4": "acmix"})  # 3 × 3 cannot be reflected by 3
    with pytest.raises(ValueError, match="ResNet has no mixer that runs on kernel 'sdpa'"):
        resnet.resnet50(kernel="sdpa")


@functools.cache
def cost_of(name: str) -> Cost:
    with torch.device("meta"):
        return count_cost(getattr(resnet, name)(), (torch.empty(1, 3, 224, 224),))
