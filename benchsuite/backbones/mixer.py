"""MLP-Mixer: tokens mixed by perceptrons along the tokens, channels by perceptrons along the channels.

Paper: Tolstikhin et al., "MLP-Mixer: An all-MLP Architecture for Vision", NeurIPS 2021, arXiv:2105.01601.
Reference: timm 0.4.13 as in dingmyu/davit @ fc79470, timm/models/mlp_mixer.py, MlpMixer.
Differs: no stochastic depth; matrices of the token mixing multiply from the left.
Names: tokens_dim is the paper's D_S, channels_dim its D_C, dim its C.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from benchsuite.backbones._choice import Choices, MixerSlot, Size, check_runs_on, choice_of, chosen
from benchsuite.backbones._embed import check_image, image_size
from benchsuite.backbones._network import NetworkPort, network, take
from benchsuite.backbones._stage import NORM_1E6, PreNormBlock
from benchsuite.mixers._layers import MLP
from benchsuite.mixers._port import Arguments, renamed
from benchsuite.mixers.mlp_mixer import TokenMixingMLP

STAGES = ("all",)


@dataclass(frozen=True, slots=True)
class MixerConfig:
    """Widths and depth. LayerNorms have eps 1e-6; there is no position encoding."""

    dim: int
    depth: int
    tokens_dim: int
    channels_dim: int
    patch_size: int = 16


class MLPMixer(nn.Module):
    """Images (B, 3, H, W) of one size → logits (B, num_classes).

    Args:
        kernel: "math", unless the mixer that is put in runs on another.
        mixer: stage "all" → what mixes in place of the token-mixing perceptrons.

    Raises:
        ValueError: the patches do not divide the images, or the kernel or the mixer is unknown or does not
            fit; in `forward`, images of another size.
    """

    def __init__(
        self,
        config: MixerConfig,
        *,
        num_classes: int = 1000,
        resolution: int | Size = 224,
        kernel: str = "math",
        mixer: Choices | None = None,
    ) -> None:
        super().__init__()
        dim = config.dim
        self.size = image_size(resolution, config.patch_size, "MLP-Mixer")
        self.grid = (self.size[0] // config.patch_size, self.size[1] // config.patch_size)
        self.patch_embed = nn.Conv2d(3, dim, config.patch_size, stride=config.patch_size)
        slot = MixerSlot(stage="all", dim=dim, grid=self.grid, layout="BNC", kernel=kernel)
        self.slots = {"all": (slot,)}
        choice = choice_of(mixer, "all", STAGES)
        make: Callable[[], nn.Module]
        if choice is not None:
            make = chosen(choice, slot)
        else:

            def make() -> nn.Module:
                return TokenMixingMLP(dim, grid=self.grid, tokens_dim=config.tokens_dim)

        self.blocks = nn.ModuleList(
            PreNormBlock(dim, mixer=make(), ffn=MLP(dim, hidden_dim=config.channels_dim), norm=NORM_1E6)
            for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.head = nn.Linear(dim, num_classes)
        check_runs_on(self, kernel, "MLP-Mixer")

    def forward(self, x: Tensor) -> Tensor:
        check_image(x, self.size, "MLP-Mixer")
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        for block in self.blocks:
            x = block(x, self.grid)
        logits: Tensor = self.head(self.norm(x).mean(dim=1))
        return logits


mixer_s32 = network(MLPMixer, MixerConfig(512, 8, 256, 2048, patch_size=32))
mixer_s16 = network(MLPMixer, MixerConfig(512, 8, 256, 2048))
mixer_b32 = network(MLPMixer, MixerConfig(768, 12, 384, 3072, patch_size=32))
mixer_b16 = network(MLPMixer, MixerConfig(768, 12, 384, 3072))
mixer_l32 = network(MLPMixer, MixerConfig(1024, 24, 512, 4096, patch_size=32))
mixer_l16 = network(MLPMixer, MixerConfig(1024, 24, 512, 4096))


def _arguments(authors: Arguments) -> dict[str, Any]:
    given = take(
        authors,
        {
            "num_classes": 1000,
            "img_size": 224,
            "patch_size": 16,
            "num_blocks": 8,
            "embed_dim": 512,
            "mlp_ratio": (0.5, 4.0),
        },
        only={
            "in_chans": 3,
            "drop_rate": 0.0,
            "drop_path_rate": ...,
            "nlhb": ...,
            "stem_norm": False,
        },
    )
    dim, (tokens, channels) = given["embed_dim"], given["mlp_ratio"]
    config = MixerConfig(
        dim=dim,
        depth=given["num_blocks"],
        tokens_dim=int(dim * tokens),
        channels_dim=int(dim * channels),
        patch_size=given["patch_size"],
    )
    return {"config": config, "num_classes": given["num_classes"], "resolution": given["img_size"]}


PORTS = {
    "MlpMixer": NetworkPort(
        "dingmyu/davit",
        MLPMixer,
        _arguments,
        renamed(
            (r"stem\.proj\.", "patch_embed."),
            (r"(blocks\.\d+)\.mlp_tokens\.", r"\1.attn."),
            (r"(blocks\.\d+)\.mlp_channels\.", r"\1.mlp."),
        ),
    ),
}
