"""Names of what is not ours, looked up and not imported: networks of libraries, and "package.module:Name"."""

from __future__ import annotations

import ast
import difflib
import functools
import importlib.machinery
import importlib.util
import pkgutil
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchsuite.errors import did_you_mean
from benchsuite.scenario.subjects import LIBRARIES
from benchsuite.zoo.source import Parameter, Unreadable, arguments, read

# timm and torchvision register each network with a decorator, and timm its weights as "network.tag".
_NETWORK = re.compile(
    r'^@register_model(?:\((?:name="(\w+)")?\))?\s*\n(?:@.*\n(?:[ )].*\n)*)*def (\w+)\(', re.MULTILINE
)
_TIMM_KEY = re.compile(r"""^\s*['"](\w+)(?:\.([\w.-]+))?\*?['"]\s*:""", re.MULTILINE)
_TIMM_RENAMED = re.compile(r"register_model_deprecations\(\s*__name__")
_NEAREST_NAMES = 3
_MADE_AT_RUN_TIME = frozenset({"__getattr__", "globals", "exec", "setattr", "*", "exit", "_exit", "abort"})
"""Names in a module that may bind others as it runs, or end it before it binds its own."""


def absent(target: str, search: tuple[str, ...]) -> str | None:
    """Why there is no such network of a library, or no such "package.module:Name", with the nearest names.

    Args:
        search: folders to look in, as `sys.path`.

    Returns:
        None if there is one, or its library is not installed, or its module makes names as it runs.
    """
    first, colon, name = target.partition(":")
    if not colon:
        return None
    if target.startswith(LIBRARIES):
        names = library_names(first, search)
        like = names.nearest(name) if names else None
        ending = f"; the nearest are {', '.join(like)}" if like else ""
        return None if like is None else f'{first} has no network "{name}"{ending}'
    return _no_module(first, search) or _no_name(first, name, search)


def parameters(target: str, search: tuple[str, ...]) -> tuple[Parameter, ...] | None:
    """Arguments of an own class or function, in order; None if they cannot be read.

    Args:
        search: folders to look in, as `sys.path`.
    """
    module, _, name = target.partition(":")
    try:
        home = read(module, search)
        for item in home.tree.body:
            if isinstance(item, ast.FunctionDef) and item.name == name:
                return None if item.decorator_list else arguments(item.args)
        return home.find(name).parameters
    except Unreadable:
        return None


def _no_module(module: str, search: tuple[str, ...]) -> str | None:
    folders: Sequence[str] | None = search
    walked: list[str] = []
    for part in module.split("."):
        if folders is None:
            return f"{'.'.join(walked)} is a module, not a package, and holds no {part}"
        spec = importlib.machinery.PathFinder.find_spec(part, list(folders))
        if spec is None and not walked:  # an editable install may bring a finder of its own
            with suppress(ValueError):
                spec = importlib.util.find_spec(part)
        if spec is None:
            where = f"in {'.'.join(walked)}" if walked else "here, in --pythonpath, PYTHONPATH or installed"
            there = {found.name for found in pkgutil.iter_modules(list(folders))}
            return f'no module "{part}" {where}{did_you_mean(part, sorted(there))}'
        walked.append(part)
        folders = spec.submodule_search_locations
    return None


def _no_name(module: str, name: str, search: tuple[str, ...]) -> str | None:
    try:
        tree = read(module, search).tree
    except Unreadable:
        return None
    bound = {word for node in ast.walk(tree) for word in _bound(node)}
    if name in bound or bound & _MADE_AT_RUN_TIME:
        return None
    classes = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return f'module {module} has no "{name}"{did_you_mean(name, sorted(classes | functions))}'


def _bound(node: ast.AST) -> Sequence[str]:
    """Names that a node may bind, at whatever depth it stands, and those through which it may bind others."""
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return (name,)
        case ast.Name(id=name, ctx=ast.Store()):
            return (name,)
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in _MADE_AT_RUN_TIME:
            return (name,)
        case ast.alias(name=name, asname=asname):
            return (asname or name.partition(".")[0],)
    return ()


@dataclass(frozen=True, slots=True)
class LibraryNames:
    """Names of networks in an installed timm or torchvision.

    Attributes:
        networks: those with an old name, which timm still takes, included.
        tagged: "network.tag" of all weights of timm, but for networks whose tags are computed.
    """

    networks: frozenset[str]
    tagged: frozenset[str]

    def nearest(self, name: str) -> tuple[str, ...] | None:
        """None if there is such a network, else the names that are most like `name`."""
        network, dot, _ = name.partition(".")
        if network not in self.networks:  # its weights, of which one network has many, are not compared
            return tuple(difflib.get_close_matches(name, sorted(self.networks), n=_NEAREST_NAMES))
        tags = [tagged for tagged in self.tagged if tagged.startswith(f"{network}.")]
        if not dot or name in tags or not tags:
            return None
        return tuple(difflib.get_close_matches(name, sorted(tags), n=_NEAREST_NAMES, cutoff=0.0))


@functools.cache
def library_names(library: str, search: Sequence[str]) -> LibraryNames | None:
    """Names of the timm or torchvision that is found in these folders; None if none is, or it cannot be read.

    Args:
        search: folders to look in, as `sys.path`.
    """
    spec = importlib.machinery.PathFinder.find_spec(library, list(search))
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    try:
        texts = [file.read_text(encoding="utf-8") for file in sorted(root.glob("models/**/*.py"))]
    except (OSError, UnicodeDecodeError):
        return None
    networks = {name or function for text in texts for name, function in _NETWORK.findall(text)}
    keys = [match for text in texts for match in _TIMM_KEY.findall(text)]
    tagged = frozenset(f"{name}.{tag}" for name, tag in keys if tag and name in networks)
    renamed = {
        name for text in texts for name, _ in _TIMM_KEY.findall("".join(_TIMM_RENAMED.split(text)[1:]))
    }
    return LibraryNames(frozenset(networks | renamed), tagged) if networks else None
