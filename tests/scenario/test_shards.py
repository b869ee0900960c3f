"""Shards: what every machine works out alike, and that nothing is lost between them."""

from __future__ import annotations

import random

import pytest

from benchsuite.errors import UsageError
from benchsuite.results.cell import Cell
from benchsuite.scenario.groups import key
from benchsuite.scenario.shards import Shard, cost, deal, only, parse_shard
from tests.builders import make_cell


def cells(sizes: int = 6, batches: int = 4, names: str = "abc") -> list[Cell]:
    return [
        make_cell(name=name, resolution=(32 * size, 32 * size), batch=batch)
        for name in names
        for size in range(1, sizes + 1)
        for batch in range(1, batches + 1)
    ]


@pytest.mark.parametrize("count", [1, 2, 5, 24])
def test_every_cell_is_in_one_shard_and_no_group_is_split(count: int) -> None:
    every = cells()
    shards = deal(every, count)
    assert sorted(i for shard in shards for i in shard) == list(range(len(every)))
    assert all(shards)
    groups = [{key(every[i]) for i in shard} for shard in shards]
    assert sum(len(group) for group in groups) == 24


def test_shards_do_not_depend_on_the_order_of_the_cells() -> None:
    every = cells()
    mixed = list(every)
    random.Random(3).shuffle(mixed)
    for here, there in zip(deal(every, 5), deal(mixed, 5), strict=True):
        assert {every[i].id for i in here} == {mixed[i].id for i in there}


def test_shards_are_of_about_the_same_cost() -> None:
    every = [*cells(), *(make_cell(name=name, resolution=(2048, 2048), batch=64) for name in "abc")]
    loads = [sum(cost(every[i]) for i in shard) for shard in deal(every, 4)]
    dearest = sum(cost(cell) for cell in every[-3:])
    assert max(loads) == dearest  # one shard has the dear group and nothing else
    assert sorted(loads)[2] - min(loads) <= 3 * cost(every[0])


def test_an_excluded_cell_goes_with_its_group_and_one_without_a_group_with_the_first_shard() -> None:
    every = cells()
    beside = (make_cell(name="left out", resolution=(32, 32), batch=1), "a rule")
    alone = (make_cell(name="left out", resolution=(999, 999), batch=1), "a rule")
    parts = [only(Shard(i, 4), every, [beside, alone]) for i in range(1, 5)]
    assert alone in parts[0][1]
    assert sum(len(excluded) for _, excluded in parts) == 2
    (where,) = [own for own, excluded in parts if beside in excluded]
    assert key(beside[0]) in {key(cell) for cell in where}


def test_more_shards_than_groups_are_refused_with_the_number_that_is_possible() -> None:
    with pytest.raises(UsageError, match=r"25 shards of 24 comparison groups .*use at most 24"):
        deal(cells(), 25)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2", "say which part of how many, such as 2/8"),
        ("a/b", "say which part of how many"),
        ("-1/4", "say which part of how many"),
        ("0/4", "the first part is 1/4; a counter from 0 needs 1 added"),
        ("5/4", "there are only 4 parts, the last is 4/4"),
        ("0/0", "at least one part"),
    ],
)
def test_a_shard_that_cannot_be_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_shard(text)


def test_a_shard_is_stored_and_read_back() -> None:
    assert Shard.from_dict(parse_shard(" 2/8 ").to_dict()) == Shard(2, 8)
    assert str(Shard(2, 8)) == "2/8"
