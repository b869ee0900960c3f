"""A convolutional network, a transformer of one image size, and one that returns a dictionary."""

import torch
from torch import nn

from ._api import handle_legacy_interface, register_model


class ResNet(nn.Module):
    def __init__(self, num_classes=1000):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 7, stride=4)
        self.fc = nn.Linear(8, num_classes)

    def forward(self, x):
        return self.fc(self.conv1(x).mean((2, 3)))


class VisionTransformer(nn.Module):
    def __init__(self, image_size, num_classes=1000):
        super().__init__()
        self.image_size = image_size
        self.conv_proj = nn.Conv2d(3, 8, 16, stride=16)
        self.pos_embedding = nn.Parameter(torch.zeros(1, (image_size // 16) ** 2, 8))
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, num_classes)

    def forward(self, x):
        torch._assert(x.shape[2] == self.image_size, "Wrong image height!")
        x = self.conv_proj(x).flatten(2).transpose(1, 2) + self.pos_embedding
        return self.head(self.attention(x, x, x, need_weights=False)[0].mean(1))


class Segmentation(ResNet):
    def forward(self, x):
        return {"out": super().forward(x)}


@register_model()
@handle_legacy_interface(weights=("pretrained", None))
def resnet18(*, weights=None, progress=True, **kwargs):
    return ResNet(**kwargs)


@register_model()
@handle_legacy_interface(weights=("pretrained", None))
def vit_b_16(*, weights=None, progress=True, **kwargs):
    return VisionTransformer(kwargs.pop("image_size", 224), **kwargs)


@register_model(name="deeplabv3_resnet50")
@handle_legacy_interface(
    weights=("pretrained", None),
    weights_backbone=("pretrained_backbone", None),
)
def deeplabv3_resnet50(*, weights=None, weights_backbone="IMAGENET1K_V1", num_classes=21, **kwargs):
    if weights_backbone is not None:
        raise RuntimeError("would fetch weights")
    return Segmentation(num_classes=num_classes, **kwargs)
