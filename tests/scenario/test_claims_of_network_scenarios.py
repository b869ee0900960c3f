"""The claims in the scenarios of networks, held against closed forms, printed tables and planted numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from benchsuite.findings.claims import judge
from benchsuite.results.cell import Cell
from benchsuite.results.metrics import measured_cells
from tests.report.synthetic import make_record
from tests.shipped import cells_of, scenario

MUST_TEST = {
    "litv2_table4": ("L4",),
    "litv2_table5": ("L9",),
    "litv2_alpha": ("L7", "X1", "X2"),
    "litv2_resolution": ("L10", "L12", "S5", "X3"),
    "classification_224": ("L11", "L12", "S8", "S9", "S10", "X6"),
    "davit": ("D1", "D2"),
    "dwnet": ("Y1", "Y2", "Y3", "Y4", "S2", "S3", "S4"),
    "context_broadcast_vit": ("C1", "C2", "C3", "C6", "C7"),
    "acmix_backbones": ("A1", "A2", "A3"),
}
"""Scenario → the claims of the papers that it has to test, in one or several sentences each."""
ALPHAS = (0.0, 0.2, 0.4, 0.5, 0.7, 0.9, 1.0)


def planted(
    cell: Cell, latency: float = 0.01, macs: int = 1000, params: int = 1000, memory: int = 1000
) -> Any:
    """A record of the cell with numbers of the test's choice."""
    fields = {
        key: getattr(cell, key) for key in ("subject", "target", "config", "stride", "dim", "num_heads")
    }
    record = make_record(
        cell.name, resolution=cell.resolution, kernel=cell.kernel, latency=latency, noise=0.0001,
        macs=macs, memory=memory, batch=cell.batch, dtype=cell.dtype, mode=cell.mode, device=cell.device,
        **fields,
    )  # fmt: skip
    assert record.cost is not None
    return replace(record, cost=replace(record.cost, params=params))


def verdicts(name: str, records: Sequence[Any]) -> dict[str, str]:
    return {one.claim.id: one.verdict for one in judge(scenario(name).claims, measured_cells(records))}


def with_latency(name: str, latency: Callable[[Cell], float], *, device: str = "cpu") -> dict[str, str]:
    return verdicts(name, [planted(cell, latency(cell)) for cell in cells_of(name, device=device)])


@pytest.mark.parametrize("name", MUST_TEST)
def test_each_claim_of_its_papers_is_among_its_claims(name: str) -> None:
    heads = {claim.id.split("-")[0] for claim in scenario(name).claims}
    assert heads >= set(MUST_TEST[name])


@pytest.mark.parametrize("name", MUST_TEST)
@pytest.mark.parametrize("profile", ["cpu", "quick"])
def test_a_smaller_run_still_tests_each_of_its_papers_main_claims(name: str, profile: str) -> None:
    small = scenario(name, profile)
    measured = measured_cells([planted(cell) for cell in cells_of(name, profile)])
    judged = {one.claim.id: one.verdict for one in judge(small.claims, measured)}
    testable = {key.split("-")[0] for key, verdict in judged.items() if verdict != "not testable here"}
    # Those that only a GPU, larger images or more networks can say.
    beyond = {"cpu": {"L10", "X6"}, "quick": {"L10", "X6", "C7"}}[profile]
    if name == "litv2_resolution" and profile == "quick":
        beyond = beyond | {"L12"}
    assert testable >= set(MUST_TEST[name]) - beyond


@pytest.mark.parametrize("name", MUST_TEST)
def test_quick_runs_use_one_thread_and_one_image_so_that_they_stay_quick_beside_other_work(name: str) -> None:
    quick = scenario(name, "quick")
    assert quick.measure.threads == 1
    cells = cells_of(name, "quick")
    assert len(cells) <= 11
    assert {cell.batch for cell in cells} == {1}


CONTRADICTED = {("classification_224", "S10", 0)}
"""Scenario, claim and number of a printed size that says the opposite: linear attention on a GPU."""


@pytest.mark.parametrize("name", MUST_TEST)
def test_printed_sizes_are_what_the_claim_says_of_them(name: str) -> None:
    for claim in scenario(name).claims:
        lo, hi = claim.expect.band
        for i, printed in enumerate(claim.published or ()):
            assert (lo < printed.size < hi) == ((name, claim.id, i) not in CONTRADICTED), (claim.id, i)


def test_what_no_source_was_read_for_is_not_quoted() -> None:
    # LITv2's tables 4 and 5: the rows between the first and the last. Context broadcasting: no table.
    quoted = {
        name: [claim.id for claim in scenario(name).claims if claim.published]
        for name in ("litv2_table4", "litv2_table5", "context_broadcast_vit")
    }
    assert quoted == {"litv2_table4": [], "litv2_table5": ["T5-macs"], "context_broadcast_vit": []}
    assert not [claim.id for claim in scenario("dwnet").claims if claim.published and "Y3" in claim.id]


