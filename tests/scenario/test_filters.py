from __future__ import annotations

import operator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchsuite.errors import SelectionError
from benchsuite.results.cell import Cell
from benchsuite.scenario import filters
from benchsuite.scenario.filters import leaves_none, mistakes, parse

CELL = Cell(
    name="HiLo α=0.9",
    target="hilo",
    config={"alpha": 0.9, "window_size": 2, "act": "relu", "sizes": [2, 4], "bias": True, "scale": None},
    resolution=(448, 672),
    stride=16,
    batch=64,
    dim=384,
    num_heads=12,
    dtype="bf16",
    mode="inference",
    kernel="sdpa",
    device="cuda:1",
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "mixer=hilo",
        "mixer=msa,hilo",
        'mixer="HiLo α=0.9"',
        'mixer=msa,"HiLo α=0.9" batch=64',
        "mixer!=msa,sra",
        "resolution=448x672",
        "resolution!=448",
        "resolution>448",
        "resolution>=672",
        "resolution<=700x100",
        "tokens=1176",
        "batch=64,1",
        "batch=064",
        "stride<17 dim>383 num_heads>=12 num_heads<=12",
        "dtype=bf16 mode=inference kernel=sdpa",
        "kernel!=math,flash",
        "device=cuda",
        "device=cuda:1",
        "device!=cpu",
        "params.alpha=0.9",
        "params.alpha=.90",
        "params.alpha>=0.5 params.alpha<1",
        "params.window_size=2",
        "params.act=relu",
        "params.bias=true",
        "params.scale=null",
        'params.sizes="[2, 4]"',
        "params.absent!=3",
        f"cell={CELL.id}",
        f"cell=msa-224-b1-fp32-math-00000000,{CELL.id}",
        "cell!=msa-224-b1-fp32-math-00000000",
    ],
)
def test_a_filter_holds(text: str) -> None:
    assert parse(text).matches(CELL)


@pytest.mark.parametrize(
    "text",
    [
        "mixer=msa",
        "mixer=HiLo",
        "mixer!=hilo",
        'mixer!=msa,"HiLo α=0.9"',
        "mixer=hilo batch=1",
        "resolution=672",
        "resolution=448",
        "resolution=672x448",
        "resolution<672",
        "batch>64",
        "tokens<1176",
        "kernel=math",
        "device=cpu",
        "device=cuda:0",
        "device!=cuda",
        "params.alpha=0.5",
        "params.alpha>0.9",
        "params.act>1",
        "params.bias=1",
        "params.bias>0",
        "params.absent=3",
        "params.absent<3",
        "params.absent>3",
        "cell=msa-224-b1-fp32-math-00000000",
        f"cell!={CELL.id}",
        f"cell={replace(CELL, batch=1).id}",
    ],
)
def test_a_filter_does_not_hold(text: str) -> None:
    assert not parse(text).matches(CELL)


AXES = ", ".join(filters.AXES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mxer=hilo", f'unknown axis "mxer" in "mxer=hilo"; did you mean "mixer"?\n  allowed: {AXES}'),
        ("cell=hilo", '"hilo" is no id of a cell in "cell=hilo"; records and reports print them'),
        ("cell<1234abcd", 'cell has no order in "cell<1234abcd"\n  allowed: =, !='),
        ("=hilo", f'unknown axis "" in "=hilo"\n  allowed: {AXES}'),
        ("params.=1", f'unknown axis "params." in "params.=1"\n  allowed: {AXES}'),
        ("params.num_heads=6", 'num_heads is an axis; write "num_heads=6" instead of "params.num_heads=6"'),
        ("resolution <=448",
         'no operator in "resolution"; write axis, operator and value without spaces, as in resolution<=448\n'
         "  allowed: =, !=, <, <=, >, >=\n"
         f'unknown axis "" in "<=448"\n  allowed: {AXES}'),
        ("kernel==math", 'unknown operator in "kernel==math"\n  allowed: =, !=, <, <=, >, >='),
        ("kernel<math", 'kernel has no order in "kernel<math"\n  allowed: =, !='),
        ("mixer>=msa", 'mixer has no order in "mixer>=msa"\n  allowed: =, !='),
        ("batch<1,2", '"<" takes one value in "batch<1,2"; only = and != take several'),
        ("kernel=mth",
         'unknown kernel "mth" in "kernel=mth"; did you mean "math"?\n'
         "  allowed: math, sdpa, flash, mem_efficient, cudnn, flex, compiled"),
        ("kernel=auto",
         'a cell has the kernel that "auto" became for it; name that in "kernel=auto"\n'
         "  allowed: math, sdpa, flash, mem_efficient, cudnn, flex, compiled"),
        ("dtype=fp32,float",
         'unknown dtype "float" in "dtype=fp32,float"\n  allowed: fp32, tf32, fp16, bf16, fp64, '
         'autocast_fp16, autocast_bf16'),
        ("device=gpu", 'unknown device "gpu" in "device=gpu"\n  allowed: cpu, cuda, cuda:N'),
        ("device=auto", 'unknown device "auto" in "device=auto"\n  allowed: cpu, cuda, cuda:N'),
        ("batch=lots", 'batch is compared with a whole number, not with "lots", in "batch=lots"'),
        ("tokens>1.5", 'tokens is compared with a whole number, not with "1.5", in "tokens>1.5"'),
        ("resolution=big",
         'resolution is compared with a side or HEIGHTxWIDTH, not with "big", in "resolution=big"'),
        ("params.alpha<x", '"<" compares with a number, not with "x", in "params.alpha<x"'),
        ("mixer=", 'a value is missing in "mixer="'),
        ("mixer=msa,,hilo", 'a value is missing in "mixer=msa,,hilo"'),
        ("mixer=msa,", 'a value is missing in "mixer=msa,"'),
        ('mixer=""', 'a value is missing in "mixer="""'),
        ('mixer="HiLo', 'a double quote is not closed in mixer="HiLo'),
    ],
)  # fmt: skip
def test_a_term_that_does_not_parse_is_named_with_what_is_allowed(text: str, expected: str) -> None:
    with pytest.raises(SelectionError) as error:
        parse(text)
    assert str(error.value) == expected


