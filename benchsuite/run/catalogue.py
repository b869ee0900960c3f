"""Names and parameters of the zoo, read from its source without importing torch."""

from __future__ import annotations

import ast
import functools
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchsuite.mixers import MIXERS

AXES = frozenset({"dim", "grid", "kernel"})
"""Arguments that a scenario sweeps as axes and that `params` therefore must not name."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One constructor argument: its name, annotation and default as written in the source."""

    name: str
    annotation: str
    default: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of `MIXERS` as its source shows it."""

    name: str
    target: str
    summary: str
    paper: str
    layout: str
    parameters: tuple[Parameter, ...]


def known_parameters() -> dict[str, tuple[str, ...]]:
    """Mixer → the words that its `params` may use, sorted."""
    return {
        name: tuple(sorted(p.name for p in entry(name).parameters if p.name not in AXES)) for name in MIXERS
    }


@functools.cache
def entry(name: str) -> Entry:
    """What the source of a mixer of the table says of it."""
    target = MIXERS[name]
    module, _, cls = target.partition(":")
    tree = _tree(module)
    node = next(item for item in tree.body if isinstance(item, ast.ClassDef) and item.name == cls)
    lines = (ast.get_docstring(tree) or name).splitlines()
    paper = next((line.partition(": ")[2] for line in lines if line.startswith(("Paper: ", "Papers: "))), "")
    return Entry(
        name=name,
        target=target,
        summary=lines[0],
        paper=paper,
        layout=_layout(node, tree),
        parameters=_parameters(node, tree),
    )


@functools.cache
def _tree(module: str) -> ast.Module:
    # find_spec of a submodule imports only its parents, which import no torch.
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"MIXERS names the module {module}, which does not exist")
    return ast.parse(Path(spec.origin).read_text(encoding="utf-8"))


def _layout(node: ast.ClassDef, tree: ast.Module) -> str:
    """The class variable `layout`, of the nearest class that has one."""
    for item in node.body:
        if (
            isinstance(item, ast.AnnAssign)
            and isinstance(item.target, ast.Name)
            and item.target.id == "layout"
        ):
            return str(ast.literal_eval(item.value)) if item.value else ""
    return next((_layout(*base) for base in _bases(node, tree)), "")


def _parameters(node: ast.ClassDef, tree: ast.Module) -> tuple[Parameter, ...]:
    """Arguments of `__init__`, of the nearest class that has one."""
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return _arguments(item.args)
    return next((_parameters(*base) for base in _bases(node, tree)), ())


def _bases(node: ast.ClassDef, tree: ast.Module) -> Iterator[tuple[ast.ClassDef, ast.Module]]:
    """Base classes that this file defines or imports from another file of the zoo, each with its file."""
    imported = {
        alias.name: item.module
        for item in tree.body
        if isinstance(item, ast.ImportFrom) and item.module and item.module.startswith("benchsuite.mixers")
        for alias in item.names
    }
    for base in node.bases:
        name = base.id if isinstance(base, ast.Name) else ""
        home = _tree(imported[name]) if name in imported else tree
        for item in home.body:
            if isinstance(item, ast.ClassDef) and item.name == name:
                yield item, home


def _arguments(args: ast.arguments) -> tuple[Parameter, ...]:
    positional = [*args.posonlyargs, *args.args][1:]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(args.defaults)) + list(args.defaults)
    pairs = [*zip(positional, defaults, strict=True), *zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    return tuple(
        Parameter(
            name=arg.arg,
            annotation=ast.unparse(arg.annotation) if arg.annotation else "",
            default=ast.unparse(default) if default is not None else None,
        )
        for arg, default in pairs
    )
