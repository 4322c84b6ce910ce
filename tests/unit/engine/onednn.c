/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * oneDNN's kernels: never its reference implementation for the convolutions
 * that we know, right in every form, the same in slices and among threads.
 */
#include <criterion/criterion.h>

#include <math.h>
#include <pthread.h>

#include "base/mem.h"
#include "engine/kernels/onednn/onednn.h"
#include "engine/kernels/planes.h"
#include "engine/ops/conv.h"
#include "engine/ops/pool.h"
#include "engine/ops/product.h"

enum { MAX_IN = 3, MAX_OUT = 2, ATTRS = 256 };

/* A question over memory of its own. */
struct question {
	struct kernel_query query;
	struct fact in[MAX_IN], out[MAX_OUT];
	float *data[MAX_IN];
	char attrs[ATTRS];
	int64_t list[16]; /* of attributes */
};

/* A prepared kernel and its results. */
struct answer {
	const struct kernel *kernel;
	struct kernel_setup setup;
	struct kernel_call call;
	void *out[MAX_OUT];
	size_t bytes[MAX_OUT];
	char *scratch;
	int32_t fault;
};

/* Kinds in the order of the rows. */
static const char *const conv_rows[] = { "Conv", "ConvGradData",
					 "ConvGradWeights" };

struct conv_case {
	const char *name;
	int64_t batch, c, h, m, kernel, stride, pad, group;
};

static const struct conv_case resnet18_at_224[] = {
	{ "stem", 1, 3, 224, 64, 7, 2, 3, 1 },
	{ "stage 1", 1, 64, 56, 64, 3, 1, 1, 1 },
	{ "stage 2, first", 1, 64, 56, 128, 3, 2, 1, 1 },
	{ "stage 2, short cut", 1, 64, 56, 128, 1, 2, 0, 1 },
	{ "stage 2", 1, 128, 28, 128, 3, 1, 1, 1 },
	{ "stage 3, first", 1, 128, 28, 256, 3, 2, 1, 1 },
	{ "stage 3, short cut", 1, 128, 28, 256, 1, 2, 0, 1 },
	{ "stage 3", 1, 256, 14, 256, 3, 1, 1, 1 },
	{ "stage 4, first", 1, 256, 14, 512, 3, 2, 1, 1 },
	{ "stage 4, short cut", 1, 256, 14, 512, 1, 2, 0, 1 },
	{ "stage 4", 1, 512, 7, 512, 3, 1, 1, 1 },
};

/* ResNet-18 on 16 pictures of 64 x 64, and the two convolutions of the small
 * networks over 64 pictures of 28 x 28. */
static const struct conv_case jobs[] = {
	{ "resnet18 stem", 16, 3, 64, 64, 7, 2, 3, 1 },
	{ "resnet18 stage 1", 16, 64, 16, 64, 3, 1, 1, 1 },
	{ "resnet18 stage 2, first", 16, 64, 16, 128, 3, 2, 1, 1 },
	{ "resnet18 stage 2, short cut", 16, 64, 16, 128, 1, 2, 0, 1 },
	{ "resnet18 stage 2", 16, 128, 8, 128, 3, 1, 1, 1 },
	{ "resnet18 stage 3, first", 16, 128, 8, 256, 3, 2, 1, 1 },
	{ "resnet18 stage 3, short cut", 16, 128, 8, 256, 1, 2, 0, 1 },
	{ "resnet18 stage 3", 16, 256, 4, 256, 3, 1, 1, 1 },
	{ "resnet18 stage 4, first", 16, 256, 4, 512, 3, 2, 1, 1 },
	{ "resnet18 stage 4, short cut", 16, 256, 4, 512, 1, 2, 0, 1 },
	{ "resnet18 stage 4", 16, 512, 2, 512, 3, 1, 1, 1 },
	{ "cnn, first", 64, 1, 28, 32, 3, 1, 1, 1 },
	{ "cnn, second", 64, 32, 14, 64, 3, 1, 1, 1 },
	{ "cnn, second, one picture", 1, 32, 14, 64, 3, 1, 1, 1 },
};

