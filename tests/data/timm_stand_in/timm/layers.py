"""The switch between timm's own attention and torch's fused one, read when a layer is made."""

_fused = [True]


def use_fused_attn() -> bool:
    return _fused[0]


def set_fused_attn(enable: bool = True) -> None:
    _fused[0] = enable
