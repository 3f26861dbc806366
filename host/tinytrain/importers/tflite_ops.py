"""The operators of .tflite files that can be imported: one row and one rule for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tinytrain.importers import index_rules, layer_rules, linear_rules, shape_rules
from tinytrain.importers.tflite_file import FileOp
from tinytrain.importers.translation import Translation

Rule = Callable[[Translation, FileOp], None]

RULES: Final[Mapping[str, Rule]] = {
    "ADD": layer_rules.add,
    "AVERAGE_POOL_2D": layer_rules.average_pool2d,
    "CONCATENATION": shape_rules.constant,
    "CONV_2D": linear_rules.conv2d,
    "DEPTHWISE_CONV_2D": linear_rules.depthwise_conv2d,
    "DEQUANTIZE": shape_rules.dequantize,
    "EMBEDDING_LOOKUP": index_rules.embedding_lookup,
    "EXPAND_DIMS": shape_rules.reshape,
    "FULLY_CONNECTED": linear_rules.fully_connected,
    "GATHER": index_rules.gather,
    "MAX_POOL_2D": layer_rules.max_pool2d,
    "MEAN": layer_rules.mean,
    "PACK": shape_rules.constant,
    "PAD": layer_rules.pad,
    "PADV2": layer_rules.pad,
    "QUANTIZE": shape_rules.quantize,
    "RELU": layer_rules.relu,
    "RELU6": layer_rules.relu6,
    "RELU_N1_TO_1": layer_rules.relu_n1_to_1,
    "RESHAPE": shape_rules.reshape,
    "SHAPE": shape_rules.shape,
    "SOFTMAX": layer_rules.softmax,
    "SQUEEZE": shape_rules.reshape,
    "STRIDED_SLICE": shape_rules.constant,
    "TRANSPOSE": shape_rules.transpose,
}

# What would help instead of an op that has no rule.
ADVICE: Final[Mapping[str, str]] = {
    "BATCH_MATMUL": "use fully connected layers",
    "CAST": "give indices as an int32 input (keras.Input(dtype='int32')), anything else as int8",
    "DIV": "fold the scaling into the preprocessing or the weights",
    "ELU": "use RELU or RELU6",
    "GELU": "use RELU or RELU6",
    "HARD_SWISH": "use RELU or RELU6 (a 'minimalistic' MobileNetV3 has no HARD_SWISH)",
    "LEAKY_RELU": "use RELU or RELU6",
    "LOGISTIC": "end the model at the logits; inside, use RELU6",
    "LOG_SOFTMAX": "end the model at the logits",
    "MUL": "fold the scaling into the preprocessing or the weights",
    "PRELU": "use RELU or RELU6",
    "SUB": "fold the shift into the preprocessing or a bias",
    "SUM": "use MEAN over height and width",
    "TANH": "use RELU or RELU6",
    "TRANSPOSE_CONV": "use convolutions without upsampling",
}