/* Small, odd, grouped: for results. */
static const struct conv_case odd[] = {
	{ "few channels", 3, 5, 9, 11, 3, 2, 1, 1 },
	{ "channels beyond a block", 4, 20, 9, 36, 3, 1, 1, 1 },
	{ "groups", 4, 32, 9, 64, 3, 1, 1, 2 },
	{ "a group a channel", 4, 64, 15, 64, 3, 1, 1, 64 },
	{ "one tap", 2, 24, 6, 32, 1, 1, 0, 1 },
	{ "blocks", 4, 32, 12, 64, 3, 1, 1, 1 },
	{ "small planes", 8, 32, 4, 64, 3, 1, 1, 1 },
	{ "one picture", 1, 64, 12, 64, 3, 1, 1, 1 },
};

static float *numbers(int64_t n, unsigned seed)
{
	float *x = mem_aligned((size_t)n * sizeof(*x) + 64);

	for (int64_t i = 0; i < n; i++) {
		seed = seed * 1664525u + 1013904223u;
		x[i] = (float)(int32_t)seed / 2147483648.0f;
	}
	return x;
}

static void ask(struct question *q, const char *row, unsigned n_in,
		unsigned n_out)
{
	const struct op *op = op_find("", row);

	if (!op)
		op = op_find("predictd", row);
	cr_assert_not_null(op, "%s", row);
	cr_assert_leq(op->attrs_size, sizeof(q->attrs));
	op_attr_defaults(op->attrs, q->attrs);
	q->query = (struct kernel_query){ .op = op,
					  .attrs = q->attrs,
					  .in = q->in,
					  .out = q->out,
					  .n_in = n_in,
					  .n_out = n_out,
					  .want_slices = 1,
					  .numerics = NUMERICS_FAST };
}

static void shape(struct fact *fact, enum dtype elem, const struct shape *shape)
{
	*fact = (struct fact){ .type = { .elem = elem },
			       .shape = *shape,
			       .has_shape = true };
}

static void fill(struct question *q)
{
	for (unsigned i = 0; i < q->query.n_in; i++)
		q->data[i] = numbers(shape_count(&q->in[i].shape), i + 1);
}

static void question_finish(struct question *q)
{
	for (unsigned i = 0; i < MAX_IN; i++)
		mem_free(q->data[i]);
	memset(q->data, 0, sizeof(q->data));
}

/* kind: index of conv_rows. */
static void ask_conv(struct question *q, const struct conv_case *c,
		     unsigned kind)
{
	const int64_t out = (c->h + 2 * c->pad - c->kernel) / c->stride + 1;
	const struct shape x = { 4, { c->batch, c->c, c->h, c->h } };
	const struct shape w = {
		4, { c->m, c->c / c->group, c->kernel, c->kernel }
	};
	const struct shape y = { 4, { c->batch, c->m, out, out } };
	const struct shape *in[3][2] = { { &x, &w }, { &y, &w }, { &y, &x } };
	const struct shape *result[3] = { &y, &x, &w };
	struct conv_attrs *attrs = (struct conv_attrs *)(void *)q->attrs;

	memset(q, 0, sizeof(*q));
	ask(q, conv_rows[kind], 2, 1);
	for (unsigned i = 0; i < 2; i++) {
		q->list[i] = c->kernel;
		q->list[2 + i] = c->stride;
		q->list[4 + i] = q->list[6 + i] = c->pad;
		shape(&q->in[i], DTYPE_F32, in[kind][i]);
	}
	memcpy(q->list + 8, x.dim, 4 * sizeof(x.dim[0]));
	attrs->window.kernel_shape = (struct attr_ints){ 2, q->list };
	attrs->window.strides = (struct attr_ints){ 2, q->list + 2 };
	attrs->window.pads = (struct attr_ints){ 4, q->list + 4 };
	attrs->group = c->group;
	if (kind == 1)
		attrs->shape = (struct attr_ints){ 4, q->list + 8 };
	shape(&q->out[0], DTYPE_F32, result[kind]);
}

