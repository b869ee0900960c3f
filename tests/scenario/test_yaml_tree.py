from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benchsuite.scenario.yaml_tree import MAX_BYTES, MAX_DEPTH, YamlDocument, dotted, grown, parse, parse_path

words = st.text(alphabet="abcxyz_-09α", min_size=1, max_size=5)
paths = st.builds(lambda first, rest: (first, *rest), words, st.lists(words | st.integers(0, 99), max_size=5))
data = st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(words, below, max_size=3),
    max_leaves=10,
)


def place(source: YamlDocument, path: str, *, key: bool = False) -> tuple[int, int]:
    """Line and column of the deepest value on a path that is there, or of its key."""
    assert source.root
    node, _ = source.root.deepest(parse_path(path) or ())
    return node.key_place if key else node.place


def told(text: str) -> list[str]:
    return [str(problem) for problem in parse(text, "f.yaml").problems]


def test_values_and_their_keys_are_placed_by_line_and_column() -> None:
    source = parse("sweep:\n  mixer:\n    - msa\n    - {name: hilo, params: {alpha: 0.9}}\n", "f.yaml")
    assert source.value == {"sweep": {"mixer": ["msa", {"name": "hilo", "params": {"alpha": 0.9}}]}}
    assert place(source, "sweep.mixer[1].params.alpha") == (4, 36)
    assert place(source, "sweep.mixer[1].params.alpha", key=True) == (4, 29)
    assert place(source, "sweep.mixer[0]") == (3, 7)
    assert place(source, "sweep.mixer", key=True) == (2, 3)


def test_a_path_that_is_not_there_is_placed_at_the_nearest_thing_above_it() -> None:
    source = parse("sweep:\n  batch: 4\n", "f.yaml")
    assert place(source, "sweep.batch[3].x") == place(source, "sweep.batch") == (2, 10)
    assert place(source, "measure.max_s") == (1, 1)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("No", "No"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("2024-01-02", "2024-01-02"),
        ("=", "="),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("1e-3", 0.001),
        ("1.", 1.0),
        ("-.5", -0.5),
        ("+12", 12),
        ("012", 12),
        ("0o17", 15),
        ("0xff", 255),
        ('"12"', "12"),
        ("cuda:1", "cuda:1"),
    ],
)
def test_words_are_resolved_as_in_yaml_1_2(text: str, value: object) -> None:
    read = parse(f"key: {text}\n", "f.yaml").value["key"]
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb:\n\t- 2\n", "f.yaml:3:1\n  a tab cannot indent YAML; use spaces"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2:1\n  a second document begins here; a scenario is one document"),
        ("a: 1\n b: 2\n", "f.yaml:2:3\n  not valid YAML: mapping values are not allowed here"),
        ("a: [1\n", "f.yaml:2:1\n  not valid YAML: expected ',' or ']', but got '<stream end>', "
         "while parsing a flow sequence"),
        ("a: 1\nb: @x\n", "f.yaml:2:4\n  not valid YAML: found character '@' that cannot start any token"),
        ("a: *x\n", "f.yaml:1:4\n  not valid YAML: found undefined alias 'x'"),
        ("a: 1\nb: \x07\n", "f.yaml:2:4\n  not valid YAML: the character U+0007 is not allowed"),
        ("# nothing\n", "f.yaml:1:1\n  the file is empty"),
        ("a: !x 1\n", 'f.yaml:1:4\n  a tag ("!x") has no meaning here; quote a word to keep it text'),
        ("a: &b {c: *b}\n", "f.yaml:1:4\n  an alias refers to a value that contains it"),
    ],
)  # fmt: skip
def test_a_text_that_is_no_scenario_is_placed_and_explained(text: str, expected: str) -> None:
    assert told(text) == [expected]


