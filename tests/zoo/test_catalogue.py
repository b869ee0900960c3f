"""What is read from the source of the zoo is what the classes are."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from benchsuite.errors import UsageError
from benchsuite.mixers import BLOCKS, MIXERS, Relation
from benchsuite.mixers._attention import ATTENTION_KERNELS
from benchsuite.scenario.subjects import ANY_OTHER
from benchsuite.worker.build import mixer_class
from benchsuite.zoo.catalogue import SEE_SOURCE, ZooEntry, entry, known_parameters
from benchsuite.zoo.source import Class, Unreadable, read


@pytest.mark.parametrize("name", [*MIXERS, *BLOCKS])
def test_what_is_read_is_what_the_class_has(name: str) -> None:
    cls = mixer_class(MIXERS.get(name) or BLOCKS[name])
    found = entry(name)
    assert found.parameters is not None
    signature = inspect.signature(cls).parameters
    assert [parameter.name for parameter in found.parameters] == list(signature)
    assert [parameter.default is None for parameter in found.parameters] == [
        parameter.default is inspect.Parameter.empty for parameter in signature.values()
    ]
    assert found.layout == cls.layout
    assert found.kernels in (cls.kernels, SEE_SOURCE)  # never another one
    assert found.relation == getattr(cls, "relation", None)
    before, _, cost = inspect.cleandoc(cls.__doc__ or "").partition("\n\nMACs: ")
    assert found.doc.startswith(before)
    assert "MACs:" not in found.doc
    assert " ".join(cost.split()).startswith(found.cost) or not cost  # said by a base class
    assert found.cost


@pytest.mark.parametrize("name", [*MIXERS, *BLOCKS])
def test_every_row_names_its_paper_its_year_and_its_reference(name: str) -> None:
    found = entry(name)
    assert found.summary
    assert found.arxiv
    assert 2015 <= int(found.year) <= 2030
    assert found.reference


@pytest.mark.parametrize("name", MIXERS)
def test_the_kernels_of_mixers_can_all_be_read(name: str) -> None:
    assert entry(name).kernels[0] == "math"


def test_the_cost_is_a_section_of_the_docstring_or_what_a_method_says(tmp_path: Path) -> None:
    (tmp_path / "own_costs.py").write_text(
        'class Told:\n    """Mix.\n\n    MACs: 4NC² +\n        2N²C.\n\n        Once a batch.\n\n'
        '    Args:\n        dim: channels.\n    """\n'
        'class Counted(Told):\n    def macs(self, size):\n        """NC.\n\n        More."""\n'
        "class Heir(Counted): ...\nclass Silent: ...\n"
    )
    told, method, heir, silent = (
        entry(f"own_costs:{name}", [str(tmp_path)]) for name in ("Told", "Counted", "Heir", "Silent")
    )
    assert (told.cost, told.doc) == ("4NC² + 2N²C.", "Mix.\n\nArgs:\n    dim: channels.")
    assert (method.cost, heir.cost, silent.cost) == ("NC.", "NC.", "")


def test_lines_of_a_docstring_go_on_where_they_are_indented(tmp_path: Path) -> None:
    (tmp_path / "own_docs.py").write_text(
        '"""Mine: a mixer.\n\nPaper: Me, "Mine",\n    ICLR 2026.\nReference: me/mine.\nNot: this.\n'
        'Differs: nothing.\n\nElse.\n"""\nclass Mine: ...'
    )
    found = entry("own_docs:Mine", [str(tmp_path)])
    assert found.summary == "Mine: a mixer."
    assert (found.paper, found.reference) == ('Me, "Mine", ICLR 2026.', "me/mine.")
    assert (found.differs, found.names) == ("nothing.", "")


@pytest.mark.parametrize(
    ("paper", "arxiv", "year"),
    [
        ('Liu et al., "A ConvNet for the 2020s", CVPR 2022, arXiv:2201.03545.', "2201.03545", "2022"),
        ('Wang et al., "Linformer", 2020, arXiv:2006.04768.', "2006.04768", "2020"),
        ("arXiv:2010.11929", "2010.11929", ""),
        ('Xia, CVPR 2022, arXiv:2201.00520; "DAT++", 2023, arXiv:2309.01430', "2201.00520", "2022"),
        ("", "", ""),
    ],
)
def test_the_year_of_a_paper_is_not_taken_from_a_title_or_a_number(paper: str, arxiv: str, year: str) -> None:
    found = ZooEntry(name="x", target="x:X", paper=paper)
    assert (found.arxiv, found.year) == (arxiv, year)


def test_axes_are_no_parameters_but_heads_may_be() -> None:
    known = known_parameters()
    assert "dim" not in known["hilo"]
    assert "kernel" not in known["hilo"]
    assert {"alpha", "num_heads", "window_size"} <= set(known["hilo"])
    assert list(known) == [*MIXERS, *BLOCKS]
    assert len(known) == len(list(known))
    assert "hillo" not in known


