/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Options of the layers, for networks that are put together in C. Names and
 * meanings are PyTorch's.
 *
 * Threads: plain data.
 */
#ifndef MODELS_ARCHITECTURES_LAYER_OPTIONS_H
#define MODELS_ARCHITECTURES_LAYER_OPTIONS_H

#include "base/field.h"

struct linear_options {
	int64_t out_features;
	bool bias;
};

/** conv1d and conv2d; lists have one member, or one for each axis. */
struct conv_options {
	int64_t out_channels;
	struct field_ints kernel_size, stride, padding, dilation;
	int64_t groups;
	bool bias;
};

struct batch_norm_options {
	double eps, momentum;
};

/** max_pool2d and avg_pool2d; without stride it is kernel_size. */
struct pool_options {
	struct field_ints kernel_size, stride, padding, dilation;
	bool ceil_mode, count_include_pad;
};

struct leaky_relu_options {
	double negative_slope;
};

struct dropout_options {
	double p;
};

/** rnn, gru and lstm. */
struct recurrent_options {
	int64_t hidden_size, num_layers;
	bool bidirectional, bias;
	int output; /**< 0: all steps; 1: the last states */
	double dropout, weight_drop;
};

/** Layers without options. */
struct no_options {
	char unused;
};

#endif
