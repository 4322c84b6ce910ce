/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * NonMaxSuppression: the best boxes of each class that do not overlap.
 *
 * For each batch and class: boxes in order of falling scores, those of equal
 * score as they stand; one is kept unless its intersection over union with one
 * kept before is above iou_threshold, or its score is not above
 * score_threshold. At most max_output_boxes_per_class are kept.
 * Source: ONNX, NonMaxSuppression 11. How many are kept decides the shape:
 * infer() selects to count, the kernel selects again.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "engine/kernel.h"

struct nms_attrs {
	int64_t center_point_box;
};

static const struct op_attr nms_attrs[] = {
	{ .name = "center_point_box",
	  .help = "0: boxes are two corners [y1,x1,y2,x2]; 1: [x,y,w,h]",
	  .offset = offsetof(struct nms_attrs, center_point_box),
	  .kind = ATTR_INT,
	  .max = 1 },
	{ 0 },
};

/* B batches, C classes, N boxes */
struct nms {
	int64_t B, C, N, most;
	const float *boxes, *scores;
	float iou, least;
	bool is_center, has_least;
	int64_t *order, *spare, *kept; /* [N] each */
};

struct box {
	float low[2], high[2];
};

static struct box box_at(const struct nms *nms, int64_t batch, int64_t i)
{
	const float *from = nms->boxes + (batch * nms->N + i) * 4;
	struct box box;

	for (int d = 0; d < 2; d++) {
		if (nms->is_center) {
			box.low[d] = from[d] - from[2 + d] / 2;
			box.high[d] = from[d] + from[2 + d] / 2;
		} else {
			box.low[d] = fminf(from[d], from[2 + d]);
			box.high[d] = fmaxf(from[d], from[2 + d]);
		}
	}
	return box;
}

static float area(const struct box *box)
{
	return (box->high[0] - box->low[0]) * (box->high[1] - box->low[1]);
}

static bool overlaps(const struct box *a, const struct box *b, float limit)
{
	struct box both;
	float common, all;

	for (int d = 0; d < 2; d++) {
		both.low[d] = fmaxf(a->low[d], b->low[d]);
		both.high[d] = fminf(a->high[d], b->high[d]);
		if (!(both.high[d] > both.low[d]))
			return false;
	}
	common = area(&both);
	all = area(a) + area(b) - common;
	return all > 0 && common / all > limit;
}

/* Boxes above the score, best first: a stable merge sort. */
static int64_t sort_boxes(struct nms *nms, const float *score)
{
	int64_t n = 0, *a = nms->order, *b = nms->spare;

	for (int64_t i = 0; i < nms->N; i++)
		if (!isnan(score[i]) &&
		    (!nms->has_least || score[i] > nms->least))
			a[n++] = i;
	for (int64_t width = 1; width < n; width *= 2) {
		int64_t *other = a;

		for (int64_t first = 0; first < n; first += 2 * width) {
			int64_t i = first, j = first + width;
			const int64_t middle = j < n ? j : n;
			const int64_t end =
			    first + 2 * width < n ? first + 2 * width : n;

			for (int64_t at = first; at < end; at++) {
				const bool left =
				    j >= end ||
				    (i < middle && score[a[i]] >= score[a[j]]);

				b[at] = left ? a[i++] : a[j++];
			}
		}
		a = b;
		b = other;
	}
	nms->order = a;
	nms->spare = b;
	return n;
}

static bool is_free(const struct nms *nms, int64_t batch, int64_t i,
		    int64_t n_kept)
{
	const struct box box = box_at(nms, batch, i);

	for (int64_t k = 0; k < n_kept; k++) {
		const struct box other = box_at(nms, batch, nms->kept[k]);

		if (overlaps(&box, &other, nms->iou))
			return false;
	}
	return true;
}