static bool answer_prepare(struct answer *a, const struct kernel *kernel,
			   const struct question *q)
{
	struct err err;
	enum err_code rc = ERR_NONE;

	memset(a, 0, sizeof(*a));
	a->kernel = kernel;
	a->setup.n_slices = 1;
	if (kernel->prepare)
		rc = kernel->prepare(&q->query, &a->setup, &err);
	if (rc == ERR_UNSUPPORTED)
		return false;
	cr_assert_eq(rc, ERR_NONE, "%s: %s", kernel->name, err.msg);
	for (unsigned i = 0; i < q->query.n_out; i++) {
		a->bytes[i] =
		    tensor_bytes(q->out[i].type.elem, &q->out[i].shape);
		a->out[i] = mem_aligned(a->bytes[i] + 64);
		memset(a->out[i], 0xff, a->bytes[i]);
	}
	a->scratch =
	    mem_aligned(a->setup.scratch_bytes * a->setup.n_slices + 64);
	memset(a->scratch, 0xff, a->setup.scratch_bytes * a->setup.n_slices);
	a->call = (struct kernel_call){
		.query = &q->query,
		.state = a->setup.state,
		.in = (const void *const *)q->data,
		.out = a->out,
		.n_slices = a->setup.n_slices,
		.fault = &a->fault,
	};
	if (kernel->bind)
		cr_assert_eq(kernel->bind(&a->call, &err), ERR_NONE, "%s: %s",
			     kernel->name, err.msg);
	return true;
}

static void answer_slice(struct answer *a, unsigned slice)
{
	a->kernel->run(&a->call, slice,
		       a->scratch + slice * a->setup.scratch_bytes);
}

static void answer_run(struct answer *a)
{
	for (unsigned i = 0; i < a->setup.n_slices; i++)
		answer_slice(a, i);
	cr_expect_eq(a->fault, 0, "%s", a->kernel->name);
}

static void answer_finish(struct answer *a)
{
	if (a->kernel->unbind)
		a->kernel->unbind(a->call.bound);
	if (a->kernel->finish)
		a->kernel->finish(a->setup.state);
	for (unsigned i = 0; i < MAX_OUT; i++)
		mem_free(a->out[i]);
	mem_free(a->scratch);
}

static const struct kernel *reference_of(const struct question *q)
{
	const struct kernel *const *kernel = q->query.op->kernels;

	while (kernel[1])
		kernel++;
	return *kernel;
}

/* Largest difference as a share of the largest number. */
static double distance(const float *a, const float *b, size_t bytes)
{
	double most = 0, size = 1e-30;

	for (size_t i = 0; i < bytes / sizeof(*a); i++) {
		const double d = fabs((double)a[i] - (double)b[i]);

		if (!(d <= most))
			most = d;
		if (fabs((double)b[i]) > size)
			size = fabs((double)b[i]);
	}
	return most / size;
}

static void check_case(const struct conv_case *c, unsigned kind, bool is_known)
{
	const struct kernel *kernel = NULL;
	struct kernel_setup setup;
	struct question q;
	const char *name;
	struct err err;

	ask_conv(&q, c, kind);
	fill(&q);
	if (is_known && kind < 2)
		q.in[1].value = q.data[1];
	cr_assert_eq(kernel_prepare(&q.query, false, &kernel, &setup, &err),
		     ERR_NONE, "%s", err.msg);
	/* tiny planes are for loops of our own */
	if (!strstr(kernel->name, ".tiny")) {
		cr_assert_not_null(strstr(kernel->name, ".dnnl"),
				   "%s of %s is done by %s", conv_rows[kind],
				   c->name, kernel->name);
		name = onednn_implementation(kernel, setup.state);
		cr_expect(*name && !strstr(name, "ref"), "%s of %s by %s is %s",
			  conv_rows[kind], c->name, kernel->name, name);
		kernel->finish(setup.state);
	}
	question_finish(&q);
}

