"""Five networks that behave as timm 1.0.31's of the same names do, for tests where timm is not installed.

Small in every way: one block, a few channels. What is the same is what they do with images of other sizes,
with names, tags and arguments.
"""

from timm import layers
from timm.models import create_model, get_pretrained_cfg, is_model, list_models
from timm.version import __version__

__all__ = ["__version__", "create_model", "get_pretrained_cfg", "is_model", "layers", "list_models"]
