"""Every mistake of a scenario at once, each with its place: `problems`.

A scenario is checked as it stands, with each of its profiles, and with the profiles and overrides asked for.
In each form the shape comes first (`model.py`); what has the wrong shape is then left out, so that the rest
can still be checked for words that name nothing (`subjects.py`), values that clash and claims that no run
could test (`rules.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import ValidationError

from benchsuite.errors import Problem, nearest
from benchsuite.scenario.messages import Fault, faults, problem_at, shown, unknown_key
from benchsuite.scenario.model import PARTS, Document, Scenario
from benchsuite.scenario.overrides import merge, override
from benchsuite.scenario.rules import clashes, untestable_claims
from benchsuite.scenario.subjects import Vocabulary, dangling, misplaced, vocabulary
from benchsuite.scenario.titles import contradictions
from benchsuite.scenario.yaml_tree import Node, Path, grown, parse

_LISTS_OF_RULES = ("include", "exclude", "expect", "claims")
_PLACEHOLDERS = {("name",): grown("name", ""), ("title",): grown("title", "")}
"""For what every scenario must have and nothing depends on."""


@dataclass(frozen=True, slots=True)
class Checked:
    """Outcome of checking a text: the scenario, or its mistakes; `warnings` are none.

    Attributes:
        root: the tree that the scenario was made of, which knows the places of its values.
    """

    scenario: Scenario | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()
    root: Node | None = None


@dataclass(frozen=True, slots=True)
class _Form:
    """The scenario as it would be run: with some profiles and overrides merged in."""

    asked_by: str
    root: Node


def problems(
    text: str,
    file: str,
    known: Mapping[str, Sequence[str]],
    *,
    profiles: Sequence[str] = (),
    overrides: Sequence[str] = (),
) -> list[Problem]:
    """Every mistake of a scenario, in the order of the file, those of the command line last.

    Args:
        text: the YAML.
        file: how the file is called in the problems.
        known: mixer → names of its parameters.
        profiles: names of the profiles to apply, in order; all others are checked as well.
        overrides: `path=value` texts, applied after the profiles.
    """
    return list(check(text, file, known, profiles=profiles, overrides=overrides).problems)


def check(
    text: str,
    file: str,
    known: Mapping[str, Sequence[str]],
    *,
    profiles: Sequence[str] = (),
    overrides: Sequence[str] = (),
) -> Checked:
    """Like `problems`, and the scenario if there are none."""
    source = parse(text, file)
    if source.root is None:
        return Checked(None, tuple(source.problems))
    return check_tree(source.root, known, profiles=profiles, overrides=overrides, before=source.problems)


def check_tree(
    root: Node,
    known: Mapping[str, Sequence[str]],
    *,
    profiles: Sequence[str] = (),
    overrides: Sequence[str] = (),
    before: Sequence[Problem] = (),
) -> Checked:
    """Like `check`, of a document that is read already, with the problems of `before`."""
    mistakes = list(before)
    if not isinstance(root.value, Mapping):
        mistakes.append(problem_at(root, f"a scenario must be a mapping, got {shown(root.plain())}"))
        return Checked(None, tuple(mistakes))
    base = root.without([("profiles",)])
    partial, wrong = _profiles(root)
    mistakes += wrong
    mistakes += _unknown_profiles(profiles, tuple(partial))
    forms = [_Form("", base)]
    forms += [_Form(f'with profile "{name}"', merge(base, over)) for name, over in partial.items()]
    last, wrong = _asked_for(base, [partial[name] for name in profiles if name in partial], overrides)
    mistakes += wrong
    options = [*(f"--profile {name}" for name in profiles), *(f"--set {text}" for text in overrides)]
    if options:
        forms.append(_Form(f"with {' '.join(options)}", last))
    mistakes += _of_forms(forms, known, mistakes)
    if mistakes:
        return Checked(None, _in_order(mistakes, options))
    used = {"profiles": list(partial), "applied": list(profiles), "overrides": list(overrides)}
    scenario = Scenario.model_validate({**last.plain(), **used})
    return Checked(
        scenario, (), tuple(dict.fromkeys(problem for form in forms for problem in _misworded(form))), last
    )


def _misworded(form: _Form) -> Iterator[Problem]:
    """Numbers of title and question that the sweep does not have."""
    plain = Document.model_validate(form.root.plain()).model_dump(mode="json")
    for key in ("title", "question"):
        for words, have in contradictions(plain[key] or "", plain):
            node, _ = form.root.deepest((key,))
            by = f" {form.asked_by}" if form.asked_by else ""
            advice = f"; a profile may bring its own {key}" if form.asked_by else ""
            yield problem_at(node, f'{key} says "{words}", but the sweep{by} has {have}{advice}')


def _profiles(root: Node) -> tuple[dict[str, Node], list[Problem]]:
    """The profiles that can be merged, and what is wrong with the others."""
    section = root.child("profiles")
    if section is None:
        return {}, []
    if not isinstance(section.value, Mapping):
        return {}, [problem_at(section, f"profiles must be a mapping, got {shown(section.plain())}")]
    wrong = []
    for name, node in section.value.items():
        if not isinstance(node.value, Mapping):
            wrong.append(problem_at(node, f'profile "{name}" must be a mapping, got {shown(node.plain())}'))
        elif nested := node.child("profiles"):
            wrong.append(unknown_key(nested, "profiles", tuple(Document.model_fields)))
    mappings = {name: node for name, node in section.value.items() if isinstance(node.value, Mapping)}
    return {name: node.without([("profiles",)]) for name, node in mappings.items()}, wrong


def _unknown_profiles(profiles: Iterable[str], there: tuple[str, ...]) -> Iterator[Problem]:
    for name in profiles:
        if name not in there:
            message = (
                f'unknown profile "{name}"' if there else f'no profile "{name}": the scenario has no profiles'
            )
            yield Problem(f"--profile {name}", 0, 0, "", message, nearest(name, there), there)


def _asked_for(base: Node, profiles: Iterable[Node], overrides: Iterable[str]) -> tuple[Node, list[Problem]]:
    mistakes: list[Problem] = []
    for profile in profiles:
        base = merge(base, profile)
    for text in overrides:
        base, wrong = override(base, text)
        mistakes += wrong
    return base, mistakes


def _of_forms(
    forms: Sequence[_Form], known: Mapping[str, Sequence[str]], before: Iterable[Problem]
) -> list[Problem]:
    """Mistakes of the forms, each once; one that only a profile brings out says so."""
    words = vocabulary(form.root for form in forms)
    # What could not be read as YAML is not reported a second time for what it was taken for.
    taken = {(problem.line, problem.column) for problem in before if problem.line}
    seen: set[Problem] = set()
    mistakes: list[Problem] = []
    for form in forms:
        for problem in _of_form(form, known, words):
            if problem in seen or (problem.line, problem.column) in taken:
                continue
            seen.add(problem)
            own = not form.asked_by or not problem.line or problem.path.startswith("profiles.")
            mistakes.append(
                problem if own else replace(problem, message=f"{problem.message} ({form.asked_by})")
            )
    return mistakes


def _of_form(form: _Form, known: Mapping[str, Sequence[str]], words: Vocabulary) -> Iterator[Problem]:
    root = form.root
    yield from dangling(root, known, words)
    wrong = list(misplaced(root))
    yield from wrong
    left_out: list[Path] = []
    shape = _shape(root)
    if not isinstance(shape, Document):
        yield from (fault.problem for fault in shape)
    for _ in range(2):  # leaving out can empty a list, and an emptied list is left out in turn
        if not isinstance(shape, Document):
            paths = {_to_leave_out(fault) for fault in shape if fault.path not in _PLACEHOLDERS}
            root, left_out = _with_placeholders(root).without(paths), [*left_out, *paths]
            shape = _shape(root)
    if isinstance(shape, Document) and not wrong:
        yield from clashes(shape, root, known, left_out)
        yield from untestable_claims(shape, root, left_out, as_it_stands=not form.asked_by)


def _shape(root: Node) -> Document | list[Fault]:
    try:
        return Document.model_validate(root.plain())
    except ValidationError as error:
        return faults(error, root, PARTS)


def _to_leave_out(fault: Fault) -> Path:
    """The smallest thing without which the rest still means what it said."""
    path = fault.path
    if fault.kind == "extra_forbidden":
        return path
    if path[0] in _LISTS_OF_RULES:
        return path[:2]
    if path[:2] in (("sweep", "mixer"), ("sweep", "backbone")):
        return path[:3]
    return path


def _with_placeholders(root: Node) -> Node:
    return root.holding({**root.entries, **{path[0]: node for path, node in _PLACEHOLDERS.items()}})


def _in_order(mistakes: Iterable[Problem], options: Sequence[str]) -> tuple[Problem, ...]:
    """By line, then those of the command line by option."""

    def place(problem: Problem) -> tuple[bool, int, int]:
        asked = options.index(problem.file) if problem.file in options else -1  # of a document without lines
        return not problem.line, problem.line or asked, problem.column

    return tuple(sorted(mistakes, key=place))
