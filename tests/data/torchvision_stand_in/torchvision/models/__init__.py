from . import nets
from ._api import get_model_builder, list_models

__all__ = ["get_model_builder", "list_models", "nets"]
