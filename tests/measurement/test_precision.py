"""TF32 allowed and forbidden, whichever of torch's two sets of words somebody has used before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from benchsuite.measurement.environment import describe
from benchsuite.measurement.precision import precision_of, set_tf32, tf32, tf32_settings

BACKENDS: Any = torch.backends
NEWER = hasattr(torch.backends, "fp32_precision")


@pytest.fixture(autouse=True)
def _settings_are_put_back() -> Iterator[None]:
    set_tf32(False)
    yield
    set_tf32(False)


def newer() -> tuple[str, str, str]:
    """What the newer words say: of products, of convolutions, of recurrent networks."""
    cudnn = BACKENDS.cudnn
    return BACKENDS.cuda.matmul.fp32_precision, cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision


@pytest.mark.parametrize("allowed", [True, False])
def test_it_is_allowed_or_forbidden_within_and_then_as_before(allowed: bool) -> None:
    set_tf32(not allowed)
    before = tf32_settings()
    with tf32(allowed):
        assert tf32_settings() == (("high", True) if allowed else ("highest", False))
        if NEWER:
            assert newer() == (("tf32",) * 3 if allowed else ("ieee",) * 3)
    assert tf32_settings() == before


@pytest.mark.skipif(not NEWER, reason="this torch has one set of words only")
def test_what_somebody_has_set_with_the_newer_words_alone_stops_no_cell() -> None:
    BACKENDS.cuda.matmul.fp32_precision = BACKENDS.cudnn.conv.fp32_precision = "tf32"
    for read in (torch.get_float32_matmul_precision, lambda: torch.backends.cudnn.allow_tf32):
        with pytest.raises(RuntimeError, match="mix of the legacy and new APIs"):
            read()
    flags = describe("cpu", [])["flags"]
    assert (flags["float32_matmul_precision"], flags["cudnn_tf32"]) == ("high", True)
    with precision_of("fp32", "cpu"):
        assert newer() == ("ieee",) * 3
        assert torch.get_float32_matmul_precision() == "highest"  # inductor asks for it
        with torch.backends.cudnn.flags(enabled=False):  # reads the older words, too
            pass
    assert newer() == ("tf32",) * 3
    assert torch.get_float32_matmul_precision() == "high"
