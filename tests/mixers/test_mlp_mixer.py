"""Token mixing of MLP-Mixer, channel by channel, and the block around it."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from benchsuite.mixers.mlp_mixer import PORTS, MixerBlock, TokenMixingMLP

SIZE = (2, 3)


def tokens(scale: float = 1.0) -> Tensor:
    return scale * torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def gelu(x: Tensor) -> Tensor:
    return x * (1 + torch.erf(x / math.sqrt(2))) / 2


def test_each_channel_goes_through_the_same_perceptron() -> None:
    module, x = TokenMixingMLP(4, grid=SIZE, tokens_dim=5).double(), tokens()
    expected = torch.empty_like(x)
    for image in range(2):
        for channel in range(4):
            hidden = gelu(module.fc1.weight @ x[image, :, channel] + module.fc1.bias)
            expected[image, :, channel] = module.fc2.weight @ hidden + module.fc2.bias
    torch.testing.assert_close(module(x, SIZE), expected)


def test_channels_do_not_see_each_other_and_tokens_do() -> None:
    module, x = TokenMixingMLP(4, grid=SIZE).double(), tokens()
    other = x.clone()
    other[:, 1, 2] += 1
    changed = (module(other, SIZE) != module(x, SIZE)).any(dim=0)
    assert changed[:, 2].all()
    assert not changed[:, [0, 1, 3]].any()


def test_hidden_units_along_the_tokens_are_half_the_channels_by_default() -> None:
    assert TokenMixingMLP(10, grid=SIZE).fc1.weight.shape == (5, 6)
    assert MixerBlock(10, grid=SIZE).mlp_tokens.fc1.weight.shape == (5, 6)
    assert MixerBlock(10, grid=SIZE).mlp_channels.fc1.weight.shape == (40, 10)


def test_a_grid_of_as_many_tokens_will_do_and_no_other() -> None:
    module, x = TokenMixingMLP(4, grid=SIZE).double(), tokens()
    assert torch.equal(module(x, (6, 1)), module(x, SIZE))
    message = r"^token_mlp was built for 6 tokens, and a 2 × 2 grid has 4$"
    with pytest.raises(ValueError, match=message):
        module(x[:, :4], (2, 2))


@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_the_block_mixes_tokens_then_channels_each_with_a_norm_before_and_a_residual(scale: float) -> None:
    """On the smaller input, the epsilon of the norms decides: it is 1e-6."""
    torch.manual_seed(0)
    module, x = MixerBlock(4, grid=SIZE).double(), tokens(scale)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)

    def normed(x: Tensor, norm: torch.nn.LayerNorm) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        return norm.weight * centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt() + norm.bias

    fc1, fc2 = module.mlp_tokens.fc1, module.mlp_tokens.fc2
    mixed = fc2.weight @ gelu(fc1.weight @ normed(x, module.norm1) + fc1.bias[:, None]) + fc2.bias[:, None]
    middle = x + mixed
    fc1, fc2 = module.mlp_channels.fc1, module.mlp_channels.fc2
    hidden = gelu(normed(middle, module.norm2) @ fc1.weight.t() + fc1.bias)
    torch.testing.assert_close(module(x, SIZE), middle + hidden @ fc2.weight.t() + fc2.bias)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tokens_dim": 0}, r"^tokens_dim 0 is not positive$"),
        ({"grid": (0, 3)}, r"^there is no 0 × 3 grid$"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TokenMixingMLP(4, **options)


def test_the_ports_understand_the_authors_ratios() -> None:
    mixer, block = PORTS["mixer_token_mlp"].arguments, PORTS["mixer_block"].arguments
    assert mixer({"dim": 32, "seq_len": 49}) == {"dim": 32, "grid": (49, 1), "tokens_dim": 16}
    assert mixer({"dim": 32, "mlp_ratio": [0.25, 4.0]}) == {"dim": 32, "tokens_dim": 8}
    assert mixer({"dim": 32, "tokens_dim": 5, "drop": 0.1}) == {"dim": 32, "tokens_dim": 5, "proj_drop": 0.1}
    assert block({"dim": 8, "seq_len": 9, "mlp_ratio": 2}) == {"dim": 8, "grid": (9, 1), "mlp_ratio": (2, 2)}
    with pytest.raises(ValueError, match=r"^drop_path=0.1 is not supported; only drop_path=0.0 is$"):
        block({"dim": 8, "drop_path": 0.1})