Test(onednn, does_no_convolution_of_ours_by_its_reference)
{
	for (unsigned kind = 0; kind < 3; kind++) {
		for (size_t i = 0; i < sizeof(jobs) / sizeof(*jobs); i++)
			check_case(&jobs[i], kind, false);
	}
	for (size_t i = 0;
	     i < sizeof(resnet18_at_224) / sizeof(*resnet18_at_224); i++)
		check_case(&resnet18_at_224[i], 0, true);
}

/* Every form that oneDNN offers, whether it would be chosen or not. */
static void check_forms(const struct conv_case *c, unsigned kind, bool is_known,
			const struct kernel *const *kernels)
{
	struct answer reference, answer, first;
	struct question q;

	ask_conv(&q, c, kind);
	fill(&q);
	cr_assert(answer_prepare(&reference, reference_of(&q), &q));
	answer_run(&reference);
	if (is_known)
		q.in[1].value = q.data[1];
	for (; *kernels; kernels++) {
		q.query.want_slices = 1;
		if (!answer_prepare(&first, *kernels, &q))
			continue;
		answer_run(&first);
		cr_expect_lt(
		    distance(first.out[0], reference.out[0], first.bytes[0]),
		    2e-5, "%s: %s", c->name, (*kernels)->name);
		for (unsigned want = 2; want < 5; want++) {
			q.query.want_slices = want;
			cr_assert(answer_prepare(&answer, *kernels, &q));
			answer_run(&answer);
			answer_run(&answer);
			cr_expect_lt(distance(answer.out[0], reference.out[0],
					      answer.bytes[0]),
				     2e-5, "%s: %s, %u slices", c->name,
				     (*kernels)->name, want);
			if ((*kernels)->flags & KERNEL_SLICE_FREE)
				cr_expect_arr_eq(answer.out[0], first.out[0],
						 first.bytes[0],
						 "%s: %s, %u slices", c->name,
						 (*kernels)->name, want);
			answer_finish(&answer);
		}
		answer_finish(&first);
	}
	answer_finish(&reference);
	question_finish(&q);
}

static const struct kernel *const forward_forms[] = { &conv_onednn_winograd,
						      &conv_onednn_plain,
						      &conv_onednn, NULL };
static const struct kernel *const data_forms[] = {
	&conv_grad_data_onednn_winograd, &conv_grad_data_onednn_plain,
	&conv_grad_data_onednn, NULL
};
static const struct kernel *const weights_forms[] = {
	&conv_grad_weights_onednn_plain, &conv_grad_weights_onednn, NULL
};
static const struct kernel *const product_forms[][2] = {
	{ &conv_onednn_product },
	{ NULL },
	{ &conv_grad_weights_onednn_product },
};

Test(onednn, convolves_right_in_every_form)
{
	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		check_forms(&odd[i], 0, false, forward_forms);
		check_forms(&odd[i], 0, true, forward_forms);
		check_forms(&odd[i], 1, false, data_forms);
		check_forms(&odd[i], 1, true, data_forms);
		check_forms(&odd[i], 2, false, weights_forms);
		for (unsigned k = 0; odd[i].group == 1 && k < 3; k++)
			check_forms(&odd[i], k, false, product_forms[k]);
	}
}

Test(onednn, cuts_large_convolutions_into_the_slices_that_are_wanted)
{
	struct kernel_setup setup;
	struct question q;

	for (unsigned kind = 0; kind < 3; kind++) {
		ask_conv(&q, &resnet18_at_224[4], kind);
		q.query.want_slices = 2;
		cr_assert_eq((kind == 0	  ? &conv_onednn
			      : kind == 1 ? &conv_grad_data_onednn
					  : &conv_grad_weights_onednn)
				 ->prepare(&q.query, &setup, NULL),
			     ERR_NONE);
		cr_expect_eq(setup.n_slices, 2, "%s: %u slices",
			     conv_rows[kind], setup.n_slices);
		conv_onednn.finish(setup.state);
	}
}

