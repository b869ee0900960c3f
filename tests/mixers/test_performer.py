"""Performer: what its random features approximate, and where they come from."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchsuite.mixers.msa import MSA
from benchsuite.mixers.performer import PORTS, Performer, orthogonal_features

SIZE = (5, 7)


def tokens(scale: float = 1.0, dim: int = 32) -> Tensor:
    return scale * torch.randn(2, 35, dim, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def distance_from_msa(num_features: int) -> float:
    """Error of the approximation; 1 is that of giving all tokens equal weight."""
    torch.manual_seed(0)
    msa = MSA(32, 4)
    performer = Performer(32, 4, num_features=num_features)
    performer.load_state_dict(msa.state_dict() | {"projection": performer.projection})
    x = tokens(0.5)
    exact = msa(x, SIZE)
    uniform = msa(x.mean(dim=1, keepdim=True), (1, 1))
    return float((performer(x, SIZE) - exact).norm() / (uniform - exact).norm())


def test_more_features_come_closer_to_softmax_attention() -> None:
    assert distance_from_msa(16) > 0.5
    assert distance_from_msa(4096) < 0.25


@pytest.mark.parametrize("options", [{}, {"feature_map": "relu"}, {"stabiliser": "batch"}])
def test_it_is_attention_with_the_weights_of_the_features(options: dict[str, str]) -> None:
    """The weights formed in full, N × N, as the paper defines them: row-normalised φ(q) φ(k)ᵀ.

    Gradients as well, since the stabiliser of a head is a constant to them, and that of a batch is not.
    """
    torch.manual_seed(0)
    module, x = Performer(32, 4, num_features=10, **options).double(), tokens(4.0).double().requires_grad_()
    q, k, v = (t.unflatten(-1, (4, 8)).transpose(1, 2) for t in module.qkv(x).chunk(3, dim=-1))
    omega = module.projection
    if options.get("feature_map") == "relu":
        phi_q, phi_k = ((8**-0.25 * t @ omega.t()).clamp(min=0) + 1e-3 for t in (q, k))
    else:
        (a_q, b_q), (a_k, b_k) = (
            (8**-0.25 * t @ omega.t(), t.pow(2).sum(-1, True) / (2 * 8**0.5)) for t in (q, k)
        )
        top_q = a_q.max(-1, keepdim=True).values
        top_k = a_k.max() if options else a_k.flatten(2).max(-1).values[:, :, None, None]
        if not options:
            top_q, top_k = top_q.detach(), top_k.detach()
        phi_q = torch.exp(a_q - b_q - top_q) + 1e-4
        phi_k = torch.exp(a_k - b_k - top_k) + 1e-4
    weights = phi_q @ phi_k.transpose(-2, -1)
    weights = weights / weights.sum(-1, keepdim=True)
    expected = module.proj((weights @ v).transpose(1, 2).flatten(2))
    out = module(x, SIZE)
    torch.testing.assert_close(out, expected)
    (ours,) = torch.autograd.grad(out.square().sum(), x)
    (by_definition,) = torch.autograd.grad(expected.square().sum(), x)
    torch.testing.assert_close(ours, by_definition)


def test_features_are_orthogonal_within_a_block_of_head_dim() -> None:
    rows = orthogonal_features(20, 8, seed=0)
    assert rows.shape == (20, 8)
    for block in rows.split(8):
        gram = block @ block.t()
        torch.testing.assert_close(gram, torch.diag(gram.diagonal()))
    assert (rows.norm(dim=1) - 1).abs().min() > 1e-3  # norms of Gaussian rows, not of a basis


def test_features_have_the_variance_of_a_gaussian() -> None:
    rows = orthogonal_features(8000, 4, seed=0)
    torch.testing.assert_close(rows.t() @ rows / 8000, torch.eye(4, dtype=rows.dtype), atol=0.05, rtol=0)


def test_features_depend_on_the_seed_alone() -> None:
    torch.manual_seed(1)
    one = Performer(32, 4).projection
    before = torch.get_rng_state()
    features = orthogonal_features(16, 8, seed=0)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(Performer(32, 4).projection, one)
    assert torch.equal(features.float(), one)
    assert not torch.equal(Performer(32, 4, seed=1).projection, one)


def test_features_are_saved_and_not_trained() -> None:
    module = Performer(32, 4)
    assert "projection" in module.state_dict()
    assert "projection" not in dict(module.named_parameters())


def test_features_are_d_ln_d_by_default() -> None:
    assert Performer(768, 12).projection.shape == (266, 64)
    assert Performer(32, 4, head_dim=16).projection.shape == (44, 16)


def test_heads_may_be_wider_than_their_share_of_the_channels() -> None:
    module = Performer(30, 4, head_dim=16)
    assert module.qkv.weight.shape == (3 * 64, 30)
    assert module(tokens(dim=30), SIZE).shape == (2, 35, 30)


def test_the_stabiliser_of_the_batch_lets_images_see_each_other() -> None:
    x = tokens()
    other = torch.cat([x[:1], 3 * x[1:]])
    for stabiliser, alone in (("head", True), ("batch", False)):
        torch.manual_seed(0)
        module = Performer(32, 4, stabiliser=stabiliser)
        assert torch.equal(module(x, SIZE)[0], module(other, SIZE)[0]) == alone


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"feature_map": "tanh"}, r"^unknown feature_map 'tanh'; allowed: softmax, relu$"),
        ({"stabiliser": "token"}, r"^unknown stabiliser 'token'; allowed: head, batch$"),
        ({"num_features": 0}, r"^num_features 0 is not positive$"),
        ({"head_dim": 1}, r"^num_features 0 is not positive$"),
    ],
)
def test_options_that_make_no_sense_are_refused(option: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Performer(32, 4, **option)


def test_the_ports_know_the_authors_defaults() -> None:
    lucidrains, hubhop = PORTS["performer"], PORTS["performer_hubhop"]
    assert lucidrains.arguments({"dim": 32, "heads": 4}) == {
        "dim": 32,
        "num_heads": 4,
        "head_dim": 64,
        "qkv_bias": False,
        "feature_map": "softmax",
    }
    assert hubhop.arguments({"dim": 32, "generalized_attention": True}) == {
        "dim": 32,
        "qkv_bias": False,
        "stabiliser": "batch",
        "feature_map": "relu",
    }


def test_separate_projections_of_the_authors_are_stacked_in_the_order_of_ours() -> None:
    parts = {f"to_{letter}.weight": torch.full((2, 3), value) for value, letter in enumerate("qkv", 1)}
    parts |= {"to_out.weight": torch.zeros(3, 2), "fast_attention.projection_matrix": torch.ones(5, 2)}
    ours = PORTS["performer"].state(parts)
    assert set(ours) == {"qkv.weight", "proj.weight", "projection"}
    assert ours["qkv.weight"][:, 0].tolist() == [1, 1, 2, 2, 3, 3]
