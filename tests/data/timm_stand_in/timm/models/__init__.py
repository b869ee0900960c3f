from timm.models import nets
from timm.models._registry import create_model, get_pretrained_cfg, is_model, list_models

__all__ = ["create_model", "get_pretrained_cfg", "is_model", "list_models", "nets"]
