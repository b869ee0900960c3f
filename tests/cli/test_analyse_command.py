"""`benchsuite analyse`: what it writes, and what it says to what cannot be."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from benchsuite.analyse.files import read_images
from benchsuite.cli import app
from benchsuite.errors import UsageError
from benchsuite.mixers.msa import MSA
from benchsuite.results.codec import encode
from tests.report.synthetic import make_record

FAST = ["--resolution", "64", "--dim", "16", "--num-heads", "2", "--number", "1"]


def analyse(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["analyse", *arguments])
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_a_mixer_by_name_gets_a_page_and_its_numbers_beside_it(tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    said = analyse("hilo", "--param", "alpha=1.0", *FAST, "--seed", "3", "--out", str(out))
    assert said.strip() == str(out)
    page = out.read_text(encoding="utf-8")
    assert "These weights are random." in page
    assert "random weights, seed 3" in page
    (one,) = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))["subjects"]
    assert [layer["branch"] for layer in one["attention"]] == ["Lo-Fi"]  # alpha 1: no head is left for Hi-Fi


def test_a_mixer_of_ones_own_is_looked_for_where_it_is_said_to_be(tmp_path: Path, repository: Path) -> None:
    out = tmp_path / "page.html"
    folder = str(repository / "examples" / "own_mixer")
    analyse("shift_mixer:ShiftMixer", *FAST, "--pythonpath", folder, "--out", str(out))
    (one,) = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))["subjects"]
    assert one["field"]["grid"] == [4, 4]
    assert folder not in sys.path


def test_weights_of_a_file_are_loaded_and_named(tmp_path: Path) -> None:
    torch.save(MSA(16, 2).state_dict(), tmp_path / "mine.pth")
    out = tmp_path / "page.html"
    analyse("msa", *FAST, "--weights", str(tmp_path / "mine.pth"), "--out", str(out))
    page = out.read_text(encoding="utf-8")
    assert "weights of mine.pth" in page
    assert "random" not in page


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["hillo"], 'did you mean "hilo"?'),
        (["hilo", "msa", "--weights", "w.pth"], "--weights fills one subject, and there are 2: hilo, msa"),
        (["hilo", "--weights", "absent.pth"], "absent.pth: no such file of weights"),
        (["hilo", "--only", "msa"], "--only chooses from a run folder"),
        (["own_nowhere:Mine"], "own_nowhere:Mine cannot be loaded: no module named 'own_nowhere'"),
        (["shift_mixer:ShiftMixer", "--pythonpath", "nowhere"], "--pythonpath nowhere: no such folder"),
        (["hilo", "--param", "alpha"], "--param alpha: wanted name=value"),
        (["hilo", "--param", "alpha=["], "the value cannot be read"),
        (["hilo", "--param", "alpha=2"], "alpha 2 is not between 0 and 1"),
        (["hilo", "--resolution", "225"], "stride 16 does not divide 225 × 225 pixels"),
        (["deit_ti", "--images", "absent"], "absent: no such folder of images"),
    ],
)
def test_bad_input_is_explained(arguments: list[str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        analyse(*arguments)
    assert said in str(caught.value)


def test_a_folder_that_is_no_run_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        analyse(str(tmp_path))
    with pytest.raises(UsageError, match="name one run folder"):
        analyse(str(tmp_path), "hilo")


def test_a_run_gets_its_analyses_and_a_section_in_its_report(tmp_path: Path) -> None:
    cells = {"resolution": 64, "dim": 16, "num_heads": 2, "device": "cpu", "dtype": "bf16"}
    records = [make_record("mine", target="hilo", **cells), make_record("other", target="msa", **cells)]
    (tmp_path / "scenario.json").write_text('{"title": "T"}', encoding="utf-8")
    (tmp_path / "environment.json").write_text("{}", encoding="utf-8")
    lines = "".join(f"{encode(record)}\n" for record in records)
    (tmp_path / "records.jsonl").write_text(lines, encoding="utf-8")
    assert analyse(str(tmp_path), "--number", "1").strip() == str(tmp_path / "report.html")
    stored = json.loads((tmp_path / "analyses.json").read_text(encoding="utf-8"))
    assert [one["name"] for one in stored["subjects"]] == ["mine", "other"]
    assert "What the mixers do to an image" in (tmp_path / "report.html").read_text(encoding="utf-8")
    with pytest.raises(UsageError, match=r'measured no "third"\n  allowed: mine, other'):
        analyse(str(tmp_path), "--only", "third")
    with pytest.raises(UsageError, match="--param is for mixers and networks by name"):
        analyse(str(tmp_path), "--param", "alpha=1")


def test_networks_see_the_images_of_a_folder(tmp_path: Path) -> None:
    for number in range(2):
        Image.new("RGB", (40 + number, 30), (120 * number, 10, 10)).save(tmp_path / f"{number}.png")
    out = tmp_path / "page.html"
    analyse("deit_ti", "--resolution", "32", "--images", str(tmp_path), "--out", str(out))
    (one,) = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))["subjects"]
    assert (one["images"], one["inputs"]) == (2, f"2 images of {tmp_path.name}")
    with pytest.raises(UsageError, match=r"holds 2 images .* and 3 are asked for"):
        analyse("deit_ti", "--resolution", "32", "--images", str(tmp_path), "--number", "3")
    (tmp_path / "0.png").write_bytes(b"no image")
    with pytest.raises(UsageError, match="cannot be read as an image"):
        analyse("deit_ti", "--resolution", "32", "--images", str(tmp_path))


def test_an_image_is_normalised_as_for_imagenet(tmp_path: Path) -> None:
    Image.new("RGB", (3, 5), (255, 0, 0)).save(tmp_path / "red.png")
    pixels = read_images(tmp_path, 1, (4, 2))
    assert pixels.shape == (1, 3, 4, 2)
    assert pixels[0, :, 0, 0].tolist() == pytest.approx(
        [(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225], rel=1e-5
    )