def test_the_leads_of_litv2_are_those_of_the_authors_table() -> None:
    # LITv2-S and the others on an A100 and an RTX 3090, and Swin-T on a V100 and an RTX 6000, too.
    ours = {"A100": 1874, "V100": 1304, "RTX 6000": 928, "RTX 3090": 1471}
    table = {
        "Swin-T": {"A100": 1564, "V100": 1039, "RTX 6000": 710, "RTX 3090": 961},
        "ResNet-50": {"A100": 1424, "RTX 3090": 1279},
        "ConvNeXt-T": {"A100": 1654, "RTX 3090": 1079},
        "PVT-S": {"A100": 1460, "RTX 3090": 1007},
        "PVTv2-B2": {"A100": 1175, "RTX 3090": 854},
        "Twins-PCPVT-S": {"A100": 1455, "RTX 3090": 998},
        "Focal-T": {"A100": 471, "RTX 3090": 384},
    }
    claims = [claim for claim in scenario("classification_224").claims if claim.id.startswith("L11")]
    found = {
        claim.against: {printed.conditions.split(",")[0]: printed.size for printed in claim.published}
        for claim in claims
        if claim.published and claim.subject == "LITv2-S"
    }
    assert found == {
        name: pytest.approx({gpu: ours[gpu] / images for gpu, images in theirs.items()})
        for name, theirs in table.items()
    }


def hilo(n: int, c: int, h: int, alpha: float, s: int) -> float:
    """Multiply–adds of HiLo: Hi-Fi in windows of s × s, Lo-Fi with M = N / s² pooled keys and values."""
    low = int(alpha * h) * c // h
    high, m = c - low, n / s**2
    hi_fi = 3 * n * c * high + 2 * n * s**2 * high + n * high**2
    lo_fi = n * c * low + 2 * m * c * low + 2 * n * m * low + n * low**2
    return hi_fi + lo_fi


def msa(n: int, c: int) -> float:
    return 4 * n * c**2 + 2 * n**2 * c


def window(n: int, c: int) -> float:
    return 4 * n * c**2 + 2 * n * 49 * c