def test_a_block_is_measured_by_its_name_as_a_mixer_is() -> None:
    for name, target in BLOCKS.items():
        assert mixer_class(name) is mixer_class(target)


def test_an_unknown_name_is_refused_with_the_nearest_and_all() -> None:
    with pytest.raises(UsageError) as caught:
        entry("hlio")
    assert str(caught.value).startswith('unknown mixer "hlio"; did you mean "hilo"?\n  allowed: msa, hilo, ')
    with pytest.raises(
        UsageError, match="own_nowhere:Mine cannot be read: no source of own_nowhere was found"
    ):
        entry("own_nowhere:Mine")


SOURCE = '''
"""Mine."""
from benchsuite.mixers._attention import ATTENTION_KERNELS as ALL
from benchsuite.mixers import Relation
from benchsuite.mixers.hilo import HiLo
from torch import nn
from .nowhere import Somewhere
import other
TWO = ALL[:2]
TWICE = 1
TWICE = 2
class Base(nn.Module):
    layout = "NHWC"
    kernels: "ClassVar[tuple[str, ...]]" = TWO
    relation = Relation("local", sharing=("heads",), weights="static")
    def __init__(self, dim, /, width: int = 3, *, deep: bool, **options): ...
class Child(Base):
    kernels = Base.kernels + ("flex",)
    names: str
class Grandchild(Child):
    kernels = ("first", *Child.kernels)
class Heir(HiLo):
    alpha = 0.5
class Computed(nn.Module):
    kernels = tuple(ALL)
    layout = TWICE
    odd = ("a",) + 1
    relation = Somewhere("local")
class Foreign(other.Base): ...
class Lost(Somewhere): ...
@other.decorated
class Decorated(nn.Module): ...
'''


@pytest.fixture
def find(tmp_path: Path, repository: Path) -> object:
    (tmp_path / "mine.py").write_text(SOURCE)
    return read("mine", (str(tmp_path), str(repository))).find


def test_class_variables_are_followed_through_bases_names_and_imports(find: object) -> None:
    child: Class = find("Child")  # type: ignore[operator]
    assert child.variable("layout") == "NHWC"
    assert child.variable("kernels") == (*ATTENTION_KERNELS[:2], "flex")
    assert find("Grandchild").variable("kernels") == ("first", *ATTENTION_KERNELS[:2], "flex")  # type: ignore[operator]
    assert child.variable("relation") == Relation("local", ("heads",), "static")
    assert child.variable("names") is None  # said to exist, but without a value
    heir: Class = find("Heir")  # type: ignore[operator]
    assert heir.variable("kernels") == ATTENTION_KERNELS
    assert "alpha" in [parameter.name for parameter in heir.parameters]
    assert heir.cost.startswith("Hi-Fi 3NCC_h")


def test_parameters_are_as_written(find: object) -> None:
    child: Class = find("Child")  # type: ignore[operator]
    assert [(p.name, p.annotation, p.default) for p in child.parameters] == [
        ("dim", "", None), ("width", "int", "3"), ("deep", "bool", None), ("**options", "", None),
    ]  # fmt: skip
    assert ZooEntry(name="x", target="x:X", parameters=child.parameters).words == (ANY_OTHER, "deep", "width")
    assert ZooEntry(name="x", target="x:X", parameters=None).words == (ANY_OTHER,)


@pytest.mark.parametrize("name", ["kernels", "layout", "odd", "relation"])
def test_what_is_computed_is_not_guessed(find: object, name: str) -> None:
    with pytest.raises(Unreadable):
        find("Computed").variable(name)  # type: ignore[operator]


@pytest.mark.parametrize("name", ["Foreign", "Lost", "Decorated"])
def test_a_constructor_that_may_be_elsewhere_is_not_guessed(find: object, name: str) -> None:
    with pytest.raises(Unreadable):
        _ = find(name).parameters  # type: ignore[operator]


def test_imports_that_go_in_circles_end(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("from two import Mine")
    (tmp_path / "two.py").write_text("from one import Mine")
    (tmp_path / "own.py").write_text("from one import Mine\nclass Mine(Mine): ...")
    with pytest.raises(Unreadable, match="does not say what Mine is"):
        read("one", (str(tmp_path),)).find("Mine")
    with pytest.raises(Unreadable, match="Mine is based on Mine"):
        _ = read("own", (str(tmp_path),)).find("Mine").parameters


def test_a_class_is_found_where_its_package_takes_it_from(tmp_path: Path) -> None:
    package = tmp_path / "acme" / "inner"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("from .inner.mixers import Mine as Yours")
    (package / "mixers.py").write_text("class Mine:\n    layout = 'NCHW'")  # inner has no __init__.py
    assert read("acme", (str(tmp_path),)).find("Yours").variable("layout") == "NCHW"
