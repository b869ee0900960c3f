"""One step in every mode: what runs, what it leaves behind, and what it does not touch."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from benchsuite.errors import UsageError
from benchsuite.results.cell import Cell
from benchsuite.worker.build import Subject, build
from benchsuite.worker.steps import EPSILON, LEARNING_RATE, steps_of
from tests.builders import make_cell


class Noted(nn.Module):
    """A product that notes its dtype on the way forward and back, and drops half of what it makes."""

    def __init__(self, drop: float = 0.0) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.drop = nn.Dropout(drop)
        self.seen: list[torch.dtype] = []
        self.autocast_back: list[bool] = []

    def forward(self, x: Tensor) -> Tensor:
        made = self.linear(x)
        self.seen.append(made.dtype)
        if made.requires_grad:
            made.register_hook(lambda grad: self.autocast_back.append(torch.is_autocast_enabled("cpu")))
        out: Tensor = self.drop(made)
        return out


def subject_of(module: nn.Module, **changes: object) -> Subject:
    return Subject(module, (torch.randn(3, 4),), **changes)  # type: ignore[arg-type]


def training(**changes: object) -> Cell:
    return make_cell(mode="training_step", **changes)


def weights(module: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in module.parameters()]


def gradients(module: nn.Module) -> list[Tensor]:
    found = [parameter.grad for parameter in module.parameters()]
    return [grad.clone() for grad in found if grad is not None]


@pytest.mark.parametrize("mode", ["inference", "forward_backward", "training_step"])
def test_autocast_covers_the_forward_pass_and_nothing_else(mode: str) -> None:
    module = Noted()
    steps = steps_of(subject_of(module, autocast=torch.bfloat16), mode)
    output = steps.whole()
    assert module.seen == [torch.bfloat16]
    assert isinstance(output, Tensor)
    assert output.dtype == torch.bfloat16
    assert not any(module.autocast_back)
    assert len(module.autocast_back) == (mode != "inference")
    assert not torch.is_autocast_enabled("cpu")


def test_without_autocast_nothing_is_cast() -> None:
    module = Noted()
    steps_of(subject_of(module), "inference").whole()
    assert module.seen == [torch.float32]


def test_inference_with_gradients_records_them_in_training_mode() -> None:
    subject = build(make_cell(), "cpu")
    output = steps_of(subject, "inference", gradients=True).whole()
    assert isinstance(output, Tensor)
    assert output.requires_grad
    assert subject.module.training
    plain = steps_of(build(make_cell(), "cpu"), "inference").whole()
    assert isinstance(plain, Tensor)
    assert plain.is_inference()
    assert torch.equal(plain, output.detach())


@pytest.mark.parametrize("mode", ["inference", "forward_backward"])
def test_only_a_training_step_has_parts(mode: str) -> None:
    steps = steps_of(build(make_cell(), "cpu"), mode)
    assert not steps.parts
    assert steps.optimizer is None
    assert steps.first is steps.whole


def test_a_training_step_is_adamw_after_forward_and_backward() -> None:
    subject = build(training(dtype="fp64"), "cpu")
    before = weights(subject.module)
    steps = steps_of(subject, "training_step")
    steps.whole()
    # The first step of AdamW: both moments are the gradient's own, so it moves by the sign, nearly.
    for old, grad, new in zip(before, gradients(subject.module), weights(subject.module), strict=True):
        decayed = old * (1 - LEARNING_RATE * 0.01)
        expected = decayed - LEARNING_RATE * grad / (grad.abs() + EPSILON)
        torch.testing.assert_close(new, expected, rtol=0, atol=1e-15)


def test_the_parts_of_a_training_step_do_what_the_whole_does() -> None:
    whole, apart = build(training(), "cpu"), build(training(), "cpu")
    steps = steps_of(whole, "training_step")
    torch.manual_seed(1)
    for _ in range(3):
        steps.whole()
    parts = steps_of(apart, "training_step").parts
    assert list(parts) == ["forward", "backward", "optimizer"]
    torch.manual_seed(1)
    for _ in range(3):
        for part in parts.values():
            part()
    assert all(map(torch.equal, weights(whole.module), weights(apart.module)))
    assert not any(map(torch.equal, weights(whole.module), weights(build(training(), "cpu").module)))


def test_the_first_step_leaves_the_weights_as_they_are_and_gradients_do_not_add_up() -> None:
    subject = build(training(), "cpu")
    before = weights(subject.module)
    steps = steps_of(subject, "training_step")
    steps.first()
    once = gradients(subject.module)
    steps.first()
    assert len(once) == len(before)
    assert all(map(torch.equal, weights(subject.module), before))
    assert all(map(torch.equal, gradients(subject.module), once))


def test_the_forward_part_begins_with_no_gradients_of_the_last_step() -> None:
    subject = build(training(), "cpu")
    steps = steps_of(subject, "training_step")
    steps.whole()
    assert gradients(subject.module)  # there to be looked at after a step
    steps.parts["forward"]()
    assert not gradients(subject.module)


def test_training_drops_and_the_other_modes_do_not() -> None:
    module = Noted(drop=0.5)
    module.train(False)
    output = steps_of(subject_of(module), "forward_backward").whole()
    assert isinstance(output, Tensor)
    assert (output != 0).all()
    dropped = steps_of(subject_of(module), "training_step").whole()
    assert isinstance(dropped, Tensor)
    assert (dropped == 0).any()


def test_tokens_get_a_gradient_in_training_and_images_do_not() -> None:
    tokens, images = subject_of(Noted()), subject_of(Noted(), images=True)
    for subject in (tokens, images):
        steps_of(subject, "training_step").whole()
    assert tokens.tensor.grad is not None
    assert images.tensor.grad is None


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16", "autocast_bf16"])
def test_many_steps_leave_the_weights_finite_and_near_where_they_were(dtype: str) -> None:
    subject = build(training(dtype=dtype), "cpu")
    before = weights(subject.module)
    steps = steps_of(subject, "training_step")
    for _ in range(50):
        steps.whole()
    for old, new in zip(before, weights(subject.module), strict=True):
        assert float((new - old).abs().max()) <= 3e-4


def test_nothing_to_train_is_said_before_anything_runs() -> None:
    with pytest.raises(UsageError, match="Identity has no parameters to train"):
        steps_of(subject_of(nn.Identity()), "training_step")


def test_the_optimizer_holds_two_moments_a_weight_after_a_step() -> None:
    subject = build(training(), "cpu")
    steps = steps_of(subject, "training_step")
    steps.whole()
    assert steps.optimizer is not None
    held = [t for state in steps.optimizer.state.values() for t in state.values() if t.ndim]
    assert sum(t.numel() for t in held) == 2 * sum(p.numel() for p in subject.module.parameters())
