"""SAN's two kinds of attention and its bottleneck against explicit loops over positions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchsuite.mixers.san import PORTS, PairwiseAttention, PatchwiseAttention, SANBottleneck

OPTIONS = pytest.mark.parametrize(
    ("kernel_size", "dilation", "share", "rel_dim"), [(3, 1, 4, 3), (5, 1, 2, 2), (3, 2, 8, 4), (1, 1, 1, 1)]
)


def random_weights(module: nn.Module) -> Any:
    """In double precision, running statistics included, in eval mode."""
    torch.manual_seed(0)
    module.double()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.running_mean)
            nn.init.uniform_(layer.running_var, 0.5, 2.0)
    return module.eval()


def network(layers: nn.Sequential, features: Tensor) -> Tensor:
    """(B, features) through norm, ReLU, linear, norm, ReLU, linear."""
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            features = (features - layer.running_mean) / (layer.running_var + 1e-5).sqrt()
            features = features * layer.weight + layer.bias
        elif isinstance(layer, nn.ReLU):
            features = features.clamp_min(0)
        else:
            features = features @ layer.weight[:, :, 0, 0].t() + (0 if layer.bias is None else layer.bias)
    return features


def inside(at: int, side: int) -> int:
    at = -at if at < 0 else at
    return 2 * (side - 1) - at if at >= side else at


def by_loops(
    module: PairwiseAttention | PatchwiseAttention, x: Tensor, dilation: int, stride: int = 1
) -> Tensor:
    batch, _, height, width = x.shape
    k, channels = module.kernel_size, module.dim_out // module.share
    center, around, values = module.conv1(x), module.conv2(x), module.conv3(x)
    out = torch.zeros_like(values)

    def place(y: int, x_: int) -> Tensor:
        at = torch.tensor([2 * x_ / (width - 1) - 1, 2 * y / (height - 1) - 1], dtype=x.dtype)
        return module.conv_p.weight[:, :, 0, 0] @ at + module.conv_p.bias

    for y in range(height):
        for x_ in range(width):
            spots = [
                (inside(y + dilation * i, height), inside(x_ + dilation * j, width))
                for i in range(-(k // 2), k // 2 + 1)
                for j in range(-(k // 2), k // 2 + 1)
            ]
            if isinstance(module, PairwiseAttention):
                pairs = [
                    torch.cat(
                        [
                            center[:, :, y, x_] - around[:, :, at[0], at[1]],
                            (place(y, x_) - place(*at)).expand(batch, 2),
                        ],
                        dim=1,
                    )
                    for at in spots
                ]
                weights = torch.stack([network(module.conv_w, pair) for pair in pairs], dim=2).softmax(2)
            else:
                patch = torch.stack([around[:, :, at[0], at[1]] for at in spots], dim=2).flatten(1)
                flat = network(module.conv_w, torch.cat([center[:, :, y, x_], patch], dim=1))
                weights = flat.reshape(batch, channels, k * k)
            for channel in range(module.dim_out):
                for number, at in enumerate(spots):
                    out[:, channel, y, x_] += (
                        weights[:, channel % channels, number] * values[:, channel, at[0], at[1]]
                    )
    return out[:, :, ::stride, ::stride]


@OPTIONS
@pytest.mark.parametrize("cls", [PairwiseAttention, PatchwiseAttention])
def test_it_is_the_weighted_sum_of_reflected_neighbours(
    cls: type[PairwiseAttention], kernel_size: int, dilation: int, share: int, rel_dim: int
) -> None:
    module = random_weights(
        cls(6, dim_out=8, rel_dim=rel_dim, share=share, kernel_size=kernel_size, dilation=dilation)
    )
    x = torch.randn(2, 6, 4, 5, dtype=torch.float64)
    torch.testing.assert_close(module(x), by_loops(module, x, dilation))


@pytest.mark.parametrize(("stride", "dilation", "size"), [(2, 1, (4, 6)), (2, 2, (5, 7)), (3, 1, (6, 5))])
def test_a_stride_leaves_out_positions_between(stride: int, dilation: int, size: tuple[int, int]) -> None:
    module = random_weights(PairwiseAttention(8, kernel_size=3, stride=stride, dilation=dilation))
    x = torch.randn(2, 8, *size, dtype=torch.float64)
    torch.testing.assert_close(module(x), by_loops(module, x, dilation, stride))


def test_weights_are_shared_in_strides_and_not_in_blocks() -> None:
    module = random_weights(PatchwiseAttention(8, share=4, kernel_size=3))
    with torch.no_grad():  # all of a position's values are 1, so the output is the sum of its weights
        module.conv3.weight.zero_()
        module.conv3.bias.fill_(1.0)
    out = module(torch.randn(1, 8, 4, 5, dtype=torch.float64))
    torch.testing.assert_close(out[:, :2], out[:, 2:4])
    assert not torch.allclose(out[:, 0], out[:, 1])


def test_pairwise_weights_sum_to_one_and_patchwise_weights_need_not() -> None:
    x = torch.randn(1, 8, 4, 5, dtype=torch.float64)
    sums = []
    for cls in (PairwiseAttention, PatchwiseAttention):
        module = random_weights(cls(8, kernel_size=3))
        with torch.no_grad():
            module.conv3.weight.zero_()
            module.conv3.bias.fill_(1.0)
        sums.append(module(x))
    torch.testing.assert_close(sums[0], torch.ones_like(sums[0]))
    assert (sums[1] - 1).abs().max() > 0.1


def test_in_training_the_norms_of_pairs_use_the_statistics_of_all_pairs() -> None:
    module = random_weights(PairwiseAttention(8, rel_dim=2, kernel_size=3)).train()
    x = torch.randn(2, 8, 4, 5, dtype=torch.float64)
    before = module.conv_w[0].running_mean.clone()
    module(x)
    center, around = module.conv1(x), torch.nn.functional.pad(module.conv2(x), (1,) * 4, mode="reflect")
    pairs = [center - around[..., i : i + 4, j : j + 5] for i in range(3) for j in range(3)]
    expected = 0.9 * before[:2] + 0.1 * torch.stack(pairs).mean(dim=(0, 1, 3, 4))
    torch.testing.assert_close(module.conv_w[0].running_mean[:2], expected)


@pytest.mark.parametrize("patchwise", [False, True])
def test_the_bottleneck_norms_first_and_adds_the_input(patchwise: bool) -> None:
    module = random_weights(
        SANBottleneck(16, patchwise=patchwise, mid_dim=8, rel_dim=2, share=4, kernel_size=3)
    )
    assert isinstance(module.sam, PatchwiseAttention if patchwise else PairwiseAttention)
    x = torch.randn(2, 16, 4, 5, dtype=torch.float64)

    def norm(bn: nn.BatchNorm2d, x: Tensor) -> Tensor:
        scaled = bn.weight / (bn.running_var + 1e-5).sqrt()
        return (x - bn.running_mean[:, None, None]) * scaled[:, None, None] + bn.bias[:, None, None]

    hidden = by_loops(module.sam, norm(module.bn1, x).clamp_min(0), 1)
    hidden = norm(module.bn2, hidden).clamp_min(0)
    weight, bias = module.conv.weight[:, :, 0, 0], module.conv.bias
    expected = x + torch.einsum("oc,bcyx->boyx", weight, hidden) + bias[:, None, None]
    before = x.clone()
    torch.testing.assert_close(module(x), expected)
    assert torch.equal(x, before)


def test_the_bottlenecks_port_reads_the_type_and_wants_a_residual() -> None:
    authors = {"sa_type": 1, "in_planes": 16, "rel_planes": 2, "mid_planes": 8, "out_planes": 16}
    ours = PORTS["san_bottleneck"].arguments(authors | {"share_planes": 4, "kernel_size": 3, "stride": 1})
    assert ours == {
        "dim": 16,
        "patchwise": True,
        "rel_dim": 2,
        "mid_dim": 8,
        "share": 4,
        "kernel_size": 3,
    }
    assert PORTS["san_bottleneck"].arguments(authors | {"sa_type": 0})["patchwise"] is False
    with pytest.raises(ValueError, match=r"^out_planes=8 is not supported; only in_planes=16 is$"):
        PORTS["san_bottleneck"].arguments(authors | {"out_planes": 8})


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^share 5 does not divide dim_out 8$"):
        PairwiseAttention(8, share=5)
    with pytest.raises(ValueError, match=r"^kernel_size 4 is not odd and positive$"):
        PatchwiseAttention(8, kernel_size=4)
    with pytest.raises(ValueError, match=r"^a 3 × 8 grid cannot be reflected by 3 tokens$"):
        PatchwiseAttention(8)(torch.zeros(1, 8, 3, 8))
    with pytest.raises(ValueError, match=r"^stride=2 is not supported; only stride=1 is$"):
        PORTS["san_patchwise"].arguments({"sa_type": 1, "in_planes": 8, "stride": 2})
    with pytest.raises(ValueError, match=r"^sa_type=1 is not supported; only sa_type=0 is$"):
        PORTS["san_pairwise"].arguments({"sa_type": 1, "in_planes": 8})
