"""Names, and the function that makes each network."""

_MAKERS = {}


def register_model(name=None):
    def register(make):
        _MAKERS[name or make.__name__] = make
        return make

    return register


def list_models():
    return sorted(_MAKERS)


def get_model_builder(name):
    if name.lower() not in _MAKERS:
        raise ValueError(f"Unknown model {name}")
    return _MAKERS[name.lower()]


def handle_legacy_interface(**weights):
    return lambda make: make
