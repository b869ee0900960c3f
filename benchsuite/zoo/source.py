"""Sources, read and not imported, so that no torch is needed: what a class says of itself.

Only what is plain in the source is read: a class variable that is computed, or a base class that cannot be
found, raises `Unreadable` where a guess could be wrong.
"""

from __future__ import annotations

import ast
import functools
import importlib.machinery
import importlib.util
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchsuite.mixers import Relation

_HOPS = 16
"""Imports that are followed from one name; more than any package has, so that circles end."""
_WITHOUT_INIT = ("Module", "ABC", "object")
"""Base classes whose constructor takes nothing, and which have none of our class variables."""
_MACS = re.compile(r"\n\nMACs:(.*(?:\n\n? +.*)*)")
"""The section of a class's docstring that says its multiply–adds; what goes on with it is indented."""


class Unreadable(Exception):  # noqa: N818  a state of a source, not a fault
    """The source does not say this in a form that can be read without running it."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One constructor argument: its name, annotation and default as written in the source.

    `**options`, which takes any name, is called with its stars.
    """

    name: str
    annotation: str
    default: str | None


@dataclass(frozen=True)
class Module:
    """A file as parsed.

    Attributes:
        name: dotted.
        package: what its relative imports start from.
        search: folders in which the modules that it imports are looked for.
    """

    name: str
    package: str
    tree: ast.Module
    search: tuple[str, ...]

    @property
    def docstring(self) -> str:
        """Of the module, without indentation; empty if there is none."""
        return ast.get_docstring(self.tree) or ""

    def find(self, name: str, hops: int = _HOPS) -> Class:
        """The class of this name, defined here or imported from a file that can be found.

        Raises:
            Unreadable: there is none.
        """
        for item in self.tree.body:
            if isinstance(item, ast.ClassDef) and item.name == name:
                return Class(item, self)
        home, original = self._imported(name, hops)
        return home.find(original, hops - 1)

    def value(self, expression: ast.expr, hops: int = _HOPS) -> Any:
        """A constant, a tuple of such and of starred tuples, a name of one, a slice or a sum of tuples, or a
        `Relation` of them.

        Raises:
            Unreadable: it is anything else.
        """
        result: Any
        match expression:
            case ast.Constant(value=result):
                pass
            case ast.Tuple(elts=items) | ast.List(elts=items):
                result = tuple(one for item in items for one in self._unpacked(item, hops))
            case ast.Name(id=name):
                result = self._constant(name, hops)
            case ast.Attribute(value=ast.Name(id=owner), attr=name):
                result = self.find(owner, hops).variable(name)
            case ast.Subscript(value=whole, slice=ast.Slice(lower=lower, upper=upper, step=None)):
                ends = [None if end is None else self.value(end, hops) for end in (lower, upper)]
                result = self.value(whole, hops)[slice(*ends)]
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                result = self.value(left, hops) + self.value(right, hops)
            case ast.Call(func=ast.Name(id=name)) if self._is_relation(name, hops):
                named = {word.arg: self.value(word.value, hops) for word in expression.keywords if word.arg}
                result = Relation(*(self.value(arg, hops) for arg in expression.args), **named)
            case _:
                raise Unreadable(ast.unparse(expression))
        return result

    def _unpacked(self, item: ast.expr, hops: int) -> tuple[Any, ...]:
        """The values that an item of a tuple stands for: several if it has a star."""
        if isinstance(item, ast.Starred):
            return tuple(self.value(item.value, hops))
        return (self.value(item, hops),)

    def _constant(self, name: str, hops: int) -> Any:
        """A name that the file binds once, at its top, or imports."""
        bound = [value for target, value in _bindings(self.tree.body) if target == name]
        if len(bound) == 1:
            return self.value(bound[0], hops)
        if bound:
            raise Unreadable(f"{self.name} binds {name} more than once")
        home, original = self._imported(name, hops)
        return home.value(ast.Name(id=original), hops - 1)

    def _is_relation(self, name: str, hops: int) -> bool:
        home, original = self._imported(name, hops)
        return (home.name, original) == (Relation.__module__, Relation.__name__)

    def _imported(self, name: str, hops: int) -> tuple[Module, str]:
        """Module that a name is imported from, and its name there."""
        statements = [item for item in self.tree.body if isinstance(item, ast.ImportFrom)] if hops else []
        for item in statements:
            for alias in item.names:
                if (alias.asname or alias.name) == name:
                    return read(self._absolute(item), self.search), alias.name
        raise Unreadable(f"{self.name} does not say what {name} is")

    def _absolute(self, statement: ast.ImportFrom) -> str:
        """The module that `from … import` names."""
        relative = "." * statement.level + (statement.module or "")
        try:
            return importlib.util.resolve_name(relative, self.package or None)
        except ImportError as error:
            raise Unreadable(f"{self.name} is in no package that holds {relative}") from error


