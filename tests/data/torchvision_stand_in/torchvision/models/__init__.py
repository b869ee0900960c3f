from . import nets
from ._api import get_model, list_models

__all__ = ["get_model", "list_models", "nets"]
