"""Changes that are laid over a document: profiles (`merge`) and `--set path=value` (`override`)."""

from __future__ import annotations

from collections.abc import Mapping

from benchsuite.errors import Problem
from benchsuite.scenario.yaml_tree import Node, Path, dotted, grown, parse, parse_path


def merge(base: Node, over: Node) -> Node:
    """`over` laid over `base`: mappings merge key by key, everything else is replaced."""
    if not isinstance(base.value, Mapping) or not isinstance(over.value, Mapping):
        return over
    merged = dict(base.value)
    for key, node in over.value.items():
        merged[key] = merge(merged[key], node) if key in merged else node
    return base.holding(merged)


def override(root: Node, text: str) -> tuple[Node, tuple[Problem, ...]]:
    """Apply one `--set` to a document.

    Args:
        text: `sweep.batch=[1, 64]`; the value is YAML. A mapping or list on the way must exist, except that a
            missing mapping is made, and that a mixer or network given as a bare word may be given parameters.

    Returns:
        The new document, and what was wrong; the document is unchanged if anything was. Whether the path
        means anything is left to the check of the whole document, which knows the keys.
    """
    file = f"--set {text}"
    written, equals, value = text.partition("=")
    path = parse_path(written.strip())
    if not equals or path is None:
        example = "sweep.batch=64 or sweep.mixer[0].params.alpha=0.5"
        return root, (Problem(file, 0, 0, "", f"not of the form path=value; write for example {example}"),)
    if path[-3:-2] in (("params",), ("vary",)) and str(path[-2]).startswith("stage"):
        path = (*path[:-2], f"{path[-2]}.{path[-1]}")  # the size of a stage is one parameter
    if path[0] == "profiles":
        return root, (
            Problem(file, 0, 0, dotted(path), "profiles are applied before --set; set the key itself"),
        )
    source = parse(value if value.strip() else "null", file)
    if source.problems:
        return root, tuple(Problem(file, 0, 0, dotted(path), problem.message) for problem in source.problems)
    try:
        return _placed(root, path, grown(source.value, file, path), file), ()
    except LookupError as error:
        return root, (Problem(file, 0, 0, dotted(path), str(error.args[0])),)


def _is_entry(path: Path) -> bool:
    """True where a bare word names a mixer or a network: alone, in a list, or in a stage of a network."""
    if path[:1] != ("sweep",) or path[1:2] not in (("mixer",), ("backbone",)):
        return False
    rest = path[3:] if len(path) > 2 and isinstance(path[2], int) else path[2:]
    if not rest:
        return True
    if path[1] != "backbone" or rest[0] != "mixer" or len(rest) < 2:
        return False
    below = rest[2:]  # of a stage: nothing, or the place among mixers that alternate
    return not below or (len(below) == 2 and below[0] == "alternate" and isinstance(below[1], int))


def _placed(node: Node, path: Path, leaf: Node, file: str, walked: Path = ()) -> Node:
    """A copy of `node` with `leaf` at `path`; raises LookupError where there is no such place."""
    if not path:
        return leaf
    part, rest = path[0], path[1:]
    here = dotted(walked) or "a scenario"
    if isinstance(node.value, str) and _is_entry(walked):
        node = node.holding({"name": node})
    if isinstance(part, int):
        if not isinstance(node.value, tuple):
            raise LookupError(f"{here} is not a list")
        if part >= len(node.value):
            raise LookupError(f"{here} has {len(node.value)} entries, counted from 0")
        items = list(node.value)
        items[part] = _placed(items[part], rest, leaf, file, (*walked, part))
        return node.holding(tuple(items))
    if not isinstance(node.value, Mapping):
        raise LookupError(f"{here} is not a mapping")
    below = node.value.get(part, Node({}, file, (*walked, part)))
    return node.holding({**node.value, part: _placed(below, rest, leaf, file, (*walked, part))})
