/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Epilogues: what a convolution or product does to each result before it is
 * written. The names are those of ONNX's operators and of com.microsoft's
 * FusedConv.
 *
 *   ""           x                   Sigmoid  1 / (1 + exp(-x))
 *   Relu         max(x, 0)           Tanh     tanh x
 *   LeakyRelu    x < 0 ? alpha x : x Swish    x sigmoid(alpha x)
 *   Clip         min(max(x, alpha), beta)
 *   HardSigmoid  max(0, min(1, alpha x + beta))
 *   HardSwish    x max(0, min(1, x / 6 + 1 / 2))
 *
 * Threads: const tables; pure.
 */
#ifndef ENGINE_OPS_EPILOGUE_H
#define ENGINE_OPS_EPILOGUE_H

#include <stdbool.h>

enum epilogue_kind {
	EPILOGUE_NONE,
	EPILOGUE_RELU,
	EPILOGUE_LEAKY_RELU,
	EPILOGUE_CLIP,
	EPILOGUE_SIGMOID,
	EPILOGUE_TANH,
	EPILOGUE_SWISH,
	EPILOGUE_HARD_SIGMOID,
	EPILOGUE_HARD_SWISH,
	EPILOGUE_N_KINDS
};

struct epilogue {
	enum epilogue_kind kind;
	double alpha, beta;
};

/** By name; false: there is no such epilogue. */
bool epilogue_find(const char *name, enum epilogue_kind *ret);
/** The name of a kind, "" for none. */
const char *epilogue_name(enum epilogue_kind kind);
double epilogue_apply(const struct epilogue *epilogue, double x);
/** Zero stays zero. */
bool epilogue_keeps_zero(const struct epilogue *epilogue);

#endif
