/* SPDX-License-Identifier: Apache-2.0 */
#include "training/job_schema.h"

#include "base/json_write.h"
#include "training/job_spec_priv.h"

static void write_model(struct json_writer *w)
{
	json_write_string(w, "type", "object");
}

static void write_inputs(struct json_writer *w)
{
	pipeline_schema(false, NULL, w);
}

static void write_outputs(struct json_writer *w)
{
	static const struct field_sub subs[] = {
		{ .name = "loss", .write = loss_schema },
		{ 0 },
	};

	pipeline_schema(true, subs, w);
}

void job_schema_write(struct json_writer *writer)
{
	static const struct field_sub subs[] = {
		{ .name = "data", .write = dataset_spec_schema },
		{ .name = "input_features", .write = write_inputs },
		{ .name = "output_features", .write = write_outputs },
		{ .name = "model", .write = write_model },
		{ .name = "augmentation", .write = augment_schema },
		{ .name = "trainer", .write = job_spec_schema_trainer },
		{ .name = "resources", .write = job_spec_schema_resources },
		{ .name = "publish", .write = job_spec_schema_publish },
		{ 0 },
	};

	json_write_string(writer, "$schema",
			  "https://json-schema.org/draft/2020-12/schema");
	json_write_string(writer, "title", "a training job of predictd");
	field_schema(job_spec_fields, NULL, subs, writer);
}
