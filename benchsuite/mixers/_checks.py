"""Checks of options that mixers share. Each raises ValueError that names the option and its value."""

from __future__ import annotations


def check_positive(option: str, value: int) -> int:
    """Return `value`; raises ValueError unless it is 1 or more."""
    if value < 1:
        raise ValueError(f"{option} {value} is not positive")
    return value


def check_odd(option: str, value: int) -> int:
    """Return `value`, the side of a window; raises ValueError unless it has a centre: is odd and positive."""
    if value < 1 or value % 2 == 0:
        raise ValueError(f"{option} {value} is not odd and positive")
    return value


def check_one_of(option: str, value: str, allowed: tuple[str, ...]) -> str:
    """Return `value`; raises ValueError that names all allowed ones unless it is among them."""
    if value not in allowed:
        raise ValueError(f"unknown {option} {value!r}; allowed: {', '.join(allowed)}")
    return value


def check_kernel(kernel: str, kernels: tuple[str, ...], mixer: str) -> str:
    """Return `kernel`, or raise ValueError naming what the mixer can run on."""
    if kernel not in kernels:
        raise ValueError(f"{mixer} has no kernel {kernel!r}; it runs on {', '.join(kernels)}")
    return kernel


def head_dim_of(dim: int, num_heads: int) -> int:
    """Channels per head; raises ValueError if the heads do not divide the channels."""
    if num_heads < 1 or dim % num_heads:
        raise ValueError(f"num_heads {num_heads} does not divide dim {dim}")
    return dim // num_heads
