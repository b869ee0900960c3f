"""Names, tags, and the function that makes each network."""

from dataclasses import asdict, dataclass

_entrypoints = {}
_cfgs = {}


@dataclass(frozen=True)
class PretrainedCfg:
    input_size: tuple = (3, 224, 224)
    fixed_input_size: bool = False

    def to_dict(self):
        return asdict(self)


def generate_default_cfgs(cfgs):
    for key, cfg in cfgs.items():
        _cfgs[key] = cfg
        _cfgs.setdefault(key.partition(".")[0], cfg)


def register_model(make):
    _entrypoints[make.__name__] = make
    return make


def register_model_deprecations(module_name, deprecation_map):
    for old, new in deprecation_map.items():
        _entrypoints[old] = _entrypoints[new.partition(".")[0]]


def is_model(name):
    return name.partition(".")[0] in _entrypoints


def list_models():
    return sorted({key.partition(".")[0] for key in _cfgs})


def get_pretrained_cfg(name):
    if name in _cfgs:
        return _cfgs[name]
    network, _, tag = name.partition(".")
    if network in _cfgs:
        raise RuntimeError(f"Invalid pretrained tag ({tag}) for {network}.")
    return None


def create_model(name, **kwargs):
    if not is_model(name):
        raise RuntimeError(f"Unknown model ({name})")
    make = _entrypoints[name.partition(".")[0]]
    cfg = get_pretrained_cfg(name) or get_pretrained_cfg(make.__name__)
    if cfg.fixed_input_size:
        kwargs.setdefault("img_size", cfg.input_size[-2:])
    network = make(**kwargs)
    network.pretrained_cfg = cfg.to_dict()
    return network
