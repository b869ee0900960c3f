"""Swin's absolute position embedding, which the released networks do without."""

from __future__ import annotations

import torch

from benchsuite.backbones.swin import PORTS

SMALL = {"img_size": 56, "embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "num_classes": 10}


def test_an_absolute_position_is_added_to_each_token_of_the_first_stage() -> None:
    torch.manual_seed(0)
    port = PORTS["SwinTransformer"]
    plain = port.network(**port.arguments(SMALL)).eval()
    table = torch.randn(1, 14 * 14, 16)
    authors = {
        **{key.replace("stages.0.embed.", "patch_embed."): value for key, value in plain.state_dict().items()}
    }
    authors = {_authors_name(key): value for key, value in authors.items()} | {"absolute_pos_embed": table}
    ours = port.load(SMALL | {"ape": True}, authors).eval()
    images = torch.randn(2, 3, 56, 56)
    plain.stages[0].embed.register_forward_hook(
        lambda _module, _inputs, out: out + table.transpose(1, 2).unflatten(2, (14, 14))
    )
    torch.testing.assert_close(ours(images), plain(images))


def _authors_name(key: str) -> str:
    """Our name of a weight → theirs: stage i's embedding is the end of their layer i − 1."""
    if key.startswith("stages.1.embed."):
        return key.replace("stages.1.embed.", "layers.0.downsample.")
    return key.replace("stages.", "layers.")