Test(onednn, keeps_the_number_of_winograds_slices_where_bits_matter)
{
	struct kernel_setup setup;
	struct question q;
	unsigned n[2];

	ask_conv(&q, &jobs[1], 0);
	q.query.numerics = NUMERICS_REPEATABLE;
	if (!__builtin_cpu_supports("avx512f")) {
		/* the library has none; the next kernel is taken */
		cr_expect_neq(
		    conv_onednn_winograd.prepare(&q.query, &setup, NULL),
		    ERR_NONE);
		return;
	}
	for (unsigned i = 0; i < 2; i++) {
		q.query.want_slices = i ? 7 : 1;
		cr_assert_eq(
		    conv_onednn_winograd.prepare(&q.query, &setup, NULL),
		    ERR_NONE);
		n[i] = setup.n_slices;
		conv_onednn_winograd.finish(setup.state);
	}
	cr_expect_eq(n[0], n[1]);
	q.query.numerics = NUMERICS_STRICT;
	cr_expect_not(kernel_takes(&conv_onednn_winograd, &q.query, false));
}

static void *run_last_slice(void *answer)
{
	struct answer *a = answer;

	answer_slice(a, a->setup.n_slices - 1);
	return NULL;
}

Test(onednn, gives_the_same_bits_from_two_threads)
{
	struct answer alone, both;
	struct question q;
	pthread_t thread;

	ask_conv(&q, &jobs[4], 0);
	fill(&q);
	q.query.want_slices = 2;
	cr_assert(answer_prepare(&alone, &conv_onednn, &q));
	cr_assert(answer_prepare(&both, &conv_onednn, &q));
	cr_assert_eq(both.setup.n_slices, 2);
	answer_run(&alone);
	for (unsigned i = 0; i < 20; i++) {
		memset(both.out[0], 0xff, both.bytes[0]);
		cr_assert_eq(
		    pthread_create(&thread, NULL, run_last_slice, &both), 0);
		answer_slice(&both, 0);
		pthread_join(thread, NULL);
		cr_assert_arr_eq(both.out[0], alone.out[0], both.bytes[0]);
	}
	answer_finish(&alone);
	answer_finish(&both);
	question_finish(&q);
}

struct product_case {
	int64_t batch, m, n, k;
	int64_t trans_a, trans_b;
	bool has_bias;
};

static const struct product_case products[] = {
	{ 1, 64, 128, 96, 0, 1, true },	 { 1, 128, 200, 64, 1, 0, false },
	{ 1, 1, 1000, 512, 0, 1, true }, { 1, 96, 33, 40, 0, 0, false },
	{ 6, 33, 48, 65, 1, 1, false },	 { 4, 17, 64, 128, 0, 0, false },
	{ 1, 32, 512, 256, 0, 1, true }, { 1, 7, 640, 100, 1, 1, true },
};

static void ask_product(struct question *q, const struct product_case *p)
{
	struct shape a = { 2, { p->m, p->k } }, b = { 2, { p->k, p->n } };
	struct shape y = { 2, { p->m, p->n } };
	const struct shape bias = { 1, { p->n } };
	struct shape *all[] = { &a, &b, &y };

	memset(q, 0, sizeof(*q));
	ask(q, p->batch > 1 ? "MatMulT" : "Gemm", p->has_bias ? 3 : 2, 1);
	if (p->trans_a)
		a = (struct shape){ 2, { p->k, p->m } };
	if (p->trans_b)
		b = (struct shape){ 2, { p->n, p->k } };
	for (unsigned i = 0; p->batch > 1 && i < 3; i++)
		*all[i] = (struct shape){
			3, { p->batch, all[i]->dim[0], all[i]->dim[1] }
		};
	if (p->batch > 1)
		*(struct matmul_attrs *)(void *)q->attrs =
		    (struct matmul_attrs){ p->trans_a, p->trans_b };
	else
		*(struct gemm_attrs *)(void *)q->attrs =
		    (struct gemm_attrs){ 1, 1, p->trans_a, p->trans_b };
	shape(&q->in[0], DTYPE_F32, &a);
	shape(&q->in[1], DTYPE_F32, &b);
	shape(&q->in[2], DTYPE_F32, &bias);
	shape(&q->out[0], DTYPE_F32, &y);
}

