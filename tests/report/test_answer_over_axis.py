"""The answer over another axis than the mixer: a parameter, the protocol."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from benchsuite.report.ranking import relative_speed
from benchsuite.report.reported_cells import reported_cells
from benchsuite.results.record import Record
from tests.report.answers import headline_of, of_run
from tests.report.synthetic import make_record, with_rounds


def alphas(*latencies: float, macs: Sequence[int] = (4, 3, 2, 1), **changes: Any) -> list[Record]:
    """HiLo with α of 0, 0.3, 0.6 and 0.9."""
    return [
        make_record(
            f"HiLo alpha={alpha}", config={"alpha": alpha}, latency=latency / 1e3, macs=count * 10**9,
            noise=0.002, **changes,
        )
        for alpha, latency, count in zip((0.0, 0.3, 0.6, 0.9), latencies, macs, strict=True)
    ]  # fmt: skip


def timed(protocol: str, **latencies: float) -> list[Record]:
    rounds = 5 if protocol == "adaptive" else 1
    return [
        make_record(name, latency=latency / 1e3, protocol=protocol, rounds=rounds)
        for name, latency in latencies.items()
    ]


def test_of_a_parameter_the_fastest_value_is_named_at_every_resolution() -> None:
    text = of_run([*alphas(40, 30, 20, 10), *alphas(10, 20, 30, 40, resolution=448)])
    assert text == (
        "A large α is fastest on small images, a small one on large images: α = 0.9 at 224 px and 0 at "
        "448 px. "
        "The α with the fewest MACs is the fastest in 1 of 2 settings; from one α to another MACs differ by "
        "up to 4.00 times, speed by up to 4.00."
    )


def test_a_fastest_value_that_goes_up_and_down_is_not_said_to_move() -> None:
    sizes = [
        *alphas(10, 20, 30, 40),
        *alphas(40, 30, 20, 10, resolution=448),
        *alphas(40, 10, 20, 30, resolution=896),
    ]
    assert "on large images" not in of_run(sizes)
    assert "A small α is fastest on small images, a large one on large images: " in of_run(sizes[:8])
    assert "on large images" not in of_run(sizes[:4])


def test_values_that_the_rounds_leave_open_are_all_named_or_none_is() -> None:
    assert "The fastest α is 0.6 or 0.9 at 224 px" in of_run(alphas(40, 30, 10, 10.0001))
    assert "The α with the fewest MACs ties with the fastest;" in of_run(alphas(40, 30, 10, 10.0001))
    assert "α is 0.3 to 0.9 at 224 px" in of_run(alphas(40, 10, 10.0001, 10.0002))
    both_sizes = [*alphas(40, 30, 10, 10.0001), *alphas(40, 30, 20, 10, resolution=448)]
    assert "is the fastest, or ties with it, in all 2 settings;" in of_run(both_sizes)
    assert "No α is significantly the fastest at 224 px." in of_run(alphas(10, 10, 10, 10.0001))


def test_a_larger_value_of_another_parameter_is_said_to_move_the_fastest_one() -> None:
    def windows(*latencies: float, window: int, resolution: int = 448) -> list[Record]:
        return [
            dataclasses.replace(
                record,
                cell=dataclasses.replace(
                    record.cell,
                    name=f"{record.cell.name} window_size={window}",
                    config=record.cell.config | {"window_size": window},
                ),
                id=f"{record.id}-{window}",
            )
            for record in alphas(*latencies, resolution=resolution)
        ]

    small, large = windows(10, 20, 30, 40, window=2), windows(40, 30, 20, 10, window=4)
    text = of_run([*small, *large])
    assert text.startswith(
        "The fastest α with window 2 is 0 at 448 px; the fastest α with window 4 is 0.9 at 448 px. "
        "At one resolution, a larger window goes with a larger fastest α."
    )
    sizes = [*windows(40, 30, 20, 10, window=2, resolution=224), *windows(30, 10, 30, 40, window=2)]
    sizes += [*large, *windows(30, 10, 30, 40, window=4, resolution=896)]
    assert of_run(sizes).startswith(
        "A large α is fastest on small images, a small one on large images: with window 2, α = 0.9 at "
        "224 px and 0.3 at 448 px; with window 4, α = 0.9 at 448 px and 0.3 at 896 px. "
        "A larger window shifts that to larger images. The α"
    )
    down = of_run([*windows(40, 30, 20, 10, window=2), *windows(10, 20, 30, 40, window=4)])
    assert "a larger window goes with a smaller fastest α." in down
    apart = of_run([*small, *windows(40, 30, 20, 10, window=4, resolution=896)])  # no resolution in common
    assert "goes with" not in apart
    assert "goes with" not in of_run([*small, *windows(10, 20, 30, 40, window=4)])


def test_a_fused_kernel_that_moves_the_fastest_value_says_where() -> None:
    records = [*alphas(40, 30, 20, 10), *alphas(10, 20, 30, 40, kernel="sdpa")]
    assert of_run(records).endswith("With the fused kernel (sdpa) the fastest α is 0 at 224 px (HiLo).")
    for nearly in ((40, 30, 20, 9), (40, 30, 10, 10.0001)):  # a value more that may be fastest is no move
        still = [*alphas(40, 30, 20, 10), *alphas(*nearly, kernel="sdpa")]
        assert of_run(still).endswith("The fused kernel (sdpa) leaves the fastest α where it is.")


def test_the_headline_says_whether_a_large_value_stays_the_fastest() -> None:
    question = "Does a large α stay the fastest as images grow?"
    small, large = alphas(40, 30, 20, 10), alphas(10, 20, 30, 40, resolution=448)
    assert headline_of([*small, *large], question=question) == "No: α = 0.9 wins at 224 px, α = 0 at 448 px."
    assert headline_of([*small, *large]) == "α = 0.9 wins at 224 px, α = 0 at 448 px."
    same = alphas(40, 30, 20, 10, resolution=448)
    assert (
        headline_of([*small, *same], question=question) == "Yes: α = 0.9 wins at 224 px, α = 0.9 at 448 px."
    )
    level = alphas(10, 10, 10, 10.0001, resolution=448)
    assert headline_of([*small, *level], question=question) == (
        "Undecided: no α is significantly the fastest at 448 px."
    )
    wide = alphas(40, 10, 10.0001, 10.0002, resolution=448)
    assert headline_of([*small, *wide], question=question) == (
        "Undecided: α = 0.9 wins at 224 px, α = 0.3 to 0.9 at 448 px."
    )


def test_several_implementations_are_compared_as_mixers_although_one_varies() -> None:
    records = [*alphas(40, 30, 20, 10), make_record("msa", target="msa", latency=0.005, macs=10**10)]
    assert of_run(records).startswith("msa is the fastest at 224 px")


def test_protocols_are_compared_with_adaptive_sampling() -> None:
    text = of_run([*timed("adaptive", a=10, b=20), *timed("litv2", a=12.5, b=20), *timed("timm", a=8, b=20)])
    assert text == (
        "Against adaptive sampling, medians lie between 20 % lower (a with litv2) and 25 % higher (a with "
        "timm); by them, the mixers rank the same. No ratio between protocols has an interval, so their "
        "differences are undecided; 4 of 6 cells have fewer than 3 rounds."
    )


def test_the_headline_of_protocols_says_by_how_much_at_most_and_what_has_no_interval() -> None:
    blocks = [*timed("adaptive", a=10, b=20), *timed("litv2", a=12.5, b=20), *timed("timm", a=8, b=20)]
    assert headline_of(blocks) == ("By medians, the ranking stays; throughput may move by up to 25 %.")
    swapped = [*timed("adaptive", a=10, b=20), *timed("litv2", a=30, b=20)]
    assert headline_of(swapped) == (
        "By medians, 1 of 1 protocol changes the ranking; throughput may move by up to 67 %."
    )
    rounds = make_record("a", latency=0.0125, protocol="timm", rounds=5)
    assert headline_of([*timed("adaptive", a=10), rounds]) == (
        "By medians, the ranking stays; throughput moves by up to 20 %."
    )
    alike = make_record("a", latency=0.01001, protocol="timm", rounds=5)
    assert headline_of([*timed("adaptive", a=10), alike]) == (
        "By medians, the ranking stays; throughput may move by less than 1 %."
    )


def test_ranks_are_compared_of_what_both_timed_and_what_moves_is_what_is_decided() -> None:
    fewer = [*timed("adaptive", a=10, b=20), *timed("litv2", b=20)]
    assert headline_of(fewer) == "By medians, the ranking stays; throughput may move by less than 1 %."
    decided = make_record("b", latency=0.0204, protocol="timm", rounds=5)
    mixed = [*timed("adaptive", a=10, b=20), *timed("litv2", a=16), decided]
    assert headline_of(mixed) == "By medians, the ranking stays; throughput moves by up to 2 %."


def test_a_slow_first_round_of_adaptive_sampling_is_no_difference_between_protocols() -> None:
    """By hand: the median of the rounds is 10 ms, as in the one block; their first alone would say 1.5."""
    slow_start = with_rounds(timed("adaptive", a=10)[0], [0.015, 0.010, 0.010, 0.0098, 0.0102])
    block = timed("litv2", a=10)[0]
    assert "medians lie between 0 % (a with litv2) and 0 % (a with litv2)" in of_run([slow_start, block])
    cells = reported_cells([slow_start, block])
    found = relative_speed(cells[1], cells[0])
    assert found.value == pytest.approx(cells[1].throughput.value / cells[0].throughput.value)
    assert not found.bounded


def test_protocols_with_rounds_are_compared_with_intervals_and_the_others_are_counted() -> None:
    several = make_record("a", latency=0.0125, protocol="timm", rounds=5)
    text = of_run([*timed("adaptive", a=10), several, *timed("litv2", a=8)])
    assert "medians lie between 20 % lower (a with timm)" in text
    assert "1 of the 2 ratios between protocols have no interval" in text
    assert "1 of 3 cells has fewer than 3 rounds" in text


def test_a_protocol_that_changes_the_order_is_named() -> None:
    text = of_run([*timed("adaptive", a=10, b=20), *timed("litv2", a=30, b=20)])
    assert "; by them, the mixers rank otherwise under litv2." in text
    assert "adaptive sampling" not in of_run(timed("adaptive", a=10, b=20))