static int64_t select_class(struct nms *nms, int64_t batch, int64_t class)
{
	const float *score = nms->scores + (batch * nms->C + class) * nms->N;
	const int64_t n = sort_boxes(nms, score);
	int64_t n_kept = 0;

	for (int64_t i = 0; i < n && n_kept < nms->most; i++)
		if (is_free(nms, batch, nms->order[i], n_kept))
			nms->kept[n_kept++] = nms->order[i];
	return n_kept;
}

/* y: three numbers a box, or NULL for the count alone */
static int64_t select_boxes(struct nms *nms, int64_t *y, int64_t room)
{
	int64_t count = 0;

	for (int64_t b = 0; b < nms->B; b++)
		for (int64_t c = 0; c < nms->C; c++) {
			const int64_t n = select_class(nms, b, c);

			for (int64_t k = 0; y && k < n && count + k < room;
			     k++) {
				int64_t *row = y + 3 * (count + k);

				row[0] = b;
				row[1] = c;
				row[2] = nms->kept[k];
			}
			count += n;
		}
	return count;
}

static const void *value_at(const struct fact *in, unsigned n, unsigned i)
{
	return i < n && in[i].type.elem != DTYPE_NONE ? in[i].value : NULL;
}

/* All but the buffers; every input has its value. */
static void nms_read(struct nms *nms, const void *attrs, const struct fact *in,
		     unsigned n_in)
{
	const int64_t *most = value_at(in, n_in, 2);
	const float *iou = value_at(in, n_in, 3),
		    *least = value_at(in, n_in, 4);

	*nms = (struct nms){
		.B = in[0].shape.dim[0],
		.C = in[1].shape.dim[1],
		.N = in[0].shape.dim[1],
		.most = most && *most > 0 ? *most : 0,
		.boxes = in[0].value,
		.scores = in[1].value,
		.iou = iou ? *iou : 0,
		.least = least ? *least : 0,
		.has_least = least != NULL,
		.is_center =
		    ((const struct nms_attrs *)attrs)->center_point_box != 0,
	};
}

static void nms_buffers(struct nms *nms, int64_t *block)
{
	nms->order = block;
	nms->spare = block + nms->N;
	nms->kept = block + 2 * nms->N;
}

static enum err_code check_shapes(const struct infer *infer, struct err *err)
{
	static const char *const names[] = { "max_output_boxes_per_class",
					     "iou_threshold",
					     "score_threshold" };
	const struct shape *boxes = &infer->in[0].shape;
	const struct shape *scores = &infer->in[1].shape;
	char text[128], other[128];

	if (boxes->rank != 3 || boxes->dim[2] != 4)
		return infer_fail(err,
				  "input 'boxes': expected [batch,boxes,4], "
				  "got %s",
				  shape_text(boxes, text, sizeof(text)));
	if (scores->rank != 3 || scores->dim[0] != boxes->dim[0] ||
	    scores->dim[2] != boxes->dim[1])
		return infer_fail(err,
				  "input 'scores': expected "
				  "[batch,classes,boxes] for boxes of %s, got "
				  "%s",
				  shape_text(boxes, text, sizeof(text)),
				  shape_text(scores, other, sizeof(other)));
	for (unsigned i = 2; i < infer->n_in && i < 5; i++)
		if (infer->in[i].type.elem != DTYPE_NONE &&
		    shape_count(&infer->in[i].shape) != 1)
			return infer_fail(
			    err, "input '%s': expected one number, got %s",
			    names[i - 2],
			    shape_text(&infer->in[i].shape, text,
				       sizeof(text)));
	return ERR_NONE;
}

static enum err_code nms_infer(struct infer *infer, struct err *err)
{
	struct nms nms;
	int64_t *block;
	enum err_code rc = check_shapes(infer, err);

	if (rc)
		return rc;
	nms_read(&nms, infer->attrs, infer->in, infer->n_in);
	block = mem_array(3 * (size_t)nms.N + 1, sizeof(*block));
	if (!block)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	nms_buffers(&nms, block);
	infer->out[0].shape =
	    (struct shape){ 2, { select_boxes(&nms, NULL, 0), 3 } };
	infer->out[0].has_shape = true;
	mem_free(block);
	return ERR_NONE;
}