def test_every_bad_key_is_reported_and_the_rest_is_read() -> None:
    source = parse("a: 1\n? [x]\n: 1\n1: 2\n~: 3\n<<: {b: 1}\nc: {a: 1, a: 2}\na: 4\n", "f.yaml")
    assert source.value == {"a": 1, "c": {"a": 1}}
    assert [str(problem) for problem in source.problems] == [
        "f.yaml:2:3\n  a key must be a word, not a list or a mapping",
        'f.yaml:4:1  1\n  a key must be a word; write "1"',
        'f.yaml:5:1  ~\n  a key must be a word; write "~"',
        "f.yaml:6:1  <<\n  merge keys (<<) are not read; write the keys out, or use a profile",
        'f.yaml:7:11  c.a\n  "a" is written twice, first on line 7',
        'f.yaml:8:1  a\n  "a" is written twice, first on line 1',
    ]


def test_numbers_that_cannot_be_used_are_named() -> None:
    assert told("a: [.inf, -.INF, .nan, 1e999, 1234567890123456789]\n") == [
        f'f.yaml:1:{column}  a[{i}]\n  "{text}" is not a number that can be used'
        for i, (column, text) in enumerate(
            [(5, ".inf"), (11, "-.INF"), (18, ".nan"), (24, "1e999"), (31, "1234567890123456789")]
        )
    ]


def test_an_alias_is_placed_where_its_value_is_written() -> None:
    source = parse("a: &sides [224, lots]\nb: *sides\n", "f.yaml")
    assert source.value["b"] == [224, "lots"]
    assert place(source, "b[1]") == (1, 17)
    assert place(source, "b", key=True) == (2, 1)


def test_aliases_of_aliases_cannot_make_a_small_file_large() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    (problem,) = parse("\n".join(lines), "f.yaml").problems
    assert problem.message == "aliases expand to more than 50,000 values"


def test_neither_brackets_nor_aliases_can_nest_deeply() -> None:
    nested = "a: " + "[" * 5000
    chained = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 2000))
    for text in (nested, chained):
        (problem,) = parse(text, "f.yaml").problems
        assert problem.message == f"nested deeper than {MAX_DEPTH} levels"


def test_a_text_of_more_than_a_megabyte_is_not_even_parsed() -> None:
    assert told("[" * (MAX_BYTES + 1)) == ["f.yaml:1:1\n  the file is larger than 1 MB"]


@given(st.text(alphabet=" \n\t:-[]{}&*!#?|>'\"%@`,a1.<~", max_size=40))
@example("? a\n: &a !!map {*a : 1}")
def test_no_text_makes_the_reader_raise(text: str) -> None:
    source = parse(text, "f.yaml")
    assert source.root is not None or source.problems
    for problem in source.problems:
        assert 1 <= problem.line <= text.count("\n") + 2
        assert problem.column >= 1


@given(paths.map(tuple))
def test_a_path_survives_being_written_and_read(path: tuple[str | int, ...]) -> None:
    assert parse_path(dotted(path)) == path


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "[0]", "a[x]", "a[-1]", "a[0", "a b", "a[0]b"])
def test_what_is_no_path_is_none(text: str) -> None:
    assert parse_path(text) is None


@given(data)
def test_a_tree_is_its_plain_data(value: object) -> None:
    assert grown(value, "f").plain() == value


def test_leaving_out_moves_later_entries_up_and_keeps_their_own_paths() -> None:
    root = grown({"a": [1, {"b": 2, "c": 3}, 4], "d": 5}, "f")
    rest = root.without([("a", 0), ("a", 1, "b"), ("nothing",), ("d", "e")])
    assert rest.plain() == {"a": [{"c": 3}, 4], "d": 5}
    node = rest.at(("a", 0, "c"))
    assert node
    assert node.path == ("a", 1, "c")
    assert root.plain() == {"a": [1, {"b": 2, "c": 3}, 4], "d": 5}


def test_a_scalar_stands_for_a_list_of_one() -> None:
    root = grown({"a": {"b": 4}}, "f")
    node, depth = root.deepest(("a", "b", 0))
    assert (node.value, depth) == (4, 2)
    assert root.at(("a", "b", 0)) is None
    assert root.at(("a", 0)) is None