def of_alpha(cell: Cell) -> float:
    """Stage 3 of LITv2-S: six blocks of 384 channels and 12 heads at a stride of 16."""
    alpha = cell.config["mixer"]["stage3"]["params"]["alpha"]
    return 6 * hilo((cell.resolution[0] // 16) ** 2, 384, 12, alpha, 2)


def test_alpha_follows_the_closed_form_and_the_last_step_contradicts_the_table() -> None:
    records = [planted(cell, macs=round(of_alpha(cell))) for cell in cells_of("litv2_alpha")]
    found = verdicts("litv2_alpha", records)
    counted = [c.id for c in scenario("litv2_alpha").claims if c.metric == "macs"]
    assert {key for key in counted if found[key] != "holds"} == {"L7-1"}
    assert found["L7-1"] == "does not hold"
    # The larger α, the fewer at 224 pixels; from α = 0.5 on it is the other way round at 1024.
    assert min(ALPHAS, key=lambda alpha: hilo(14**2, 384, 12, alpha, 2)) == 0.9
    assert min(ALPHAS, key=lambda alpha: hilo(64**2, 384, 12, alpha, 2)) == 0.0


def last_stages(cell: Cell) -> float:
    """Attention of LITv2-S: six blocks of 384 channels at a stride of 16, two of 768 at 32."""
    n3 = cell.resolution[0] * cell.resolution[1] // 16**2
    n4 = n3 // 4
    if cell.name == "LITv2-S with W-MSA":
        return 6 * window(n3, 384) + 2 * window(n4, 768)
    if cell.name == "LITv2-S with MSA":
        return 6 * msa(n3, 384) + 2 * msa(n4, 768)
    return 6 * hilo(n3, 384, 12, 0.9, 4 if "windows of 4" in cell.name else 2) + 2 * msa(n4, 768)


def test_windows_need_fewer_multiply_adds_than_hilo_from_672_pixels_on() -> None:
    records = [planted(cell, macs=round(last_stages(cell))) for cell in cells_of("litv2_resolution")]
    found = verdicts("litv2_resolution", records)
    assert [found[key] for key in ("X3", "X3-224", "L10-macs")] == ["holds"] * 3


FOCAL = {
    "DeiT-S": {224: 939, 448: 101, 896: 20},
    "PVT-S": {224: 794, 448: 172, 896: 31},
    "Swin-T": {224: 760, 448: 189, 896: 48},
    "Focal-T": {224: 319, 448: 105, 896: 27},
}
"""Network → resolution → images a second, as Focal's authors print them."""


def test_the_claims_about_larger_images_hold_in_the_table_they_are_from() -> None:
    records = [
        planted(cell, cell.batch / FOCAL[cell.name][cell.resolution[0]])
        for cell in cells_of("litv2_resolution")
        if cell.resolution[0] in FOCAL.get(cell.name, ())
    ]
    found = verdicts("litv2_resolution", records)
    said = [key for key in found if key.startswith(("S5", "L12"))]
    assert len(said) == 9
    assert {found[key] for key in said} == {"holds"}


def test_none_of_them_holds_where_all_networks_are_as_fast_and_time_grows_with_the_side() -> None:
    found = with_latency("litv2_resolution", lambda cell: 1e-4 * cell.resolution[0])
    # Touching the end of a band is undecided; growth is what DeiT and PVT are said to have more of.
    assert {found[key] for key in ("S5-deit-224", "S5-deit", "S5-pvt-224", "S5-pvt", "L12")} == {"undecided"}
    assert {found[key] for key in ("S5-deit-loss", "S5-pvt-loss")} == {"does not hold"}


def test_davit_is_linear_where_four_times_the_pixels_take_four_times_as_long_and_not_where_more() -> None:
    def growing(power: float) -> dict[str, str]:
        records = [
            planted(cell, 1e-6 * cell.resolution[0] ** power, macs=cell.resolution[0] ** 2)
            for cell in cells_of("davit")
        ]
        return verdicts("davit", records)

    assert growing(2.0)["D1"] == growing(2.0)["D1-macs"] == "holds"
    assert growing(2.5)["D1"] == "does not hold"


@pytest.mark.parametrize(
    ("name", "label", "key", "small", "large"),
    [
        ("litv2_table4", "HiLo", "L4-window", 0.9, 1.1),
        ("litv2_table4", "HiLo", "L4-msa", 0.9, 1.1),
        ("litv2_table5", "− relative position bias", "L9", 0.5, 0.9),
        ("litv2_table5", "− relative position bias", "L9-224", 0.99, 1.1),
        ("litv2_alpha", "α = 0.9", "L7-time", 0.9, 1.1),
        ("classification_224", "LITv2-S", "L11", 0.9, 1.1),
        ("classification_224", "Focal-T", "L12", 2.1, 1.9),
        ("classification_224", "Twins-SVT-S", "S9", 0.9, 1.1),
        ("classification_224", "PVTv2-B2 linear", "S10", 0.9, 1.1),
        ("davit", "DaViT-T", "D2-T", 0.9, 1.1),
        ("dwnet", "Swin-T", "S2", 1.03, 1.1),
        ("dwnet", "Swin-T", "S3", 0.9, 1.1),
        ("dwnet", "DWNet-T dynamic", "Y4-dynamic", 1.05, 1.3),
        ("context_broadcast_vit", "CB at the end", "C1", 1.01, 1.03),
        ("context_broadcast_vit", "CB in the middle", "C3", 1.05, 0.95),
        ("context_broadcast_vit", "CB in front", "C3-front", 1.005, 1.02),
        ("acmix_backbones", "Swin-T + ACmix", "A1-T", 1.05, 1.2),
        ("acmix_backbones", "Swin-T + ACmix", "A3-swin", 0.9, 1.1),
        ("acmix_backbones", "ResNet-50 + ACmix", "A2-resnet", 3.0, 1.5),
    ],
)
def test_a_claim_about_time_holds_at_one_latency_of_its_subject_and_not_at_another(
    name: str, label: str, key: str, small: float, large: float
) -> None:
    def times(factor: float) -> dict[str, str]:
        return with_latency(name, lambda c: 0.01 * (factor if c.name == label else 1.0), device="cuda:0")

    assert times(small)[key] == "holds"
    assert times(large)[key] == "does not hold"


def test_a_kernel_and_a_precision_are_compared_within_one_network() -> None:
    def quicker(cell: Cell) -> float:
        return 0.01 / ((2.0 if cell.kernel == "sdpa" else 1.0) * (1.5 if cell.dtype == "fp16" else 1.0))

    found = with_latency("classification_224", quicker, device="cuda:0")
    assert [found[key] for key in ("R1-fused", "X6", "R1-windows")] == ["holds", "holds", "does not hold"]
    assert {with_latency("classification_224", quicker)[key] for key in ("R1-fused", "X6")} == {
        "not testable here"
    }


@pytest.mark.parametrize("name", ["dwnet", "context_broadcast_vit", "classification_224"])
def test_the_networks_have_as_many_parameters_as_is_claimed_of_them(name: str) -> None:
    from benchsuite.worker.build import build

    found = scenario(name)
    claims = [claim for claim in found.claims if claim.metric == "params"]
    named = {side for claim in claims for side in (claim.subject, claim.against)}
    records = []
    for cell in cells_of(name):
        if cell.name in named and cell.kernel == "math":
            network = build(cell, "meta", batch=1).module
            records.append(planted(cell, params=sum(weights.numel() for weights in network.parameters())))
    judged = judge(claims, measured_cells(records))
    assert judged
    assert {one.verdict for one in judged} == {"holds"}
