/* SPDX-License-Identifier: Apache-2.0 */
#include "server/trace_priv.h"

#include <inttypes.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "server/inference.h"
#include "server/number_write.h"

enum {
	NUMBER_TEXT = 24,
	FIELDS_MAX = 16,
	DATA_MAX = 2048, /* bytes of a tensor's elements in a line */
	SHAPE_TEXT = 8 * 21 + 3
};

/* Fields of one line, and the room for their numbers. */
struct line {
	struct log_field field[FIELDS_MAX];
	char text[FIELDS_MAX][NUMBER_TEXT];
	size_t n;
};

static void put(struct line *line, const char *key, const char *value)
{
	line->field[line->n++] = (struct log_field){ key, value };
}

static void put_number(struct line *line, const char *key, int64_t value)
{
	char *text = line->text[line->n];

	(void)snprintf(text, NUMBER_TEXT, "%" PRId64, value);
	put(line, key, text);
}

/* Which request a line is about. */
static void put_head(struct line *line, uint64_t number,
		     const struct inference *inference)
{
	const struct api_request *request = inference->request;

	put_number(line, "trace", (int64_t)number);
	put(line, "request_id", request->id);
	if (*request->trace.trace)
		put(line, "trace_id", request->trace.trace);
	put(line, "model", inference->model->package->name);
	put(line, "version", inference->model->version);
}

static void write_times(uint64_t number, const struct inference *inference)
{
	const struct infer_call *call = &inference->call;
	const struct api_request *request = inference->request;
	struct line line = { .n = 0 };

	put_head(&line, number, inference);
	put_number(&line, "REQUEST_START", request->start_ns);
	if (call->at_ns[CALL_BEGUN]) {
		put_number(&line, "QUEUE_START", call->queued_ns);
		put_number(&line, "COMPUTE_START", call->at_ns[CALL_BEGUN]);
		put_number(&line, "COMPUTE_INPUT_END", call->at_ns[CALL_INPUT]);
		put_number(&line, "COMPUTE_OUTPUT_START",
			   call->at_ns[CALL_RAN]);
		put_number(&line, "COMPUTE_END", call->at_ns[CALL_OUTPUT]);
	}
	put_number(&line, "REQUEST_END", clock_monotonic_ns());
	if (request->code)
		put(&line, "error", err_wire(request->code));
	log_event(LOG_LEVEL_INFO, "trace", "request", line.field, line.n);
}

/* As many elements as a line holds, at most the tensor. */
static void write_tensor(uint64_t number, const struct inference *inference,
			 const char *direction, const char *name,
			 const struct tensor_view *tensor)
{
	const int64_t count = shape_count(&tensor->shape);
	struct tensor_view shown = *tensor;
	struct line line = { .n = 0 };
	char shape[SHAPE_TEXT];
	struct buf data;

	shown.shape.rank = 1;
	shown.shape.dim[0] = count < DATA_MAX / 16 ? count : DATA_MAX / 16;
	buf_init(&data, (size_t)4 * DATA_MAX);
	if (number_write_flat(&data, &shown, name, NULL) || data.fault)
		buf_reset(&data);
	buf_putc(&data, '\0');
	put_head(&line, number, inference);
	put(&line, "direction", direction);
	put(&line, "tensor", name);
	put(&line, "datatype", dtype_info(tensor->dtype)->v2_name);
	put(&line, "shape", shape_text(&tensor->shape, shape, sizeof(shape)));
	put_number(&line, "elements", count);
	put(&line, "data", data.data ? data.data : "");
	log_event(LOG_LEVEL_INFO, "trace", "tensor", line.field, line.n);
	buf_finish(&data);
}

static void write_tensors(uint64_t number, const struct inference *inference)
{
	const struct model_signature *signature = inference->signature;

	for (unsigned i = 0; i < signature->n_inputs; i++)
		if (inference->has_input[i] && inference->input[i].data)
			write_tensor(number, inference, "input",
				     signature->input[i].name,
				     &inference->input[i]);
	for (unsigned i = 0; i < signature->n_outputs; i++)
		if (inference->output[i].data)
			write_tensor(number, inference, "output",
				     signature->output[i].name,
				     &inference->output[i]);
}

void trace_write(uint64_t number, int64_t level,
		 const struct inference *inference)
{
	if (level & TRACE_TIMESTAMPS)
		write_times(number, inference);
	if (level & TRACE_TENSORS)
		write_tensors(number, inference);
}
