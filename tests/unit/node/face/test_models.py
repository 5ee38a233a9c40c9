"""The networks are those of the manifest, or nothing is loaded."""

import json
import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from node.errors import ModelError
from node.face.vision import FaceModels

DATA = Path(str(files("node.face.vision"))) / "data"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    shutil.copytree(DATA, tmp_path / "data")
    return tmp_path / "data"


def test_every_file_has_an_origin_a_licence_and_its_hash() -> None:
    entries = json.loads((DATA / "manifest.json").read_text("utf-8"))["files"]
    listed = {entry["file"] for entry in entries}
    assert listed == {path.name for path in DATA.iterdir()} - {"manifest.json"}
    assert all(entry["origin"] and entry["licence"] and entry["sha256"] for entry in entries)


def test_an_altered_network_is_refused(copied: Path) -> None:
    path = copied / "face_landmark.onnx"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ModelError, match="not the file that the manifest names"):
        FaceModels.load(copied)


def test_a_missing_network_is_named(copied: Path) -> None:
    (copied / "faceres.onnx").unlink()
    with pytest.raises(ModelError, match=r"faceres\.onnx is missing"):
        FaceModels.load(copied)


def test_without_a_manifest_nothing_is_loaded(copied: Path) -> None:
    (copied / "manifest.json").write_text("[]", "utf-8")
    with pytest.raises(ModelError, match=r"manifest\.json cannot be read"):
        FaceModels.load(copied)