Test(onednn, multiplies_right_with_and_without_a_packed_side)
{
	for (size_t i = 0; i < 2 * sizeof(products) / sizeof(*products); i++) {
		struct answer reference, answer;
		struct question q;

		ask_product(&q, &products[i / 2]);
		fill(&q);
		cr_assert(answer_prepare(&reference, reference_of(&q), &q));
		answer_run(&reference);
		if (i % 2)
			q.in[1].value = q.data[1];
		for (unsigned want = 1; want < 5; want++) {
			q.query.want_slices = want;
			cr_assert(answer_prepare(&answer, &product_onednn, &q));
			answer_run(&answer);
			cr_expect_lt(distance(answer.out[0], reference.out[0],
					      answer.bytes[0]),
				     2e-6, "product %zu, %u slices", i, want);
			answer_finish(&answer);
		}
		answer_finish(&reference);
		question_finish(&q);
	}
}

static void ask_pool(struct question *q, int64_t kernel, int64_t stride,
		     int64_t pad, int64_t extent)
{
	const int64_t out = (extent + 2 * pad - kernel) / stride + 1;
	const struct shape x = { 4, { 2, 16, extent, extent } };
	const struct shape y = { 4, { 2, 16, out, out } };
	struct pool_attrs *attrs = (struct pool_attrs *)(void *)q->attrs;

	memset(q, 0, sizeof(*q));
	ask(q, "MaxPool", 1, 2);
	for (unsigned i = 0; i < 2; i++) {
		q->list[i] = kernel;
		q->list[2 + i] = stride;
		q->list[4 + i] = q->list[6 + i] = pad;
	}
	attrs->window.kernel_shape = (struct attr_ints){ 2, q->list };
	attrs->window.strides = (struct attr_ints){ 2, q->list + 2 };
	attrs->window.pads = (struct attr_ints){ 4, q->list + 4 };
	shape(&q->in[0], DTYPE_F32, &x);
	shape(&q->out[0], DTYPE_F32, &y);
	shape(&q->out[1], DTYPE_I64, &y);
}

Test(onednn, names_the_first_of_equal_places)
{
	static const int64_t cases[][4] = { { 3, 2, 1, 17 },
					    { 2, 2, 0, 14 },
					    { 2, 2, 0, 37 },
					    { 3, 1, 1, 8 },
					    { 2, 2, 0, 2 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct kernel *const kernels[] = { &max_pool_onednn,
							 &max_pool_planes };
		struct answer reference, answer;
		struct question q;

		ask_pool(&q, cases[i][0], cases[i][1], cases[i][2],
			 cases[i][3]);
		fill(&q);
		/* as after a ReLU: most of them equal */
		for (int64_t j = 0; j < shape_count(&q.in[0].shape); j++)
			q.data[0][j] = q.data[0][j] < 0.5f ? 0 : 1;
		cr_assert(answer_prepare(&reference, reference_of(&q), &q));
		answer_run(&reference);
		for (unsigned k = 0; k < 2; k++) {
			if (!kernels[k]->fits(&q.query) ||
			    !answer_prepare(&answer, kernels[k], &q))
				continue;
			answer_run(&answer);
			for (unsigned o = 0; o < 2; o++)
				cr_expect_arr_eq(
				    answer.out[o], reference.out[o],
				    answer.bytes[o], "case %zu: %s, output %u",
				    i, kernels[k]->name, o);
			answer_finish(&answer);
		}
		answer_finish(&reference);
		question_finish(&q);
	}
}
