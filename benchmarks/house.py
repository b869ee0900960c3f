"""How large the house is, and how far it is from a command to the clock, in numbers.

    python benchmarks/house.py [--no-run]

Counts, nothing else: lines and files, functions that a run of one cell enters, functions on the stack when
the clock is first read, files that one would have to touch to add a thing of a kind, names that stand for two
things.
"""

from __future__ import annotations

import argparse
import ast
import re
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks._entered import one_cell_run  # noqa: E402

KINDS: Mapping[str, str] = {
    "metric (files that name energy)": r"\benergy\b|energy_j|\bEnergy\b",
    "figure (files that name kernel_speedup)": r"kernel_speedup|kernel-speedup",
    "executor (files that name ray)": r"\bray\b|\bRay\b",
}
"""Adding such a thing → what the files that one of them needed have in common."""


def modules(package: str) -> dict[str, Path]:
    """Dotted name → file, of all modules of a package."""
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def lines(paths: Iterable[Path]) -> int:
    """Lines of all of them."""
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


def imports(name: str, path: Path, known: Mapping[str, Path]) -> set[str]:
    """Modules of `known` that one imports, anywhere in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {one for one in found if one in known and one != name}


def circles(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Groups of packages that import each other, directly or through others."""
    reach = {one: _reached(one, graph) for one in graph}
    groups = {frozenset({one, *(other for other in reach[one] if one in reach[other])}) for one in graph}
    return [set(group) for group in groups if len(group) > 1]


def _reached(start: str, graph: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting += graph.get(one, ())
    return seen


def functions(paths: Iterable[Path]) -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function, with its file."""
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node


def twice(paths: Iterable[Path]) -> tuple[list[str], list[str]]:
    """Public classes, and files, whose name stands for several things.

    A file of the command line may be named like its command, and a paper's mixer and network like the paper.
    """
    paths = list(paths)
    classes = Counter(
        node.name
        for path in paths
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    places = {path: str(path.parent).replace("backbones", "mixers") for path in paths}
    named = {(path.name, place) for path, place in places.items() if path.parent.name != "cli"}
    files = Counter(name for name, _ in named if name not in ("__init__.py", "__main__.py"))
    return [name for name, many in classes.items() if many > 1], [
        name for name, many in files.items() if many > 1
    ]


def cuda(paths: Iterable[Path]) -> tuple[int, int]:
    """Comparisons with the word "cuda", and the files that hold them."""
    found = {
        path: len(re.findall(r'(==|!=|\bin\b) \(?"cuda"', path.read_text(encoding="utf-8"))) for path in paths
    }
    return sum(found.values()), sum(1 for many in found.values() if many)


def main() -> None:
    """Print every number."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--no-run", action="store_true", help="only what can be read from the files")
    asked = parser.parse_args()

    known = modules("benchsuite")
    paths = list(known.values())
    tests = list((ROOT / "tests").rglob("*.py"))
    print(f"package            {lines(paths):6,} lines in {len(paths)} files")
    by_package: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        inside = path.relative_to(ROOT / "benchsuite").parts
        by_package[inside[0] if len(inside) > 1 else "(top)"].append(path)
    for name, owned in sorted(by_package.items()):
        print(f"  {name:16} {lines(owned):6,} lines in {len(owned)} files")
    print(f"tests              {lines(tests):6,} lines in {len(tests)} files")

    graph = {name: imports(name, path, known) for name, path in known.items()}
    importers = Counter(one for found in graph.values() for one in found)
    print(f"one importer       {sum(1 for name in known if importers[name] == 1):6} files")
    packages: dict[str, set[str]] = defaultdict(set)
    for name, found in graph.items():
        packages[_top(name)] |= {_top(one) for one in found} - {_top(name)}
    print(f"import circles     {len(circles(graph)):6} of modules, {len(circles(packages))} of packages")

    sizes = [(node.end_lineno or node.lineno) - node.lineno + 1 for _, node in functions(paths)]
    print(
        f"functions          {len(sizes):6}, median {statistics.median(sizes):g} lines, "
        f"{sum(size > 50 for size in sizes)} over 50"
    )
    classes, files = twice(paths)
    print(f"two things, a name {len(classes):6} public classes, {len(files)} files")
    for name in sorted((*classes, *files)):
        print(f"    {name}")
    print(f'"cuda" compared    {cuda(paths)[0]:6} times in {cuda(paths)[1]} files')
    print(f"*gate* files       {sum('gate' in path.name for path in paths):6}")
    for kind, word in KINDS.items():
        print(
            f"files, {kind}: {sum(bool(re.search(word, path.read_text(encoding='utf-8'))) for path in paths)}"
        )

    if not asked.no_run:
        entered = one_cell_run()
        print(f"one-cell run       {len(entered.functions):6,} functions in {len(entered.files)} files")
        files_on_stack = {name.partition(":")[0] for name in entered.to_the_clock}
        print(f"to the clock       {len(entered.to_the_clock):6} functions in {len(files_on_stack)} files")
        for name in entered.to_the_clock:
            print(f"    {name}")


def _top(name: str) -> str:
    return ".".join(name.split(".")[:2])


if __name__ == "__main__":
    main()
