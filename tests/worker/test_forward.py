"""How modules of one's own are called: found from the signature and the layers, or said by the scenario."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn

from benchsuite.errors import UsageError
from benchsuite.measurement.stopping import Visit
from benchsuite.results.cell import Cell
from benchsuite.scenario.entry import _inputs
from benchsuite.scenario.measure_settings import Measure
from benchsuite.worker import calls
from benchsuite.worker.build import build
from benchsuite.worker.reference import compare
from benchsuite.worker.steps import step_of
from tests.builders import make_cell
from tests.plans import plans_of

HERE = "tests.worker.test_forward"
QUICK = Measure(warmup_calls=1, warmup_s=0.0, min_samples=3, max_samples=3, max_s=60.0, precision=None)


class Linear(nn.Module):
    """What the modules here have in common: a product of channels, which stand last."""

    def __init__(self, dim: int = 3) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)


class Alone(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)  # type: ignore[no-any-return]


class Sized(Linear):
    def forward(self, x: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        return self.linear(x.unflatten(1, hw_shape)).flatten(1, 2)  # type: ignore[no-any-return]


class SizedByDefault(Linear):
    def forward(self, x: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        assert size is not None
        return self.linear(x.unflatten(1, size)).flatten(1, 2)  # type: ignore[no-any-return]


class Sides(Linear):
    def forward(self, x: Tensor, H: int, W: int) -> Tensor:  # noqa: N803
        return self.linear(x.unflatten(1, (H, W))).flatten(1, 2)  # type: ignore[no-any-return]


class Masked(Linear):
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        assert mask is None
        return self.linear(x)  # type: ignore[no-any-return]


class Conv(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(dim, dim, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)  # type: ignore[no-any-return]


class LastMaps(Linear):
    def forward(self, x: Tensor) -> Tensor:
        _, height, width, _ = x.shape
        return self.linear(x).view(-1, height, width, x.shape[-1])  # type: ignore[no-any-return]


class HoldsALayout(Linear):
    """Has something else of that name, which says nothing of its input."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.layout = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.layout(self.linear(x))  # type: ignore[no-any-return]


class Either(Linear):
    def forward(self, x: Tensor, *sides: Any) -> Tensor:
        return self.linear(x) + len(sides)  # type: ignore[no-any-return]


class Cross(Linear):
    def forward(self, q: Tensor, kv: Tensor, scale: float = 0.5, mask: Tensor | None = None) -> Tensor:
        attn = scale * q @ self.linear(kv).transpose(1, 2)
        if mask is not None:
            attn = attn.masked_fill(~mask[:, None], -1e9)
        return attn.softmax(-1) @ kv


class Encoder(nn.Module):
    """A network that takes no image."""

    def __init__(self, num_classes: int = 5) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 8)
        self.head = nn.Linear(8, num_classes)

    def forward(self, ids: Tensor, mask: Tensor) -> dict[str, Any]:
        pooled = (self.embed(ids) * mask[..., None]).mean(1)
        return {"states": [], "logits": (self.head(pooled), pooled)}


def cell(name: str, **changes: Any) -> Cell:
    return make_cell(name=name, target=f"{HERE}:{name}", resolution=(64, 32), **changes)


def network(name: str, **changes: Any) -> Cell:
    return cell(name, subject="backbone", stride=1, dim=None, num_heads=None, **changes)


TOKENS, MAPS = (2, 8, 32), (2, 32, 4, 2)


@pytest.mark.parametrize(
    ("name", "forward", "shape", "rest"),
    [
        ("Alone", {}, TOKENS, ()),
        ("Masked", {}, TOKENS, ()),
        ("HoldsALayout", {}, TOKENS, ()),
        ("Sized", {}, TOKENS, ((4, 2),)),
        ("SizedByDefault", {}, TOKENS, ((4, 2),)),
        ("Sides", {}, TOKENS, (4, 2)),
        ("Conv", {}, MAPS, ()),
        ("Either", {}, TOKENS, ((4, 2),)),
        ("Either", {"call": "forward(x)"}, TOKENS, ()),
        ("Either", {"call": "forward(x, H, W)"}, TOKENS, (4, 2)),
        ("LastMaps", {"layout": "NHWC"}, (2, 4, 2, 32), ()),
    ],
)
def test_a_module_is_called_as_its_signature_or_the_scenario_says(
    name: str, forward: dict[str, str], shape: tuple[int, ...], rest: tuple[Any, ...]
) -> None:
    subject = build(cell(name, forward=forward), "cpu")
    assert (tuple(subject.tensor.shape), subject.inputs[1:]) == (shape, rest)
    assert step_of(subject, "inference")().shape == shape  # type: ignore[attr-defined]
    (plan,) = plans_of([cell(name, forward=forward)])
    assert plan.status == "ok"


