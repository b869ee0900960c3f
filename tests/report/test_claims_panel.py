"""The panel of claims: on the page, in the terminal, and as JSON."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchsuite.cli import main
from benchsuite.errors import ScenarioError
from benchsuite.findings.claims import VERDICTS
from benchsuite.report.claims_panel import SYMBOLS, ClaimsPanel, judgements, panel, plain
from benchsuite.report.page import render
from benchsuite.results.metrics import measured_cells
from benchsuite.results.record import Busy, Record
from benchsuite.results.store import RunWriter
from tests.report.synthetic import make_record, make_run
from tests.report.test_page import Page


def claim(**changes: Any) -> dict[str, Any]:
    return {
        "id": "L2",
        "says": "HiLo is faster than global attention.",
        "source": "arXiv:2205.13213, Table 4",
        "metric": "throughput",
        "subject": "HiLo",
        "against": "MSA",
        "expect": "higher",
    } | changes


PUBLISHED = {"subject": 5104, "against": 4403, "unit": "images/s", "conditions": "RTX 3090, batch 64"}


def cells(
    hilo: float = 0.010, msa: float = 0.012, sizes: Sequence[int] = (224,), **cell: Any
) -> list[Record]:
    return [
        make_record(name, resolution=size, latency=latency, **cell)
        for size in sizes
        for name, latency in (("HiLo", hilo), ("MSA", msa))
    ]


def of(records: Sequence[Record], *claims: dict[str, Any]) -> ClaimsPanel:
    measured = measured_cells(records)
    found = panel(judgements({"claims": list(claims)}, measured), measured)
    assert found is not None
    return found


def page(tmp_path: Path, records: Sequence[Record], *claims: dict[str, Any]) -> Page:
    run = make_run(records, claims=list(claims))
    return Page(render([run], out=tmp_path / "report.html").read_text(encoding="utf-8"))


DIFFERING = [
    *cells(0.010, 0.012),
    make_record("HiLo", resolution=448, latency=0.03),
    make_record("MSA", resolution=448, latency=0.02),
]
EVERY_VERDICT = (
    claim(id="A", where="resolution=224"),
    claim(id="B", where="resolution=448"),
    claim(id="C"),
    claim(id="D", where="resolution=224", expect={"ratio_above": 1.2}),
    claim(id="E", device="cpu"),
)


MANY = [claim(id=f"M{i}", says=f"Claim {i}.", published=PUBLISHED) for i in range(3)]
FAILING = [claim(id=f"F{i}", says=f"Fails {i}.", expect="lower") for i in range(7)]


def test_what_fails_differs_or_is_undecided_stands_open_and_the_rest_is_folded() -> None:
    found = of(DIFFERING, *EVERY_VERDICT)
    assert [row.verdict for row in found.shown] == ["does not hold", "mixed", "undecided"]
    assert [row.verdict for row in found.folded] == ["holds"]
    assert [row.verdict for row in found.untested] == ["not testable here"]


def test_at_most_five_stand_open_and_of_these_the_ones_about_macs_come_last() -> None:
    counted = claim(id="MACS", metric="macs", expect="higher")
    found = of(cells(), counted, *FAILING[:4], *FAILING[5:])
    assert [row.claim.id for row in found.shown] == ["F0", "F1", "F2", "F3", "F5"]
    assert [row.claim.id for row in found.folded] == ["F6", "MACS"]
    assert [row.claim.id for row in of(cells(), counted, *FAILING[:2]).shown] == ["F0", "F1", "MACS"]
    open_ = claim(id="OPEN", expect={"ratio_above": 1.2})
    assert [row.claim.id for row in of(cells(), counted, open_).shown] == ["OPEN", "MACS"]


def test_of_the_folded_those_that_hold_come_last_even_after_what_fails_about_macs() -> None:
    fails = claim(id="MACS", metric="macs", expect="higher")
    found = of(cells(), claim(id="HOLDS"), fails, *FAILING[:6])
    assert [row.claim.id for row in found.folded] == ["F5", "MACS", "HOLDS"]


def test_kernels_with_different_verdicts_are_named() -> None:
    fused = [
        make_record("HiLo", latency=0.012, kernel="sdpa"),
        make_record("MSA", latency=0.010, kernel="sdpa"),
    ]
    (row,) = of([*cells(0.010, 0.012), *fused], claim()).rows
    assert row.brief.endswith("holds in 1 of 2 settings (math); does not hold in 1 (sdpa)")


def test_a_claim_is_a_line_that_unfolds(tmp_path: Path) -> None:
    records = cells(sizes=(224, 448), noise=0.001)
    lines = page(tmp_path, records, *MANY, claim(id="U", device="cpu"))
    assert "Of 4 claims, 3 hold and 1 is not testable here." in lines.within("p")
    assert [text for text in lines.within("summary") if text.startswith("Claim")] == [
        f"Claim {i}." for i in range(3)
    ]
    assert {"3 claims", "1 not testable here, and why"} <= set(lines.within("summary"))
    assert (
        sum(text.endswith(" 1.2000 [1.1991, 1.2009], in both settings") for text in lines.within("td")) == 3
    )
    assert lines.within("td").count("1.16") == 3
    # What a line leaves out is behind it.
    smalls = lines.within("small")
    assert smalls.count("Published: 1.16 (5,104 / 4,403 images/s); RTX 3090, batch 64") == 3
    assert smalls.count("M0: Throughput, HiLo / MSA; claimed above 1") == 1
    assert lines.within("span").count("224 px, math") == 3


def test_a_line_has_the_ratio_with_its_setting_or_the_range_with_intervals_and_verdicts() -> None:
    assert of(cells(), claim(metric="macs")).rows[0].brief == "1.000 (224 px)"
    assert of(DIFFERING, claim()).rows[0].brief == (
        "0.667 [0.661, 0.672] to 1.200 [1.191, 1.209], holds in 1 of 2 settings (224 px); "
        "does not hold in 1 (448 px)"
    )
    assert of(cells(sizes=(224, 448)), claim()).rows[0].brief == (
        "1.200 [1.190, 1.210] to 1.200 [1.191, 1.209], in both settings"
    )


def test_a_verdict_that_rests_on_flagged_samples_says_so() -> None:
    flagged = [dataclasses.replace(record, flags=("busy_host",)) for record in cells()]
    (row,) = of(flagged, claim()).rows
    assert row.brief.endswith("(224 px, math), measured with warnings")
    assert row.measured[0].reason == "rests on samples with a flag: busy host"
    (clean,) = of(cells(), claim()).rows
    assert clean.measured[0].reason == ""
    assert "warnings" not in clean.brief


def test_a_scenario_without_claims_has_no_panel(tmp_path: Path) -> None:
    assert "Claims of the papers" not in page(tmp_path, cells()).within("h2")
    assert panel([], measured_cells(cells())) is None


def test_each_verdict_is_a_word_with_a_symbol_of_its_own(tmp_path: Path) -> None:
    assert sorted(SYMBOLS) == sorted(VERDICTS)
    assert len(set(SYMBOLS.values())) == len(VERDICTS)
    rows = of(DIFFERING, *EVERY_VERDICT).rows
    assert [row.verdict for row in rows] == list(VERDICTS)
    spans = page(tmp_path, DIFFERING, *EVERY_VERDICT).within("span")
    for verdict in VERDICTS:
        assert spans[spans.index(verdict) - 1] == SYMBOLS[verdict]


def test_the_summary_counts_the_verdicts() -> None:
    assert of(DIFFERING, *EVERY_VERDICT).summary == (
        "Of 5 claims, 1 holds, 1 does not hold, 1 holds in some settings only, 1 is undecided and 1 is not "
        "testable here."
    )
    twice = [one | {"id": f"{one['id']}2"} for one in EVERY_VERDICT]
    assert of(DIFFERING, *EVERY_VERDICT, *twice).summary == (
        "Of 10 claims, 2 hold, 2 do not hold, 2 hold in some settings only, 2 are undecided and 2 are not "
        "testable here."
    )
    assert of(cells(), claim()).summary == "Of 1 claim, 1 holds."


def test_measured_and_published_ratio_stand_side_by_side_with_conditions_and_source(tmp_path: Path) -> None:
    records = cells(noise=0.001)
    (row,) = of(records, claim(published=PUBLISHED)).rows
    assert re.fullmatch(r"1\.20\d* \[1\.19\d*, 1\.20\d*\]", row.measured[0].ratio)
    assert (row.measured[0].where, row.summary) == ("224 px, math", "")
    assert row.compared == "Throughput, HiLo / MSA; claimed above 1"
    found = page(tmp_path, records, claim(published=PUBLISHED))
    assert "Published: 1.16 (5,104 / 4,403 images/s); RTX 3090, batch 64" in found.within("small")
    assert "arXiv:2205.13213, Table 4" in found.within("small")
    assert f"{row.measured[0].ratio} (224 px, math)" in found.within("td")


def test_several_published_sizes_are_all_shown() -> None:
    both = [PUBLISHED, {"ratio": 2.0, "conditions": "A100"}]
    (row,) = of(cells(), claim(published=both)).rows
    assert [(one.ratio, one.conditions) for one in row.printed][1] == ("2", "A100")


def test_several_settings_are_listed_and_summed_up() -> None:
    (row,) = of(DIFFERING, claim()).rows
    assert row.summary == "holds in 1 of 2 settings (224 px); does not hold in 1 (448 px)"
    assert [(one.symbol, one.where) for one in row.measured] == [("✓", "224 px, math"), ("✗", "448 px, math")]
    kernels = [*cells(0.010, 0.012), *cells(0.02, 0.01, kernel="sdpa")]
    assert (
        of(kernels, claim()).rows[0].summary == "holds in 1 of 2 settings (math); does not hold in 1 (sdpa)"
    )
    assert of(cells(sizes=(224, 448)), claim()).rows[0].summary == "in both settings"
    assert of(cells(sizes=(224, 448, 896)), claim()).rows[0].summary == "in all 3 settings"


def test_a_setting_names_what_differs_within_the_run() -> None:
    records = [*cells(batch=1), *cells(batch=64)]
    assert [one.where for one in of(records, claim()).rows[0].measured] == [
        "224 px, math, batch 1",
        "224 px, math, batch 64",
    ]
    assert of(records, claim(metric="macs")).rows[0].measured[0].where == "224 px"


def test_a_comparison_of_filters_is_named_by_them() -> None:
    records = [make_record("HiLo", kernel="sdpa", latency=0.01), make_record("HiLo", latency=0.02)]
    sides = {"subject": "mixer=HiLo kernel=sdpa", "against": "mixer=HiLo kernel=math"}
    (row,) = of(records, claim(**sides, expect={"ratio_above": 1.5, "ratio_below": 2.5})).rows
    assert row.compared == (
        "Throughput, HiLo (kernel sdpa) / HiLo (kernel math); claimed above 1.5 and below 2.5"
    )
    assert row.measured[0].where == "224 px"
    plain = of(cells(), claim(subject="mixer=HiLo")).rows[0]
    assert plain.compared == "Throughput, HiLo / MSA; claimed above 1"


def test_a_claim_of_a_count_that_is_nearly_even_is_shown_with_enough_digits() -> None:
    records = [make_record("HiLo", macs=1_000_200), make_record("MSA", macs=1_000_000)]
    one = claim(metric="macs", expect={"ratio_above": 1.0001})
    (row,) = of(records, one).rows
    assert row.brief.startswith("1.00020")
    (row,) = of(records, claim(metric="macs", expect="higher")).rows
    assert row.brief.startswith("1.000 ")


def test_what_cannot_be_tested_is_folded_away_with_its_reason(tmp_path: Path) -> None:
    found = page(tmp_path, cells(), claim(device="cpu"), claim(id="L3", against="W-MSA"))
    assert "2 not testable here, and why" in found.within("summary")
    assert "the claim is about cpu; this run measured on cuda" in found.within("td")
    assert "the run has no cell of W-MSA" in found.within("td")


def test_a_cell_that_failed_gives_the_reason_of_its_setting(tmp_path: Path) -> None:
    records = [make_record("HiLo"), make_record("MSA", status="oom", reason="no memory")]
    assert "MSA ended as oom: no memory" in page(tmp_path, records, claim()).within("small")


def test_words_of_a_scenario_are_escaped(tmp_path: Path) -> None:
    evil = "<script>alert('x')</script> & more"
    published = {"ratio": 1.5, "conditions": evil, "unit": evil}
    found = page(tmp_path, cells(), claim(says=evil, source=evil, id="<b>", published=published))
    assert "<script>alert" not in found.source
    assert "<b>" not in found.source
    assert evil in found.within("summary")
    assert any(evil in text for text in found.within("small"))


def test_claims_that_cannot_be_read_are_named() -> None:
    with pytest.raises(ScenarioError, match=r"scenario.json  claims\[0\].expect\n  unknown expectation"):
        judgements({"claims": [claim(expect="better")]}, measured_cells(cells()))


def stored(folder: Path, records: Sequence[Record], *claims: dict[str, Any]) -> Path:
    """A run folder with these records and claims."""
    writer = RunWriter.create(folder, {"name": "hilo", "claims": list(claims)}, {})
    for record in records:
        writer.append(record)
    writer.close()
    return folder


def printed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *words: str | Path
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["benchsuite", "claims", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        main()
    out, err = capfd.readouterr()
    return int(caught.value.code or 0), out, err


def test_the_command_prints_the_panel_and_exits_with_0_whatever_the_verdicts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = stored(tmp_path / "run", DIFFERING, *EVERY_VERDICT, claim(id="F", published=PUBLISHED))
    code, out, err = printed(monkeypatch, capfd, folder)
    assert (code, err) == (0, "")
    for verdict in VERDICTS:
        assert f"{SYMBOLS[verdict]} {verdict}  " in out
    assert "RTX 3090, batch 64" in out
    assert "the claim is about cpu; this run measured on cuda" in out
    assert out.endswith("1 is undecided and 1 is not testable here.\n")


def test_the_command_prints_json_with_every_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = stored(tmp_path / "run", DIFFERING, claim(published=PUBLISHED), claim(id="X", against="W-MSA"))
    code, out, _ = printed(monkeypatch, capfd, folder, "--format", "json")
    assert code == 0
    first, second = json.loads(out)
    assert (first["id"], first["verdict"], first["published"][0]["subject"]) == ("L2", "mixed", 5104)
    setting = first["settings"][0]
    assert (setting["setting"]["resolution"], setting["verdict"]) == (224, "holds")
    assert setting["lo"] < setting["ratio"] < setting["hi"]
    assert setting["ratio"] == pytest.approx(setting["subject"] / setting["against"])
    assert (second["settings"], second["reason"]) == ([], "the run has no cell of W-MSA")


def test_the_command_says_when_there_are_no_claims_and_when_a_format_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = stored(tmp_path / "run", cells())
    assert printed(monkeypatch, capfd, folder)[:2] == (0, "the scenario of this run makes no claims\n")
    assert printed(monkeypatch, capfd, folder, "--format", "json")[:2] == (0, "[]\n")
    code, _, err = printed(monkeypatch, capfd, folder, "--format", "xml")
    assert (code, err) == (2, '--format: no "xml"\n  allowed: text, json\n')


def launch_bound(hilo_s: float, msa_s: float) -> list[Record]:
    found = []
    for record, busy_s in zip(cells(noise=0.001), (hilo_s, msa_s), strict=True):
        assert record.timing is not None
        timing = dataclasses.replace(record.timing, busy=Busy(seconds=busy_s, method="cuda_graph"))
        found.append(dataclasses.replace(record, timing=timing, flags=("launch_bound",)))
    return found


def test_a_launch_bound_verdict_says_so_and_what_device_time_says(tmp_path: Path) -> None:
    records = launch_bound(0.004, 0.002)
    (row,) = of(records, claim()).rows
    assert row.words == "holds (launch-bound; on device time: does not hold)"
    said = "launch-bound: the host sets the pace; on device time 0.5000, does not hold"
    assert row.measured[0].reason == said
    assert row.words in page(tmp_path, records, claim()).within("span")
    (plain_one,) = map(plain, judgements({"claims": [claim()]}, measured_cells(records)))
    assert (plain_one["verdict"], plain_one["device_verdict"]) == ("holds", "does not hold")
    assert plain_one["settings"][0]["device_ratio"] == pytest.approx(0.5)


def test_a_verdict_on_attention_that_ran_as_math_says_so() -> None:
    records = [dataclasses.replace(one, attention_backend=("math",)) for one in cells(kernel="sdpa")]
    (row,) = of(records, claim()).rows
    assert row.words == "holds"
    assert row.measured[0].reason == "torch ran the attention of HiLo and MSA as math, not fused"
