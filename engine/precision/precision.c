/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/precision/precision.h"

#include "base/buf.h"
#include "base/field.h"
#include "base/str.h"
#include "engine/kernels/onednn/onednn.h"
#include "engine/precision/precision_priv.h"

/* Of power, 30 dB: rounding may err by 3 % of the standard deviation. */
#define SIGNAL_TO_NOISE 1000

/* Sums of so many products of bytes fit into 32 bits. */
enum { DEPTH_MAX = INT32_MAX / (255 * 127) };

static const char *const names[PRECISION_N_KINDS + 1] = {
	[PRECISION_FP32] = "fp32",
	[PRECISION_BF16] = "bf16",
	[PRECISION_INT8] = "int8",
};

const char *precision_name(enum precision precision)
{
	return names[precision];
}

enum err_code precision_parse(const char *name, enum precision *ret_precision,
			      struct err *err)
{
	const char *near;

	for (int i = 0; i < PRECISION_N_KINDS; i++)
		if (str_equal(name, names[i])) {
			*ret_precision = (enum precision)i;
			return ERR_NONE;
		}
	near = field_nearest(name, names);
	if (near)
		return err_set(err, ERR_INVALID,
			       "there is no precision '%s': did you mean '%s'?",
			       name, near);
	return err_set(err, ERR_INVALID,
		       "there is no precision '%s': expected fp32, bf16 or "
		       "int8",
		       name);
}

struct precision_cpu precision_cpu(void)
{
	return (struct precision_cpu){ .has_bytes = onednn_has_bytes(),
				       .has_bf16 = onednn_has_bf16() };
}

static double variance(const struct range *range)
{
	const double n = (double)range->n, mean = range->sum / n;

	return range->squares / n - mean * mean;
}

/* Layers that the rows do not speak for stay as they are. */
static void choose(struct work *work, struct precision_report *report)
{
	for (int32_t i = 0; i < work->n_node; i++) {
		struct layer *layer = &work->layer[i];
		struct byte_scale scale;
		const struct range *range;

		if (!layer->m)
			continue;
		report->n_layers++;
		range = &work->range[layer->x];
		/* uniform rounding errs by step / sqrt(12) */
		if (work->options->precision == PRECISION_INT8)
			layer->stays = layer->depth > DEPTH_MAX ||
				       !byte_scale_of(work, layer->x, &scale) ||
				       variance(range) < SIGNAL_TO_NOISE *
							     scale.scale *
							     scale.scale / 12;
		report->n_narrow += !layer->stays;
	}
	marks_make(work);
}

static bool has_layers(const struct work *work)
{
	for (int32_t i = 0; i < work->n_node; i++)
		if (work->layer[i].m)
			return true;
	return false;
}

static enum err_code nothing(enum precision precision, const char *why,
			     struct err *err)
{
	return err_set(
	    err, ERR_UNSUPPORTED,
	    "precision '%s': the model has nothing that could be %s: "
	    "%s",
	    precision_name(precision),
	    precision == PRECISION_INT8 ? "quantized" : "narrowed", why);
}

static enum err_code apply(struct work *work, struct precision_report *report,
			   struct err *err)
{
	const enum precision precision = work->options->precision;
	struct reference reference = { 0 };
	enum err_code rc = marks_init(work, err);

	if (rc)
		return rc;
	if (!has_layers(work))
		return nothing(precision,
			       "no convolution or product of floats by "
			       "constant weights",
			       err);
	if (precision == PRECISION_INT8 && !work->options->n_rows)
		return err_set(err, ERR_INVALID,
			       "precision 'int8': there are no rows to "
			       "calibrate with");
	rc = calibrate(work, &reference, err);
	/* bfloat16 needs no ranges: then nobody knows the deviation */
	if (rc && (precision == PRECISION_INT8 || rc == ERR_NO_MEMORY))
		return rc;
	if (rc)
		reference.n_rows = 0;
	choose(work, report);
	if (!report->n_narrow)
		return nothing(precision,
			       "on the rows of calibration no layer's input "
			       "fits into bytes",
			       err);
	rc = rewrite(work, err);
	return rc ? rc : compare(work, &reference, report, err);
}

enum err_code precision_apply(struct graph *graph,
			      const struct precision_options *options,
			      struct precision_report *ret_report,
			      struct err *err)
{
	struct precision_report report = { .precision = options->precision };
	struct work work = { .graph = graph, .options = options };
	enum err_code rc = ERR_NONE;

	if (options->precision != PRECISION_FP32) {
		work.arena = arena_create(SIZE_MAX / 2);
		rc = work.arena ? apply(&work, &report, err)
				: err_set(err, ERR_NO_MEMORY,
					  "precision: out of memory");
		arena_destroy(work.arena);
	}
	report.is_narrow =
	    options->precision == PRECISION_INT8 ||
	    (options->precision == PRECISION_BF16 && options->cpu.has_bf16);
	if (!rc)
		*ret_report = report;
	return rc;
}

void precision_print(const struct precision_report *report, struct buf *buf)
{
	buf_printf(buf, "precision %s", precision_name(report->precision));
	if (report->precision == PRECISION_FP32)
		return;
	buf_printf(buf, ": %u of %u layers", report->n_narrow,
		   report->n_layers);
	if (!report->is_narrow)
		buf_printf(
		    buf, " with weights rounded to bf16, computed in fp32, as "
			 "this CPU has no bf16 arithmetic");
	if (!report->n_rows)
		return;
	buf_printf(buf, "; largest deviation from fp32 %.4g",
		   report->deviation);
	if (report->largest > 0)
		buf_printf(buf, " (%.2g%% of the largest output)",
			   100 * report->deviation / report->largest);
	buf_printf(buf, " on %u row%s", report->n_rows,
		   report->n_rows == 1 ? "" : "s");
}
