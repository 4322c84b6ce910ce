/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Attributes that became inputs, and forms that differ from the row's only by
 * attributes whose defaults mean the old behaviour (no moves at all).
 *
 * Source: the operators' change log of ONNX.
 */
#include "engine/spelling.h"

/* clang-format off */
static const struct spelling_move same[] = { { 0 } };
static const struct spelling_move axes[] = {
	{ "axes", AS_INTS, 1, false },
	{ 0 },
};
static const struct spelling_move required_axes[] = {
	{ "axes", AS_INTS, 1, true },
	{ 0 },
};
static const struct spelling_move clip[] = {
	{ "min", AS_SCALAR, 1, false },
	{ "max", AS_SCALAR, 2, false },
	{ 0 },
};
static const struct spelling_move pad[] = {
	{ "pads", AS_INTS, 1, true },
	{ "value", AS_SCALAR, 2, false },
	{ 0 },
};
static const struct spelling_move slice[] = {
	{ "starts", AS_INTS, 1, true },
	{ "ends", AS_INTS, 2, true },
	{ "axes", AS_INTS, 3, false },
	{ 0 },
};
static const struct spelling_move split[] = {
	{ "split", AS_INTS, 1, false },
	{ 0 },
};
/* a Gemm of opset 6 broadcasts C only when asked to; what it takes without
 * being asked means the same in both forms */
static const struct spelling_move gemm[] = {
	{ "broadcast", AS_NOTHING, 0, false },
	{ 0 },
};

const struct spelling spellings_attributes[] = {
	{ .domain = "", .name = "ArgMax", .from = 1, .to = 11, .moves = same },
	{ .domain = "", .name = "ArgMin", .from = 1, .to = 11, .moves = same },
	{ .domain = "", .name = "AveragePool", .from = 1, .to = 18, .moves = same },
	{ .domain = "", .name = "BatchNormalization", .from = 14, .to = 14, .moves = same },
	{ .domain = "", .name = "Cast", .from = 6, .to = 8, .moves = same },
	{ .domain = "", .name = "Clip", .from = 6, .to = 10, .moves = clip },
	{ .domain = "", .name = "DequantizeLinear", .from = 10, .to = 22, .moves = same },
	{ .domain = "", .name = "Dropout", .from = 12, .to = 12, .moves = same },
	{ .domain = "", .name = "GRU", .from = 7, .to = 13, .moves = same },
	{ .domain = "", .name = "Gemm", .from = 6, .to = 6, .moves = gemm },
	{ .domain = "", .name = "LSTM", .from = 7, .to = 13, .moves = same },
	{ .domain = "", .name = "LayerNormalization", .from = 1, .to = 16, .moves = same },
	{ .domain = "", .name = "Max", .from = 6, .to = 7, .moves = same },
	{ .domain = "", .name = "MaxPool", .from = 1, .to = 9, .moves = same },
	{ .domain = "", .name = "Min", .from = 6, .to = 7, .moves = same },
	{ .domain = "", .name = "NegativeLogLikelihoodLoss", .from = 12, .to = 12,
	  .moves = same },
	{ .domain = "", .name = "Pad", .from = 2, .to = 10, .moves = pad },
	{ .domain = "", .name = "QuantizeLinear", .from = 10, .to = 22, .moves = same },
	{ .domain = "", .name = "RNN", .from = 7, .to = 13, .moves = same },
	{ .domain = "", .name = "ReduceL1", .from = 1, .to = 17, .moves = axes },
	{ .domain = "", .name = "ReduceL2", .from = 1, .to = 17, .moves = axes },
	{ .domain = "", .name = "ReduceLogSum", .from = 1, .to = 17, .moves = axes },
	{ .domain = "", .name = "ReduceLogSumExp", .from = 1, .to = 17, .moves = axes },
	{ .domain = "", .name = "ReduceMax", .from = 1, .to = 17, .moves = axes },
	{ .domain = "", .name = "ReduceMean", .from = 1, .to = 17, .moves = axes },
	{ .domain = "", .name = "ReduceMin", .from = 1, .to = 17, .moves = axes },
	{ .domain = "", .name = "ReduceProd", .from = 1, .to = 17, .moves = axes },
	{ .domain = "", .name = "ReduceSum", .from = 1, .to = 12, .moves = axes },
	{ .domain = "", .name = "ReduceSumSquare", .from = 1, .to = 17, .moves = axes },
	{ .domain = "", .name = "Slice", .from = 1, .to = 9, .moves = slice },
	{ .domain = "", .name = "SoftmaxCrossEntropyLoss", .from = 12, .to = 12,
	  .moves = same },
	{ .domain = "", .name = "Split", .from = 2, .to = 12, .moves = split },
	{ .domain = "", .name = "Squeeze", .from = 1, .to = 12, .moves = axes },
	{ .domain = "", .name = "Sum", .from = 6, .to = 7, .moves = same },
	{ .domain = "", .name = "Unsqueeze", .from = 1, .to = 12, .moves = required_axes },
	{ 0 },
};
/* clang-format on */
