"""A network of fixed size, two with windows, one that takes img_size and ignores it, and one of any size."""

import torch
from torch import nn
from torch.nn import functional as F

from timm.layers import use_fused_attn
from timm.models._registry import (
    PretrainedCfg,
    generate_default_cfgs,
    register_model,
    register_model_deprecations,
)

_DIM = 8


def _pair(size):
    return (size, size) if isinstance(size, int) else tuple(size)


class PatchEmbed(nn.Module):
    """Refuses images of another size than it was made for."""

    def __init__(self, img_size, patch_size):
        super().__init__()
        self.img_size = _pair(img_size)
        self.grid_size = tuple(side // patch_size for side in self.img_size)
        self.proj = nn.Conv2d(3, _DIM, patch_size, patch_size)

    def forward(self, x):
        assert tuple(x.shape[-2:]) == self.img_size, (
            f"Input height ({x.shape[-2]}) doesn't match model ({self.img_size[0]})."
        )
        return self.proj(x)


class Attention(nn.Module):
    def __init__(self, tokens=None):
        super().__init__()
        self.fused_attn = use_fused_attn()
        self.qkv = nn.Linear(_DIM, 3 * _DIM)
        self.bias = nn.Parameter(torch.zeros(1, tokens, tokens)) if tokens else None

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        if self.fused_attn:
            return F.scaled_dot_product_attention(q, k, v, attn_mask=self.bias)
        attn = q @ k.transpose(-2, -1)
        return (attn if self.bias is None else attn + self.bias).softmax(-1) @ v


class WindowAttention(nn.Module):
    """Its table of positions, and so its weights, are as large as its window."""

    def __init__(self, window_size):
        super().__init__()
        self.window_size = _pair(window_size)
        height, width = self.window_size
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * height - 1) * (2 * width - 1), 1))
        self.attn = Attention()

    def forward(self, x):
        (height, width), (_, channels, rows, columns) = self.window_size, x.shape
        x = F.pad(x, (0, -columns % width, 0, -rows % height))
        x = x.unfold(2, height, height).unfold(3, width, width)
        return self.attn(x.reshape(-1, channels, height * width).transpose(1, 2)).reshape(
            len(x), -1, channels
        )


class Network(nn.Module):
    def __init__(self, stem, mixer, num_classes, pos_embed=None):
        super().__init__()
        self.patch_embed = stem
        self.mixer = mixer
        self.pos_embed = pos_embed
        self.head = nn.Linear(_DIM, num_classes)

    def forward(self, x):
        x = self.patch_embed(x)
        if not isinstance(self.mixer, WindowAttention):
            x = x.flatten(2).transpose(1, 2)
        if self.pos_embed is not None:
            x = x + self.pos_embed
        return self.head(self.mixer(x).flatten(1, -2).mean(1))


_FIXED = PretrainedCfg(fixed_input_size=True)

generate_default_cfgs(
    {
        "vit_tiny_patch16_224.augreg_in21k_ft_in1k": _FIXED,
        "vit_tiny_patch16_224.augreg_in21k": _FIXED,
        "swin_tiny_patch4_window7_224.ms_in1k": _FIXED,
        "maxvit_tiny_tf_224.in1k": _FIXED,
        "efficientformer_l1.snap_dist_in1k": _FIXED,
        "resnet18.a1_in1k": PretrainedCfg(),
    }
)


@register_model
def vit_tiny_patch16_224(num_classes=1000, img_size=224):
    stem = PatchEmbed(img_size, 16)
    tokens = stem.grid_size[0] * stem.grid_size[1]
    return Network(stem, Attention(), num_classes, nn.Parameter(torch.zeros(1, tokens, _DIM)))


@register_model
def swin_tiny_patch4_window7_224(num_classes=1000, img_size=224, window_size=7):
    return Network(PatchEmbed(img_size, 4), WindowAttention(window_size), num_classes)


@register_model
def maxvit_tiny_tf_224(num_classes=1000, img_size=224, transformer_window_size=None):
    window = transformer_window_size or tuple(side // 32 for side in _pair(img_size))
    return Network(nn.Conv2d(3, _DIM, 4, 4), WindowAttention(window), num_classes)


@register_model
def efficientformer_l1(num_classes=1000, img_size=None):
    return Network(nn.Conv2d(3, _DIM, 32, 32), Attention(tokens=49), num_classes)


@register_model
def resnet18(num_classes=1000):
    return Network(nn.Conv2d(3, _DIM, 8, 8), nn.Identity(), num_classes)


register_model_deprecations(
    __name__,
    {
        "gluon_resnet18_v1b": "resnet18.a1_in1k",
    },
)
