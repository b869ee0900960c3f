"""The reference of a scenario beside its rivals."""

from __future__ import annotations

from benchsuite.report.beside import beside
from benchsuite.report.contests import contests
from benchsuite.report.order import among
from benchsuite.report.points import points
from benchsuite.results.frame import to_frame
from benchsuite.results.record import Record
from tests.report.synthetic import fields_of, make_record

END = " × is the ratio of throughputs, paired by round."


def said(reference: str | None, *records: Record) -> str:
    return beside(reference, fields_of(records))


def race(resolution: int = 224, **latencies: float) -> list[Record]:
    return [make_record(n, latency=ms / 1e3, resolution=resolution) for n, ms in latencies.items()]


def test_every_rival_is_faster_slower_or_undecided() -> None:
    records = race(ref=10, quick=8, slow=20, slower=40, same=10.01)
    assert said("ref", *records) == (
        "With the math kernel, at 224 px quick (1.25×) is faster than ref, slower (0.25×) and slow (0.50×) "
        f"slower, same (1.00×) undecided (the rounds disagree).{END}"
    )


def test_the_first_outcome_names_the_reference_whichever_it_is() -> None:
    assert said("ref", *race(ref=10, a=20, b=40)) == (
        f"With the math kernel, at 224 px b (0.25×) and a (0.50×) are slower than ref.{END}"
    )
    assert said("ref", *race(ref=10, a=10.01)) == (
        f"With the math kernel, at 224 px a (1.00×) is undecided beside ref (the rounds disagree).{END}"
    )


def test_many_rivals_are_counted_with_the_extreme() -> None:
    records = race(ref=10, a=5, b=4, c=2, d=20, e=40, f=80, g=10.01)
    assert said("ref", *records) == (
        "With the math kernel, at 224 px 3 (up to 5.00×, c) are faster than ref, "
        f"3 (down to 0.13×, f) slower, g (1.00×) undecided (the rounds disagree).{END}"
    )


def test_of_many_resolutions_the_smallest_and_the_largest_are_told() -> None:
    records = [record for size in (448, 224, 896) for record in race(size, ref=10, a=20)]
    text = said("ref", *records)
    assert "at 224 px" in text
    assert "at 896 px" in text
    assert "448" not in text


def test_without_a_reference_that_was_timed_nothing_is_said() -> None:
    assert said(None, *race(a=10, b=20)) == ""
    assert said("ref", *race(a=10, b=20)) == ""
    assert said("ref", *race(ref=10)) == ""


def test_what_lies_within_the_noise_is_no_different() -> None:
    frame = to_frame([make_record(n, latency=ms / 1e3, noise=0.001) for n, ms in (("ref", 10), ("a", 10.01))])
    cells = points(frame.assign(noise=0.05))
    text = beside("ref", contests(cells, among(cells)))
    assert text == f"With the math kernel, at 224 px a (1.00×) is no different from ref.{END}"
