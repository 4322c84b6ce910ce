/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ops/epilogue.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

static double none(double x, double a, double b)
{
	(void)a;
	(void)b;
	return x;
}

/* A value that is no number stays one. */
static double relu(double x, double a, double b)
{
	(void)a;
	(void)b;
	return x < 0 ? 0 : x;
}

static double leaky_relu(double x, double a, double b)
{
	(void)b;
	return x < 0 ? a * x : x;
}

static double clip(double x, double a, double b)
{
	const double low = x < a ? a : x;

	return low > b ? b : low;
}

static double sigmoid(double x, double a, double b)
{
	(void)a;
	(void)b;
	return 1 / (1 + exp(-x));
}

static double hyperbolic(double x, double a, double b)
{
	(void)a;
	(void)b;
	return tanh(x);
}

static double swish(double x, double a, double b)
{
	(void)b;
	return x / (1 + exp(-a * x));
}

static double hard_sigmoid(double x, double a, double b)
{
	return clip(a * x + b, 0, 1);
}

static double hard_swish(double x, double a, double b)
{
	(void)a;
	(void)b;
	return x * clip(x / 6 + 0.5, 0, 1);
}

static const struct {
	const char *name;
	double (*apply)(double x, double a, double b);
} kinds[EPILOGUE_N_KINDS] = {
	[EPILOGUE_NONE] = { "", none },
	[EPILOGUE_RELU] = { "Relu", relu },
	[EPILOGUE_LEAKY_RELU] = { "LeakyRelu", leaky_relu },
	[EPILOGUE_CLIP] = { "Clip", clip },
	[EPILOGUE_SIGMOID] = { "Sigmoid", sigmoid },
	[EPILOGUE_TANH] = { "Tanh", hyperbolic },
	[EPILOGUE_SWISH] = { "Swish", swish },
	[EPILOGUE_HARD_SIGMOID] = { "HardSigmoid", hard_sigmoid },
	[EPILOGUE_HARD_SWISH] = { "HardSwish", hard_swish },
};

bool epilogue_find(const char *name, enum epilogue_kind *ret)
{
	for (unsigned i = 0; i < EPILOGUE_N_KINDS; i++) {
		if (strcmp(kinds[i].name, name) != 0)
			continue;
		*ret = (enum epilogue_kind)i;
		return true;
	}
	return false;
}

const char *epilogue_name(enum epilogue_kind kind)
{
	return kinds[kind].name;
}

double epilogue_apply(const struct epilogue *epilogue, double x)
{
	return kinds[epilogue->kind].apply(x, epilogue->alpha, epilogue->beta);
}

bool epilogue_keeps_zero(const struct epilogue *epilogue)
{
	return epilogue_apply(epilogue, 0) == 0;
}