def test_images_of_a_network_may_have_their_channels_last() -> None:
    assert build(network("Alone"), "meta").tensor.shape == (2, 3, 64, 32)
    assert build(network("Alone", forward={"layout": "NHWC"}), "meta").tensor.shape == (2, 64, 32, 3)


@pytest.mark.parametrize("mode", ["inference", "forward_backward", "training_step"])
def test_named_inputs_have_their_shapes_and_formats_and_the_first_tensor_of_the_output_counts(
    mode: str,
) -> None:
    ids = {"shape": ["B", 16], "dtype": "int64", "high": 50}
    forward = {"inputs": {"ids": ids, "mask": {"shape": ["B", 16], "dtype": "bool"}}}
    encoder = network("Encoder", forward=forward, batch=4, mode=mode)
    subject = build(encoder, "cpu")
    ids_of, mask = subject.inputs
    assert (ids_of.dtype, ids_of.shape, mask.dtype) == (torch.int64, (4, 16), torch.bool)
    assert 0 <= ids_of.min() < ids_of.max() < 50
    assert step_of(subject, mode)().shape == (4, 5)  # type: ignore[attr-defined]
    (plan,) = plans_of([encoder])
    assert plan.value is not None
    assert plan.value.cost.macs == 8 * 5
    assert calls.visit(encoder, QUICK, Visit()).status == "ok"
    inspected = calls.inspect_cell(encoder, QUICK).value
    assert inspected is not None
    assert inspected.memory is not None
    assert inspected.memory.input_bytes == 4 * 16 * (8 + 1)


def test_letters_of_a_mixers_inputs_are_its_grid_and_what_lies_between_is_left_at_its_default() -> None:
    mask = {"shape": ["B", 7], "dtype": "bool"}
    forward = {"inputs": {"q": {"shape": ["B", "N", "C"]}, "kv": {"shape": ["B", 7, 32]}, "mask": mask}}
    subject = build(cell("Cross", forward=forward), "cpu")
    assert [getattr(value, "shape", value) for value in subject.inputs] == [TOKENS, (2, 7, 32), 0.5, (2, 7)]
    low = cell("Cross", forward=forward, dtype="bf16", batch=3)
    subject = build(low, "cpu")
    output = step_of(subject.renewed(), "inference")()
    assert isinstance(output, Tensor)
    check = compare(low, subject, output).check  # all inputs are those of the reference, too
    assert check is not None
    assert check.error is not None


@pytest.mark.parametrize(
    ("name", "forward", "words"),
    [
        (
            "Cross",
            {"inputs": {"q": {"shape": ["B", 3]}}},
            "inputs do not fit forward(q, kv, scale, mask): missing",
        ),
        ("Alone", {"inputs": {"y": {"shape": ["B", 3]}}}, "inputs do not fit forward(x)"),
    ],
)
def test_inputs_that_forward_does_not_take_are_a_mistake(name: str, forward: Any, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        plans_of([cell(name, forward=forward)])
    assert words in str(caught.value)


class Three(Linear):
    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return q


def test_a_signature_that_cannot_be_guessed_is_a_mistake_that_says_what_to_write() -> None:
    with pytest.raises(
        UsageError, match=r"forward takes q, k, v, .*inputs: \{q: \[B, N, C\], k: \[B, N, C\]"
    ):
        plans_of([cell("Three")])


class NeedsMask(Linear):
    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return x.masked_fill(~mask[..., None], 0)


class Words(nn.Module):
    def __init__(self, dim: int = 3) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, dim)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.embed(ids)  # type: ignore[no-any-return]


class Configured(Alone):
    def __init__(self, config: Any) -> None:
        super().__init__(config.dim)


