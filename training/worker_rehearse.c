/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Worker: what it tells of a job without running it.
 */
#include <math.h>

#include "base/json_write.h"
#include "training/artifact.h"
#include "training/data_report.h"
#include "training/worker_priv.h"

enum { TIMED_STEPS = 3 };

static void write_layers(const struct worker *worker, struct json_writer *w)
{
	json_write_array(w, "layers");
	for (size_t i = 0; i < worker->network.summary.n; i++) {
		const struct network_layer *layer =
		    &worker->network.summary.layer[i];

		json_write_object(w, NULL);
		json_write_string(w, "name", layer->name);
		json_write_string(w, "type", layer->type);
		json_write_array(w, "output_shape");
		for (unsigned d = 0; d < layer->row.rank; d++)
			json_write_int(w, NULL, layer->row.dim[d]);
		json_write_array_end(w);
		json_write_int(w, "parameters", layer->n_params);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

static void write_data(const struct worker *worker, struct json_writer *w)
{
	json_write_object(w, "data");
	json_write_int(w, "train_rows", dataset_n(worker->dataset, PART_TRAIN));
	json_write_int(w, "valid_rows", dataset_n(worker->dataset, PART_VALID));
	json_write_int(w, "test_rows", dataset_n(worker->dataset, PART_TEST));
	json_write_int(w, "epoch_rows", trainer_epoch_rows(worker->trainer));
	json_write_string(w, "sha256", worker->fingerprint);
	data_report_write(worker->dataset, worker->pipeline, w);
	json_write_object_end(w);
}

enum err_code worker_dry_run(struct worker *worker, struct err *err)
{
	int64_t batch = worker->spec.trainer.batch_size;
	const int64_t rows = trainer_epoch_rows(worker->trainer);
	struct json_writer *w;
	double seconds = 0;
	enum err_code rc;

	rc = trainer_time_step(worker->trainer, TIMED_STEPS, &seconds, err);
	if (rc)
		return rc;
	w = worker_link_begin(worker->link, "done");
	json_write_string(w, "state", "dry_run");
	json_write_object(w, "result");
	write_layers(worker, w);
	json_write_int(w, "parameters", worker->network.summary.n_params);
	job_memory_write(trainer_memory(worker->trainer), w);
	json_write_double(w, "seconds_per_step", seconds);
	json_write_double(w, "seconds_per_epoch",
			  seconds * ceil((double)rows / (double)batch));
	write_data(worker, w);
	json_write_object_end(w);
	worker_link_end(worker->link);
	return ERR_NONE;
}

enum err_code worker_check(struct worker *worker, struct err *err)
{
	struct json_writer *w = worker_link_begin(worker->link, "done");

	(void)err;
	json_write_string(w, "state", "check");
	json_write_object(w, "result");
	job_memory_write(trainer_memory(worker->trainer), w);
	json_write_object_end(w);
	worker_link_end(worker->link);
	return ERR_NONE;
}

enum err_code worker_lr_find(struct worker *worker, struct err *err)
{
	struct json_writer *w;
	enum trainer_order order;
	struct lr_curve curve;
	double rate;
	enum err_code rc;

	rc = trainer_find_rate(worker->trainer, &curve, &order, err);
	if (!rc && order)
		rc = err_set(err, ERR_CANCELLED, "it was broken off");
	if (rc)
		return rc;
	w = worker_link_begin(worker->link, "done");
	json_write_string(w, "state", "lr_find");
	json_write_object(w, "result");
	rate = lr_curve_choose(&curve);
	json_write_double(w, "learning_rate", rate > 0 ? rate : (double)NAN);
	lr_curve_write(&curve, w);
	json_write_object_end(w);
	worker_link_end(worker->link);
	return ERR_NONE;
}

enum err_code worker_evaluate(struct worker *worker, struct err *err)
{
	struct trainer_eval eval;
	struct json_writer *w;
	enum err_code rc = trainer_assess(worker->trainer, &eval, err);

	if (rc)
		return rc;
	w = worker_link_begin(worker->link, "done");
	json_write_string(w, "state", "evaluated");
	json_write_object(w, "result");
	json_write_string(w, "job", worker->job_id);
	json_write_int(w, "epoch", eval.epoch);
	json_write_int(w, "step", eval.step);
	json_write_object(w, "metrics");
	artifact_write_metrics(&eval, w);
	json_write_object_end(w);
	trainer_report(worker->trainer, w);
	json_write_object_end(w);
	worker_link_end(worker->link);
	return ERR_NONE;
}