@dataclass(frozen=True)
class Class:
    """A class in its file."""

    node: ast.ClassDef
    home: Module

    @property
    def docstring(self) -> str:
        """Of the class itself, without indentation and its section "MACs:"; empty if there is none."""
        return _MACS.sub("", ast.get_docstring(self.node) or "")

    @property
    def cost(self) -> str:
        """Closed form of its multiply–adds in words, on one line, as the nearest class says it; or empty.

        It is the first paragraph of the section "MACs:", or of the docstring of a method `macs`.

        Raises:
            Unreadable: a base class is not found.
        """
        for cls in self._lineage():
            method = cls._own_function("macs")
            section = _MACS.search(ast.get_docstring(cls.node) or "")
            if method or section:
                told = (ast.get_docstring(method) or "") if method else section[1] if section else ""
                return " ".join(told.partition("\n\n")[0].split())
        return ""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Arguments of `__init__`, of the nearest class that has one. Raises Unreadable."""
        for cls in self._lineage():
            if cls.node.decorator_list:
                raise Unreadable(f"{cls.node.name} is decorated")
            init = cls._own_function("__init__")
            if init is not None:
                return arguments(init.args)[1:]
        return ()

    @property
    def forward(self) -> str:
        """Its forward pass as a call, "forward(x, size=None)", of the nearest class that has one; or empty.

        Raises:
            Unreadable: a base class is not found.
        """
        method = next(filter(None, (cls._own_function("forward") for cls in self._lineage())), None)
        if method is None:
            return ""
        given = arguments(method.args)[1:]
        words = [one.name if one.default is None else f"{one.name}={one.default}" for one in given]
        return f"forward({', '.join(words)})"

    def variable(self, name: str) -> Any:
        """Value of a class variable, of the nearest class that has it, or None. Raises Unreadable."""
        for cls in self._lineage():
            for target, value in _bindings(cls.node.body):
                if target == name:
                    try:
                        return cls.home.value(value)
                    except TypeError as error:  # what the source says cannot be done, a sum of unlike things
                        raise Unreadable(str(error)) from error
        return None

    def _own_function(self, name: str) -> ast.FunctionDef | None:
        """The method of this name that the class itself defines."""
        functions = (item for item in self.node.body if isinstance(item, ast.FunctionDef))
        return next((function for function in functions if function.name == name), None)

    def _lineage(self) -> Iterator[Class]:
        """The class, then its bases, depth first; raises Unreadable at one that is not found."""
        yield self
        for base in self.node.bases:
            match base:
                case ast.Name(id=name) | ast.Attribute(attr=name) if name in _WITHOUT_INIT:
                    continue
                case ast.Name(id=name) if name != self.node.name:
                    yield from self.home.find(name)._lineage()
                case _:
                    raise Unreadable(f"{self.node.name} is based on {ast.unparse(base)}")


@functools.cache
def read(module: str, search: tuple[str, ...]) -> Module:
    """Find and parse a module without importing it or its packages.

    Args:
        search: folders to look in, as `sys.path`.

    Raises:
        Unreadable: it is not there, is no Python file, or does not parse.
    """
    folders: list[str] | None = list(search)
    spec = None
    for part in module.split("."):
        spec = importlib.machinery.PathFinder.find_spec(part, folders) if folders is not None else None
        if spec is None:
            raise Unreadable(f"no source of {module} was found")
        inside = spec.submodule_search_locations
        folders = None if inside is None else list(inside)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise Unreadable(f"{module} has no source")
    try:
        with tokenize.open(spec.origin) as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError) as error:
        raise Unreadable(f"{spec.origin}: {error}") from error
    package = module if folders is not None else module.rpartition(".")[0]
    return Module(name=module, package=package, tree=tree, search=search)


def _bindings(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    """Names bound to a value by the statements, in order."""
    for item in body:
        match item:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value


def arguments(args: ast.arguments) -> tuple[Parameter, ...]:
    """Arguments of a function, `self` among them, in order."""
    positional = [*args.posonlyargs, *args.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(args.defaults)) + list(args.defaults)
    pairs = [*zip(positional, defaults, strict=True), *zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    parameters = [
        Parameter(
            name=arg.arg,
            annotation=ast.unparse(arg.annotation) if arg.annotation else "",
            default=ast.unparse(default) if default is not None else None,
        )
        for arg, default in pairs
    ]
    if args.kwarg:
        parameters.append(Parameter(name=f"**{args.kwarg.arg}", annotation="", default=None))
    return tuple(parameters)