@pytest.mark.parametrize(
    ("made", "inputs"),
    [
        (cell("NeedsMask"), "{x: [B, N, C], mask: {shape: [B, N], dtype: bool}}"),
        (cell("Words"), "{ids: {shape: [B, N], dtype: int64, high: 1000}}"),
        (network("Words"), "{ids: {shape: [B, 64], dtype: int64, high: 1000}}"),
    ],
)
def test_a_wrong_guess_offers_inputs_that_fit_the_class(made: Cell, inputs: str) -> None:
    (plan,) = plans_of([made])
    assert plan.failure is not None
    assert f", or inputs: {inputs}, in its entry" in plan.failure.message
    offered = _inputs(yaml.safe_load(inputs))
    if made.target.endswith("Words"):
        offered["ids"]["high"] = 50  # of its vocabulary nobody knows
    (plan,) = plans_of([replace(made, forward={"inputs": offered})])
    assert plan.status == "ok"


@pytest.mark.parametrize(("made", "advice"), [(cell, "a subclass"), (network, "a factory")])
def test_an_argument_of_the_constructor_that_nobody_gives_is_named_with_what_to_do(
    made: Callable[[str], Cell], advice: str
) -> None:
    missing = r"missing a required argument: 'config'; say params: \{config: …\} in its entry"
    with pytest.raises(UsageError, match=f"{missing} .*, or name {advice}"):
        plans_of([made("Configured")])


def _mixed(choice: Any) -> Cell:
    sizes = {"subject": "backbone", "stride": 1, "dim": None, "num_heads": None, "resolution": (32, 64)}
    return make_cell(name="Mixed", target="mixer_s32", config={"mixer": {"all": choice}}, **sizes)


@pytest.mark.parametrize("choice", ["Alone", "Sides", "Conv", {"name": "LastMaps", "layout": "NHWC"}])
def test_what_is_measured_alone_is_measured_in_a_network_too(choice: Any) -> None:
    named = f"{HERE}:{choice}" if isinstance(choice, str) else {**choice, "name": f"{HERE}:{choice['name']}"}
    subject = build(_mixed(named), "cpu")
    assert step_of(subject, "inference")().shape == (2, 1000)  # type: ignore[attr-defined]
    (plan,) = plans_of([_mixed(named)])
    assert plan.status == "ok"


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (
            f"{HERE}:LastMaps",
            f"; in all benchsuite calls forward(x) of {HERE}:LastMaps with x (B, N, dim); if that is wrong, "
            "say all: {name: …, …} with call: forward(x) | ",
        ),
        (
            {"name": f"{HERE}:Alone", "layout": "NCHW"},
            f"; in all benchsuite calls forward(x) of {HERE}:Alone with x (B, dim, H, W), as its entry says",
        ),
    ],
)
def test_a_mixer_that_fails_in_a_network_says_how_it_was_called(choice: Any, words: str) -> None:
    (plan,) = plans_of([_mixed(choice)])
    assert plan.failure is not None
    assert plan.status == "error"
    assert words in plan.failure.message


def test_a_mixer_that_takes_more_is_a_mistake_in_a_network_too() -> None:
    with pytest.raises(UsageError, match=r"Mixed \(mixer_s32\): all: mixer .* forward takes q, k, v, and"):
        plans_of([_mixed(f"{HERE}:Three")])


def test_a_wrong_guess_says_how_benchsuite_calls_it_and_how_to_say_otherwise() -> None:
    plans = plans_of([cell("LastMaps"), cell("LastMaps", forward={"layout": "NHWC"})])
    assert [plan.status for plan in plans] == ["error", "ok"]
    assert plans[0].failure is not None
    message = plans[0].failure.message
    assert message.startswith("not enough values to unpack")
    assert "benchsuite calls forward(x) with x (B, N, dim); if that is wrong, say call: " in message
    assert "layout: BNC | NCHW | NHWC" in message


@pytest.mark.parametrize(
    ("forward", "words"),
    [
        ({"layout": "BNC"}, "benchsuite calls forward(x) with x (B, N, dim), as its entry says"),
        ({"inputs": {"x": {"shape": ["B", 3]}}}, "calls it with the inputs of its entry: x"),
    ],
)
def test_a_call_that_the_entry_says_is_named_where_it_fails(forward: Any, words: str) -> None:
    (plan,) = plans_of([cell("LastMaps", forward=forward)])
    assert plan.failure is not None
    assert plan.failure.message.startswith("not enough values to unpack")
    assert plan.failure.message.endswith(words)
