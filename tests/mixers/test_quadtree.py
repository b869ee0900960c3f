"""QuadTree attention against a walk over the tree, token by token."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from benchsuite.mixers.quadtree import PORTS, QuadTreeAttention
from tests.mixers.counting import counted

Size = tuple[int, int]
Place = tuple[int, int]


def tokens(size: Size, dim: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(1, size[0] * size[1], dim, generator=generator, dtype=torch.float64)


def made(**options: object) -> QuadTreeAttention:
    torch.manual_seed(0)
    module = QuadTreeAttention(8, 2, **options).double()
    for name, parameter in module.named_parameters():
        if "q_proj" in name or "k_proj" in name:
            torch.nn.init.normal_(parameter)  # attention that is far from uniform
    return module


def halved(x: Tensor) -> Tensor:
    """Means of 2 × 2 squares of a (C, H, W) map."""
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4


def children(place: Place) -> list[Place]:
    return [(2 * place[0] + i, 2 * place[1] + j) for i in (0, 1) for j in (0, 1)]


def oracle(module: QuadTreeAttention, x: Tensor, size: Size) -> Tensor:
    grid = x[0].t().reshape(1, 8, *size)
    q, k, v = ([layer(grid)[0]] for layer in (module.q_proj, module.k_proj, module.v_proj))
    for level in range(module.levels - 1):
        q.insert(0, halved(q[0]))
        k.insert(0, halved(k[0]))
        v.insert(0, module.value_branches[level](v[0][None])[0] if module.variant == "B" else halved(v[0]))
    out = torch.zeros(8, *size, dtype=torch.float64)
    for head in range(2):
        own = slice(4 * head, 4 * head + 4)
        chosen: dict[Place, list[tuple[Place, Tensor]]] = {}  # a token's regions and their scores
        message: dict[Place, Tensor] = {}
        for level in range(module.levels):
            height, width = q[level].shape[1:]
            places = list(itertools.product(range(height), range(width)))
            last = level == module.levels - 1
            now, sent = {}, {}
            for y, x_ in places:
                parent = (y // 2, x_ // 2)
                query = q[level][own, y, x_]

                def logit(
                    place: Place, level: int = level, query: Tensor = query, own: slice = own
                ) -> Tensor:
                    return query @ k[level][own, place[0], place[1]] / 2  # head_dim 4

                if level == 0:
                    keys = places
                    scores = torch.stack([logit(key) for key in keys]).softmax(0)
                elif module.variant == "A":
                    keys = [child for region, _ in chosen[parent] for child in children(region)]
                    scores = torch.cat(
                        [
                            score * torch.stack([logit(child) for child in children(region)]).softmax(0)
                            for region, score in chosen[parent]
                        ]
                    )
                else:
                    keys = [child for region, _ in chosen[parent] for child in children(region)]
                    scores = torch.stack([logit(key) for key in keys]).softmax(0)
                best = sorted(range(len(keys)), key=lambda i: -scores[i].item())[: module.topk]
                now[y, x_] = [(keys[i], scores[i]) for i in best]
                left_out = set(best) if module.variant == "A" and (level == 0 or not last) else set()
                text = sum(
                    scores[i] * v[level][own, keys[i][0], keys[i][1]]
                    for i in range(len(keys))
                    if i not in left_out
                )
                if module.variant == "B":
                    lepe = module.lepe[level](v[level][None])[0]
                    text = (text + lepe[own, y, x_]) * module.level_weight.softmax(0)[level]
                sent[y, x_] = text + (message[parent] if level else 0)
            chosen, message = now, sent
        for (y, x_), text in message.items():
            out[own, y, x_] = text
    return module.proj(out.flatten(1).t()[None])


@pytest.mark.parametrize("variant", ["A", "B"])
@pytest.mark.parametrize(("levels", "size"), [(1, (3, 4)), (2, (4, 6)), (3, (8, 12))])
def test_each_token_looks_into_the_best_regions_of_its_parent(variant: str, levels: int, size: Size) -> None:
    module, x = made(variant=variant, levels=levels, topk=3), tokens(size)
    torch.testing.assert_close(module(x, size), oracle(module, x, size))


def test_one_level_of_b_is_attention_to_all_but_of_a_it_lacks_the_best_keys() -> None:
    size, x = (3, 4), tokens((3, 4))
    for variant in ("A", "B"):
        module = made(variant=variant, levels=1, topk=2)
        grid = x.transpose(1, 2).reshape(1, 8, *size)
        q, k, v = (
            layer(grid).reshape(1, 2, 4, 12) for layer in (module.q_proj, module.k_proj, module.v_proj)
        )
        attn = (torch.einsum("bhdn,bhdm->bhnm", q, k) / 2).softmax(-1)
        if variant == "A":
            attn = torch.where(attn >= attn.sort(-1).values[..., -2:-1], 0.0, attn)
        out = torch.einsum("bhnm,bhdm->bnhd", attn, v).flatten(2)
        if variant == "B":
            out = out + module.lepe[0](module.v_proj(grid)).flatten(2).transpose(1, 2)
        torch.testing.assert_close(module(x, size), module.proj(out))


def test_the_order_of_the_tree_has_children_side_by_side_and_is_undone() -> None:
    module = QuadTreeAttention(8, 2, levels=3)
    number = torch.arange(8 * 12.0).reshape(1, 1, 8, 12).expand(1, 8, 8, 12)
    tree = module._in_tree_order(number, (2, 3), 2)
    assert tree[0, 0, :8, 0].tolist() == [0, 1, 12, 13, 2, 3, 14, 15]
    assert tree[0, 1, 16, 2].item() == 4  # the first token of the second token of the coarsest level
    assert module._in_grid_order(tree, (2, 3))[0, :, 5].tolist() == list(range(96))


@pytest.mark.parametrize(("c", "h"), [(768, 12), (32, 4)])
@pytest.mark.parametrize(("levels", "size"), [(1, (7, 7)), (2, (14, 14)), (3, (28, 56))])
def test_the_closed_form(c: int, h: int, levels: int, size: Size) -> None:
    counts = [size[0] * size[1] // 4**i for i in range(levels)]  # finest first
    with torch.device("meta"):
        a, b = (QuadTreeAttention(c, h, variant=variant, levels=levels) for variant in "AB")
    attention = 2 * counts[-1] ** 2 * c + sum(2 * 4 * 8 * n * c for n in counts[:-1])
    assert counted(a, size) == 4 * counts[0] * c**2 + attention
    values = sum(4 * n * c**2 + n * c**2 for n in counts[1:])
    assert counted(b, size) == counted(a, size) + values + sum(9 * n * c for n in counts)


def test_grids_without_the_levels_are_refused() -> None:
    module = QuadTreeAttention(8, 2, levels=3)
    with pytest.raises(ValueError, match=r"^3 levels need a grid that 4 divides, not 14 × 16$"):
        module(torch.zeros(1, 224, 8), (14, 16))
    with pytest.raises(ValueError, match=r"^topk 8 is more than the 2 × 3 tokens of the coarsest level$"):
        module(torch.zeros(1, 96, 8), (8, 12))


def test_wrong_options_are_named() -> None:
    with pytest.raises(ValueError, match=r"^unknown variant 'C'; allowed: A, B$"):
        QuadTreeAttention(8, 2, variant="C")
    with pytest.raises(ValueError, match=r"^levels 0 and topk 8 must be positive$"):
        QuadTreeAttention(8, 2, levels=0)


def test_the_authors_take_whatever_is_not_b_for_a() -> None:
    convert = PORTS["quadtree_A"].arguments
    assert convert({"dim": 8, "attn_type": "B", "sr_ratio": 3})["variant"] == "B"
    assert convert({"dim": 8, "attn_type": None})["variant"] == "A"
    assert convert({"dim": 8}) == {"dim": 8, "qkv_bias": False, "levels": 1, "variant": "A"}
