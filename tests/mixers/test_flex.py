"""The kernel "flex": its masks against torch's own, its numbers against "math", and what it cannot do."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention.flex_attention import create_block_mask, create_mask

from benchsuite.measurement.memory_estimate import peak_bytes
from benchsuite.mixers import _windows, nat
from benchsuite.mixers._flex import block_mask_of, flex_attend
from benchsuite.mixers.nat import FlexNeighborhood, NeighborhoodAttention
from benchsuite.mixers.swin import WindowAttention

compiles = pytest.mark.skipif(
    shutil.which("c++") is None, reason="no C++ compiler, which torch.compile needs"
)

GRIDS = [
    (3, 1, (5, 6)),
    (7, 1, (13, 7)),
    (5, 1, (17, 21)),
    (3, 2, (6, 7)),
    (3, 3, (10, 37)),
    (1, 2, (12, 13)),
]
"""kernel_size, dilation, grid: one block and several, the last of them never full."""

grids = pytest.mark.parametrize(("k", "dilation", "size"), GRIDS)


def neighborhood(k: int, dilation: int, size: tuple[int, int]) -> FlexNeighborhood:
    module = NeighborhoodAttention(8, 2, kernel_size=k, dilation=dilation, kernel="flex")
    module._prepare(torch.empty(1, *size, 8))
    assert module._neighborhood is not None
    return module._neighborhood


def seen(k: int, dilation: int, size: tuple[int, int]) -> Tensor:
    """(N, N): whether a token of the grid sees another, read off the keys that "math" gathers."""
    module = NeighborhoodAttention(8, 2, kernel_size=k, dilation=dilation)
    module._prepare(torch.empty(1, *size, 8))
    assert module._keys is not None
    tokens = size[0] * size[1]
    none = torch.zeros(tokens, tokens, dtype=torch.bool)
    return none.scatter(1, module._keys.reshape(tokens, k * k), torch.ones(tokens, k * k, dtype=torch.bool))


@grids
def test_the_mask_of_a_neighborhood_holds_the_keys_of_math(
    k: int, dilation: int, size: tuple[int, int]
) -> None:
    near, tokens = neighborhood(k, dilation, size), size[0] * size[1]
    mask = create_mask(near.block_mask.mask_mod, None, None, tokens, tokens, device="cpu")[0, 0]
    if near.order is not None:
        assert near.place is not None
        mask = mask[near.place][:, near.place]
    assert torch.equal(mask, seen(k, dilation, size))


@grids
def test_blocks_are_those_that_torch_finds_on_the_whole_mask(
    k: int, dilation: int, size: tuple[int, int]
) -> None:
    ours, tokens = neighborhood(k, dilation, size).block_mask, size[0] * size[1]
    theirs = create_block_mask(ours.mask_mod, None, None, tokens, tokens, device="cpu")
    assert ours.shape == theirs.shape
    for counts, indices in (("kv_num_blocks", "kv_indices"), ("full_kv_num_blocks", "full_kv_indices")):
        assert torch.equal(getattr(ours, counts), getattr(theirs, counts))
        for row, count in enumerate(getattr(ours, counts)[0, 0].tolist()):
            of_row = [getattr(mask, indices)[0, 0, row, :count].tolist() for mask in (ours, theirs)]
            assert of_row[0] == of_row[1]


def test_a_block_in_which_every_query_sees_every_key_is_full() -> None:
    keys = torch.arange(300).div(128, rounding_mode="floor")[:, None] * 128 + torch.arange(128)
    keys = torch.where(keys < 300, keys, keys - 128)  # the last block's queries see 128 keys as well

    def inside(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (key >= keys[query, 0]) & (key <= keys[query, -1])  # of no account here

    blocks = block_mask_of(keys, inside)
    assert blocks.full_kv_num_blocks.tolist() == [[[1, 1, 0]]]
    assert blocks.full_kv_indices[0, 0, :2, 0].tolist() == [0, 1]
    assert blocks.kv_num_blocks.tolist() == [[[0, 0, 2]]]


def test_residue_classes_stand_together_so_that_few_blocks_are_multiplied() -> None:
    # Four classes of 14 × 14 tokens: a block of 128 tokens meets two of them at most, which are four blocks.
    blocks = neighborhood(3, 2, (28, 28)).block_mask
    assert blocks.kv_num_blocks.max() <= 4
    assert blocks.shape[-1] == 784


def eager(
    q: Tensor, k: Tensor, v: Tensor, *, modify: Any = None, block_mask: Any = None, dropout: float = 0.0
) -> Tensor:
    """What the compiled kernel computes, by its definition: bias and mask are called with all places."""
    assert dropout == 0
    logits = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    place = torch.meshgrid(*map(torch.arange, logits.shape), indexing="ij")
    if modify is not None:
        logits = modify(logits, *place)
    if block_mask is not None:
        logits = logits.masked_fill(~block_mask.mask_mod(*place), -torch.inf)
    return logits.softmax(-1) @ v


@pytest.fixture
def _uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (nat, _windows):
        monkeypatch.setattr(module, "flex_attend", eager)


def agrees_with_math(module: Any, x: Tensor, *size: tuple[int, int], **allowed: float) -> None:
    """Of a module on "math", whose weights those on "flex" are."""
    expected = module(x, *size)
    module.kernel, module._made_for = "flex", None
    torch.testing.assert_close(module(x, *size), expected, **allowed)


@pytest.mark.usefixtures("_uncompiled")
@pytest.mark.parametrize("rel_pos", [True, False])
@grids
def test_neighborhoods_with_and_without_a_bias_are_those_of_math(
    k: int, dilation: int, size: tuple[int, int], rel_pos: bool
) -> None:
    torch.manual_seed(0)
    module = NeighborhoodAttention(8, 2, kernel_size=k, dilation=dilation, rel_pos=rel_pos).double()
    if rel_pos:
        nn.init.normal_(module.rpb)
    agrees_with_math(module, torch.randn(2, *size, 8, dtype=torch.float64))


@pytest.mark.usefixtures("_uncompiled")
@pytest.mark.parametrize("rel_pos", [True, False])
@pytest.mark.parametrize(
    ("options", "size"),
    [({}, (8, 12)), ({"shift_size": 3}, (8, 12)), ({"shift_size": 1, "pad": True}, (6, 9))],
)
def test_windows_with_and_without_bias_and_shift_are_those_of_math(
    options: dict[str, Any], size: tuple[int, int], rel_pos: bool
) -> None:
    torch.manual_seed(0)
    module = WindowAttention(8, 2, window_size=4, rel_pos=rel_pos, **options).double()
    if rel_pos:
        nn.init.normal_(module.relative_position_bias_table)
    agrees_with_math(module, torch.randn(3, size[0] * size[1], 8, dtype=torch.float64), size)


@pytest.mark.usefixtures("_uncompiled")
def test_windows_of_another_grid_are_not_kept_apart_by_the_regions_of_the_last() -> None:
    torch.manual_seed(0)
    module = WindowAttention(8, 2, window_size=4, shift_size=2, rel_pos=False)
    flex = WindowAttention(8, 2, window_size=4, shift_size=2, rel_pos=False, kernel="flex")
    flex.load_state_dict(module.state_dict())
    for size in ((8, 8), (4, 8)):  # the second is one strip of windows, which is not shifted
        x = torch.randn(1, size[0] * size[1], 8)
        torch.testing.assert_close(flex(x, size), module(x, size))


@pytest.mark.slow
@compiles
@pytest.mark.skipif(
    torch.__version__ < "2.8", reason="torch 2.7 compiles no learned bias in bfloat16 on a CPU"
)
def test_in_bfloat16_it_gives_about_what_math_gives() -> None:
    torch.manual_seed(0)
    module = WindowAttention(32, 4, window_size=4, shift_size=2).eval()
    nn.init.normal_(module.relative_position_bias_table)
    with torch.no_grad():
        x = torch.randn(3, 8 * 12, 32, dtype=torch.bfloat16)
        agrees_with_math(module.bfloat16(), x, (8, 12), atol=0.02, rtol=0.02)


@pytest.mark.slow
@compiles
def test_there_is_a_kernel_for_every_shape_however_many_torch_allows() -> None:
    with torch._dynamo.config.patch(accumulated_recompile_limit=1):
        for length in (3, 4):
            q, k, v = torch.randn(3, 1, 2, length, 16).unbind(0)
            torch.testing.assert_close(flex_attend(q, k, v), eager(q, k, v))


@compiles
@pytest.mark.slow
@pytest.mark.compile
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # of torch, in its own compiler
@pytest.mark.parametrize(
    ("module", "shape", "size"),
    [
        (WindowAttention(32, 4, shift_size=3, kernel="flex"), (2, 196, 32), ((14, 14),)),
        (NeighborhoodAttention(32, 4, dilation=2, kernel="flex"), (2, 14, 14, 32), ()),
    ],
)
def test_a_mixer_that_is_compiled_gives_the_same_with_the_kernel_between_its_graphs(
    module: nn.Module, shape: tuple[int, ...], size: tuple[Any, ...]
) -> None:
    torch._dynamo.reset()
    compiled, x = torch.compile(module.eval(), dynamic=False), torch.randn(shape)
    with torch.no_grad():
        found = [compiled(x, *size) for _ in range(2)]  # what the first makes must serve the next
        expected = module(x, *size)
    for one in found:
        torch.testing.assert_close(one, expected)


@pytest.mark.parametrize(
    ("options", "grad", "why"),
    [
        ({"dropout": 0.5}, False, "drops no attention weights"),
        ({}, True, "has no backward pass on a CPU"),
    ],
)
def test_what_it_cannot_do_is_said_as_torch_says_it_of_a_forced_kernel(
    options: dict[str, float], grad: bool, why: str
) -> None:
    q = torch.randn(1, 2, 5, 16, requires_grad=grad)
    with pytest.raises(RuntimeError, match=f"^No available kernel: flex_attention {why}$"):
        flex_attend(q, q, q, **options)


def test_a_dtype_that_does_not_compile_is_said_so_too() -> None:
    q = torch.randn(1, 2, 5, 16, dtype=torch.float64)
    with pytest.raises(
        RuntimeError, match=r"^No available kernel: flex_attention cannot be compiled here: .*float"
    ):
        flex_attend(q, q.clone(), q.clone())


def test_a_neighborhood_is_prepared_once_for_a_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[int, ...]] = []
    original = FlexNeighborhood.make

    def counted(rows: Any, columns: Any, *others: Any) -> FlexNeighborhood:
        made.append((len(rows), len(columns)))
        return original(rows, columns, *others)

    monkeypatch.setattr(FlexNeighborhood, "make", counted)
    module = NeighborhoodAttention(8, 2, kernel_size=3, kernel="flex")
    for size in ((4, 6), (4, 6), (6, 4)):
        module._prepare(torch.randn(1, *size, 8))
    assert made == [(4, 6), (6, 4)]


@pytest.mark.parametrize("dilation", [1, 2])
def test_a_plan_foresees_no_copy_of_the_keys_of_each_query(dilation: int) -> None:
    with torch.device("meta"):
        x = torch.empty(1, 56, 56, 32)
        module = NeighborhoodAttention(32, 4, dilation=dilation, kernel="flex").eval()
        with torch.no_grad():
            peak = peak_bytes(lambda: module(x))
    # Queries, keys, values and three tensors of the input's size more. Keys and values of all windows are 98.
    assert peak <= 6 * x.nbytes


def test_a_plan_foresees_no_bias_for_each_window() -> None:
    size = (56, 56)
    with torch.device("meta"):
        x = torch.empty(1, 56 * 56, 32)
        module = WindowAttention(32, 4, shift_size=3, kernel="flex").eval()
        with torch.no_grad():
            module(x, size)
            peak = peak_bytes(lambda: module(x, size))
    assert (
        peak <= 7 * x.nbytes
    )  # the bias has a tenth of the input's size; for each of 64 windows, six times it
