"""The detector's first stream: texture as the first layers of the face network see it, weighed.

The layers are those of the embedding, as they are: they were trained on many faces, and the few
fakes that an operator has train no others as well. Of each of their 64 channels the mean and the
spread over the face are taken, and a logistic regression weighs them (ADR 0084).
"""

import tempfile
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from face_lab.manifest import DATA
from node.face.vision.arrays import Floats

_FIRST: Final = "input_1:0"
_LAST: Final = "conv_pw_1_relu/Relu:0"
_SHAPE: Final = (1, 224, 224, 3)
_STATISTICS: Final = 2 * 64
# How strongly weights are held small: chosen by leaving out one manipulation of the training data.
_STRENGTH: Final = 0.1


def build_statistics() -> ModelProto:
    """Return the network that makes 128 statistics of one `appearance_input`."""
    with tempfile.TemporaryDirectory() as scratch:
        path = str(Path(scratch) / "layers.onnx")
        onnx.utils.extract_model(str(DATA / "faceres.onnx"), path, [_FIRST], [_LAST])
        layers = onnx.load(path)
    graph = layers.graph
    after = [
        helper.make_node("ReduceMean", [_LAST, "plane"], ["means"], keepdims=0),
        helper.make_node("Mul", [_LAST, _LAST], ["squares"]),
        helper.make_node("ReduceMean", ["squares", "plane"], ["mean_squares"], keepdims=0),
        helper.make_node("Mul", ["means", "means"], ["squared_means"]),
        helper.make_node("Sub", ["mean_squares", "squared_means"], ["differences"]),
        helper.make_node("Relu", ["differences"], ["variances"]),
        helper.make_node("Sqrt", ["variances"], ["spreads"]),
        helper.make_node("Concat", ["means", "spreads"], ["statistics"], axis=1),
    ]
    made = helper.make_graph(
        [*graph.node, *after],
        "texture",
        [helper.make_tensor_value_info(_FIRST, TensorProto.FLOAT, _SHAPE)],
        [helper.make_tensor_value_info("statistics", TensorProto.FLOAT, (1, _STATISTICS))],
        [*graph.initializer, numpy_helper.from_array(np.array([2, 3]), "plane")],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = layers.ir_version
    onnx.checker.check_model(model)
    return model


def weigh(statistics: Floats, fake: NDArray[np.bool_]) -> tuple[Floats, float]:
    """Return the weights of the statistics, and what is added, for the log-odds of a fake.

    Args:
        statistics: N x 128.
        fake: N.
    """
    scaler = StandardScaler().fit(statistics)
    fitted = LogisticRegression(C=_STRENGTH, max_iter=500, class_weight="balanced").fit(
        scaler.transform(statistics), fake
    )
    weights = fitted.coef_[0] / scaler.scale_
    return weights.astype(np.float32), float(fitted.intercept_[0] - weights @ scaler.mean_)


def with_weights(statistics: ModelProto, weights: Floats, bias: float) -> ModelProto:
    """Return the whole stream: `build_statistics` and one log-odds of them."""
    model = ModelProto()
    model.CopyFrom(statistics)
    graph = model.graph
    graph.node.append(helper.make_node("Gemm", ["statistics", "weights", "bias"], ["log_odds"]))
    graph.initializer.extend(
        [
            numpy_helper.from_array(weights[:, None].astype(np.float32), "weights"),
            numpy_helper.from_array(np.array([bias], np.float32), "bias"),
        ]
    )
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("log_odds", TensorProto.FLOAT, (1, 1)))
    onnx.checker.check_model(model)
    return model