static void nms_run(const struct kernel_call *call, unsigned slice,
		    void *scratch)
{
	struct nms nms;

	(void)slice;
	nms_read(&nms, call->query->attrs, call->query->in, call->query->n_in);
	nms_buffers(&nms, scratch);
	(void)select_boxes(&nms, call->out[0],
			   call->query->out[0].shape.dim[0]);
}

static enum err_code nms_prepare(const struct kernel_query *query,
				 struct kernel_setup *ret, struct err *err)
{
	(void)err;
	ret->scratch_bytes =
	    3 * (size_t)query->in[0].shape.dim[1] * sizeof(int64_t);
	return ERR_NONE;
}

static const struct kernel nms_kernel = {
	.name = "non_max_suppression.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.prepare = nms_prepare,
	.run = nms_run,
};
static const struct kernel *const nms_kernels[] = { &nms_kernel, NULL };
static const struct port nms_in[] = {
	{ "boxes", "float", 0 },
	{ "scores", "float", 0 },
	{ "max_output_boxes_per_class", "int64", PORT_OPTIONAL },
	{ "iou_threshold", "float", PORT_OPTIONAL },
	{ "score_threshold", "float", PORT_OPTIONAL },
	{ 0 },
};
static const struct port nms_out[] = {
	{ "selected_indices", "int64", 0 },
	{ 0 },
};

#define BOXES                                             \
	"b:float[1,4,4]={0,0,1,1, 0,0.1,1,1.1, 0,2,1,3, " \
	"1,3,0,2.1}, s:float[1,2,4]={0.9,0.8,0.7,0.7, "   \
	"0.1,0.2,0.3,0.4}"

static const struct op_case nms_cases[] = {
	{ .name = "two classes",
	  .graph = "y = NonMaxSuppression(" BOXES
		   ", m:int64[]={3}, t:float[]={0.5})" },
	{ .name = "above a score",
	  .graph = "y = NonMaxSuppression(" BOXES
		   ", m:int64[1]={3}, t:float[1]={0.5}, l:float[1]={0.35})" },
	{ .name = "no more than one",
	  .graph = "y = NonMaxSuppression(" BOXES ", m:int64[]={1})" },
	{ .name = "none at all", .graph = "y = NonMaxSuppression(" BOXES ")" },
	{ .name = "centers",
	  .graph = "y = NonMaxSuppression<center_point_box=1>(" BOXES
		   ", m:int64[]={9}, t:float[]={0.3})" },
	{ .name = "drawn",
	  .graph = "y = NonMaxSuppression(b:float[2,9,4], s:float[2,3,9], "
		   "m:int64[]={5}, t:float[]={0.1})" },
	{ .name = "no boxes",
	  .graph = "y = NonMaxSuppression(b:float[1,0,4], s:float[1,2,0], "
		   "m:int64[]={5})" },
	{ .name = "boxes of three",
	  .graph = "y = NonMaxSuppression(b:float[1,2,3], s:float[1,1,2])",
	  .want = ERR_SHAPE },
	{ .name = "scores of other boxes",
	  .graph = "y = NonMaxSuppression(b:float[1,2,4], s:float[1,1,3])",
	  .want = ERR_SHAPE },
	{ .name = "two limits",
	  .graph = "y = NonMaxSuppression(b:float[1,2,4], s:float[1,1,2], "
		   "m:int64[2]={1,1})",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_non_max_suppression;
const struct op op_non_max_suppression = {
	.domain = "",
	.name = "NonMaxSuppression",
	.help = "The best boxes of each class that do not overlap.",
	.since = 10,
	.flags = OP_DYNAMIC | OP_ANY_TYPE | OP_NO_GRADIENT,
	.in = nms_in,
	.out = nms_out,
	.attrs = nms_attrs,
	.attrs_size = sizeof(struct nms_attrs),
	.infer = nms_infer,
	.kernels = nms_kernels,
	.cases = nms_cases,
};
