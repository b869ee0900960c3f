"""Linformer against sums written out over tokens, and what its options share."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchsuite.mixers.linformer import PORTS, Linformer
from tests.mixers.counting import counted

OPTIONS = [
    {},
    {"share_kv": "rows"},
    {"share_kv": "all"},
    {"one_kv_head": True},
    {"one_kv_head": True, "share_kv": "all", "head_dim": 3},
]
each_option = pytest.mark.parametrize("options", OPTIONS, ids=str)


def tokens(count: int, dim: int = 8) -> Tensor:
    return torch.randn(2, count, dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@each_option
@pytest.mark.parametrize("size", [(3, 4), (2, 3)])
def test_queries_attend_to_weighted_sums_of_all_tokens(
    options: dict[str, object], size: tuple[int, int]
) -> None:
    module = Linformer(8, 2, grid=(3, 4), rows=5, **options).double()
    count, width = size[0] * size[1], module.head_dim
    x = tokens(count)
    features = module.kv(x)
    of_keys, of_values = features[..., : module.kv_heads * width], features[..., -module.kv_heads * width :]
    to_keys = module.proj_k
    to_values = module.proj_k if module.share_kv != "none" else module.proj_v
    keys = torch.stack(
        [sum(to_keys[n, row] * of_keys[:, n] for n in range(count)) for row in range(5)], dim=1
    )
    values = torch.stack(
        [sum(to_values[n, row] * of_values[:, n] for n in range(count)) for row in range(5)], dim=1
    )
    q = module.q(x)
    outputs = []
    for head in range(2):
        own, shared = slice(head * width, (head + 1) * width), 0 if module.kv_heads == 1 else head
        theirs = slice(shared * width, (shared + 1) * width)
        logits = torch.einsum("bnd,bkd->bnk", q[..., own], keys[..., theirs]) / width**0.5
        outputs.append(torch.einsum("bnk,bkd->bnd", logits.softmax(-1), values[..., theirs]))
    torch.testing.assert_close(module(x, size), module.proj(torch.cat(outputs, dim=-1)))


def test_the_shape_of_the_grid_does_not_matter() -> None:
    module, x = Linformer(8, 2, grid=(3, 4), rows=5).double(), tokens(12)
    assert torch.equal(module(x, (3, 4)), module(x, (12, 1)))


def test_the_order_of_tokens_matters_as_each_has_its_row() -> None:
    module, x = Linformer(8, 2, grid=(3, 4), rows=5).double(), tokens(12)
    flipped = module(x.flip(1), (3, 4)).flip(1)
    assert not torch.allclose(flipped, module(x, (3, 4)), atol=1e-3)


@pytest.mark.parametrize(("c", "h", "size"), [(768, 12, (14, 14)), (96, 3, (28, 14)), (32, 4, (7, 9))])
@pytest.mark.parametrize("k", [16, 256])
def test_the_closed_form_is_that_of_the_paper(c: int, h: int, size: tuple[int, int], k: int) -> None:
    n = size[0] * size[1]
    with torch.device("meta"):
        module = Linformer(c, h, grid=size, rows=k)
    assert counted(module, size) == 4 * n * c**2 + 4 * n * k * c


def test_the_layer_that_the_hilo_authors_publish() -> None:
    with torch.device("meta"):
        assert counted(Linformer(768, 12, rows=256), (14, 14)) == 616_562_688  # 616.56 M


def test_sharing_the_features_saves_their_layer_and_their_projection() -> None:
    with torch.device("meta"):
        plain, shared = Linformer(32, 4, rows=10), Linformer(32, 4, rows=10, share_kv="all")
    assert counted(plain, (14, 14)) - counted(shared, (14, 14)) == 196 * 32 * (32 + 10)
    assert "proj_v" not in dict(shared.named_parameters())


def test_a_grid_with_more_tokens_is_refused() -> None:
    module = Linformer(8, 2, grid=(3, 4))
    message = r"^the 4 × 4 grid has more tokens than the 3 × 4 grid that this module is made for$"
    with pytest.raises(ValueError, match=message):
        module(torch.zeros(1, 16, 8), (4, 4))


def test_unknown_options_are_named() -> None:
    with pytest.raises(ValueError, match=r"^unknown share_kv 'both'; allowed: none, rows, all$"):
        Linformer(8, 2, share_kv="both")
    with pytest.raises(ValueError, match=r"^rows 0 is not positive$"):
        Linformer(8, 2, rows=0)


def test_one_flag_means_two_things_to_two_authors() -> None:
    lucidrains = PORTS["linformer"].arguments({"dim": 8, "seq_len": 6, "share_kv": True})
    hubhop = PORTS["linformer_hubhop"].arguments({"dim": 8, "seq_len": 6, "share_kv": True})
    assert (lucidrains["share_kv"], hubhop["share_kv"]) == ("all", "rows")
    assert lucidrains["grid"] == (6, 1)
    assert PORTS["linformer"].arguments({"dim": 8, "seq_len": 6})["share_kv"] == "none"


def test_a_projection_under_two_names_is_loaded_once() -> None:
    module = Linformer(8, 2, grid=(6, 1), rows=5, share_kv="rows")
    authors = {name.replace("q.", "query."): value for name, value in module.state_dict().items()}
    both = authors | {"proj_v": authors["proj_k"].clone()}
    module.load_state_dict(PORTS["linformer_hubhop"].state(both), strict=True)
    module.load_state_dict(PORTS["linformer_hubhop"].state(authors), strict=True)