def test_all_bad_terms_are_named_at_once() -> None:
    with pytest.raises(SelectionError) as error:
        parse("kernel=mth batch=1 dim=x,y")
    assert [line for line in str(error.value).splitlines() if not line.startswith(" ")] == [
        'unknown kernel "mth" in "kernel=mth"; did you mean "math"?',
        'dim is compared with a whole number, not with "x", in "dim=x,y"',
        'dim is compared with a whole number, not with "y", in "dim=x,y"',
    ]


def test_a_filter_that_leaves_nothing_says_what_there_is_of_each_term_that_no_cell_meets() -> None:
    other = replace(CELL, name="msa", target="msa", resolution=(224, 224))
    error = leaves_none(parse("mixer=hillo resolution=225 batch=64 params.alpha=7"), [CELL, other])
    assert str(error).splitlines() == [
        "--filter 'mixer=hillo resolution=225 batch=64 params.alpha=7' leaves no cell of 2",
        '  no cell has mixer=hillo; did you mean "hilo"?',
        "  allowed: HiLo α=0.9, msa",
        "  no cell has resolution=225",
        "  allowed: 448x672, 224",
        "  no cell has params.alpha=7",
    ]


def test_terms_that_hold_only_one_by_one_are_not_said_to_be_wrong() -> None:
    other = replace(CELL, name="msa", target="msa", batch=1)
    assert str(leaves_none(parse("mixer=msa batch=64"), [CELL, other])).endswith("leaves no cell of 2")


def test_a_selection_says_which_mixers_it_names() -> None:
    assert parse('mixer=msa,"HiLo α=0.9" batch=1 mixer!=sra').mixers == ("msa", "HiLo α=0.9", "sra")


@given(st.integers(1, 99), st.integers(1, 99), st.sampled_from(["=", "!=", "<", "<=", ">", ">="]))
def test_an_order_agrees_with_python(batch: int, value: int, sign: str) -> None:
    compare = {
        "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
        ">": operator.gt, ">=": operator.ge,
    }[sign]  # fmt: skip
    cell = replace(CELL, batch=batch, config={"n": batch})
    assert parse(f"batch{sign}{value}").matches(cell) == compare(batch, value)
    assert parse(f"params.n{sign}{value}").matches(cell) == compare(batch, value)


@given(st.sampled_from(["mixer", "kernel", "params.alpha", "params.none", "batch"]), st.data())
def test_unequal_is_exactly_not_equal(axis: str, data: st.DataObject) -> None:
    values = {"kernel": ["math", "sdpa", "flash"], "batch": ["1", "64"]}.get(axis, ["hilo", "msa", "0.9"])
    chosen = ",".join(data.draw(st.lists(st.sampled_from(values), min_size=1)))
    assert parse(f"{axis}={chosen}").matches(CELL) != parse(f"{axis}!={chosen}").matches(CELL)


@given(st.text(alphabet='mixerdp.a=!<>,"1 x', max_size=25))
def test_any_text_either_parses_or_is_a_selection_error(text: str) -> None:
    if mistakes(text):
        with pytest.raises(SelectionError, match=r"\w"):
            parse(text)
    else:
        assert parse(text).matches(CELL) in (True, False)
