"""Reading of golden cases: what is read, and what is said of a folder that is not right."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from benchsuite.errors import ParityDataError
from benchsuite.parity.cases import read_cases

DATA = Path(__file__).parents[1] / "data" / "golden"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one case."""
    for suffix in ("json", "safetensors"):
        shutil.copy(DATA / f"hilo_pad_a0.5_odd.{suffix}", tmp_path)
    return tmp_path


def refused(folder: Path, message: str) -> None:
    with pytest.raises(ParityDataError, match=f"^{re.escape(str(folder))}{message}"):
        read_cases(folder)


def test_a_case_has_its_tensors_and_what_to_do_with_them(folder: Path) -> None:
    (case,) = read_cases(folder)
    assert (case.name, case.mixer, case.layout, case.size) == (
        "hilo_pad_a0.5_odd",
        "hilo_padded",
        "BNC",
        (7, 9),
    )
    assert case.kwargs["alpha"] == 0.5
    assert not case.train_mode
    assert case.input.shape == case.output.shape == case.grad_input.shape == (2, 63, 32)
    assert set(case.state) == set(case.grad_norms)
    assert case.output_tolerance.atol == 2.2e-05
    assert case.grad_tolerance.rtol == 0.001
    assert case.zero_grads == frozenset()


def test_the_source_of_a_case_is_a_class_in_a_repository(folder: Path) -> None:
    path = folder / "hilo_pad_a0.5_odd.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    for address in ("https://github.com/ziplab/LITv2", "https://github.com/ziplab/LITv2.git/"):
        document["source"] = {"repo": address, "cls": "HiLo"}
        path.write_text(json.dumps(document), encoding="utf-8")
        (case,) = read_cases(folder)
        assert (case.source.repository, case.source.cls) == ("ziplab/LITv2", "HiLo")


def test_tokens_without_a_grid_are_one_column() -> None:
    (case,) = (case for case in read_cases(DATA) if case.name == "msa")
    assert case.size == (197, 1)


def test_buffers_are_state_too() -> None:
    (case,) = (case for case in read_cases(DATA) if case.name == "performer_softmax")
    assert case.state["fast_attention.projection_matrix"].shape == (16, 8)
    assert "fast_attention.projection_matrix" not in case.grad_norms


def test_json_that_describes_no_case_is_left_alone(folder: Path) -> None:
    (folder / "model_shapes.json").write_text('{"models": {}}')
    (folder / "list.json").write_text("[1, 2]")
    assert len(read_cases(folder)) == 1


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    refused(tmp_path / "golden", r": no such folder$")


def test_a_folder_without_cases_is_named(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("")
    refused(tmp_path, r": holds no cases \(pairs of <name>.json and <name>.safetensors\)$")


def test_broken_json_is_named_with_its_place(folder: Path) -> None:
    (folder / "hilo_pad_a0.5_odd.json").write_text('{"name": ')
    refused(folder, r"/hilo_pad_a0\.5_odd\.json: cannot be read: Expecting value: line 1 column 10")


def test_missing_and_wrong_keys_are_named_together(folder: Path) -> None:
    path = folder / "hilo_pad_a0.5_odd.json"
    description = json.loads(path.read_text(encoding="utf-8"))
    del description["mixer"]
    description["tolerance"]["output"]["atol"] = "small"
    path.write_text(json.dumps(description))
    refused(folder, r".*\.json: is no case: mixer: Field required; tolerance\.output\.atol: Input should be")


def test_a_case_that_is_no_object_is_named(folder: Path) -> None:
    (folder / "hilo_pad_a0.5_odd.json").write_text("[]")
    refused(folder, r".*\.json: is no case: file: Input should be ")


def test_broken_tensors_are_named(folder: Path) -> None:
    (folder / "hilo_pad_a0.5_odd.safetensors").write_bytes(b"no tensors")
    refused(folder, r"/hilo_pad_a0\.5_odd\.safetensors: cannot be read: ")


def test_missing_tensors_are_named(folder: Path) -> None:
    path = folder / "hilo_pad_a0.5_odd.safetensors"
    tensors = load_file(path)
    del tensors["cotangent"], tensors["output"]
    save_file(tensors, path)
    refused(folder, r"/hilo_pad_a0\.5_odd\.safetensors: lacks output, cotangent$")


def test_a_case_without_its_tensors_is_named(folder: Path) -> None:
    (folder / "hilo_pad_a0.5_odd.safetensors").unlink()
    refused(folder, r"/hilo_pad_a0\.5_odd\.json: the case has no hilo_pad_a0\.5_odd\.safetensors beside it$")


def test_tensors_without_their_case_are_named(folder: Path) -> None:
    shutil.copy(DATA / "msa.safetensors", folder)
    refused(folder, r"/msa\.safetensors: the tensors have no msa\.json beside them$")
