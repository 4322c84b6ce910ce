/* SPDX-License-Identifier: Apache-2.0 */
#include "training/report.h"

#include <math.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json_write.h"
#include "training/artifact.h"
#include "training/history.h"

enum { REPORT_MAX = 256 << 20 };

static void write_evaluation(const struct report_source *source,
			     struct buf *buf)
{
	const struct trainer_result *r = source->result;
	struct json_writer w;

	json_write_init(&w, buf);
	json_write_object(&w, NULL);
	json_write_string(&w, "job", source->job_id);
	json_write_int(&w, "step", r->last.step);
	json_write_object(&w, "metrics");
	artifact_write_metrics(&r->last, &w);
	json_write_object_end(&w);
	json_write_object(&w, "baseline");
	json_write_double(&w, "loss", r->baseline.loss);
	json_write_double(&w, "accuracy", r->baseline.accuracy);
	json_write_object_end(&w);
	json_write_string(&w, "diagnosis", diagnosis_name(r->diagnosis));
	trainer_report(source->trainer, &w);
	json_write_object_end(&w);
}

static void write_csv(const struct report_source *source, struct buf *buf)
{
	history_write_csv(trainer_history(source->trainer), buf);
}

static void write_svg(const struct report_source *source, struct buf *buf)
{
	history_write_svg(trainer_history(source->trainer), buf);
}

static void write_card(const struct report_source *source, struct buf *buf)
{
	const struct job_spec *spec = source->spec;
	const struct trainer_result *r = source->result;
	const char *text = diagnosis_text(r->diagnosis);

	buf_printf(buf, "# %s\n\n", spec->name ? spec->name : source->job_id);
	buf_printf(buf,
		   "Predicts `%s`. Trained by predictd " PREDICTD_VERSION
		   " (job %s) in %lld steps, %.0f seconds.\n\n",
		   spec->output_type, source->job_id, (long long)r->last.step,
		   r->seconds);
	buf_printf(buf,
		   "| | |\n|---|---|\n| parameters | %lld |\n| data | %s "
		   "|\n| optimizer | %s |\n| loss | %s |\n| seed | %lld |\n\n",
		   (long long)source->summary->n_params, spec->data.source,
		   spec->optimizer.kind->name, spec->loss.kind->name,
		   (long long)spec->trainer.seed);
	buf_printf(buf, "## Figures\n\n| metric | value |\n|---|---|\n");
	for (size_t i = 0; r->last.name && r->last.name[i]; i++) {
		if (!isnan(r->last.value[i]))
			buf_printf(buf, "| %s | %.6g |\n", r->last.name[i],
				   r->last.value[i]);
	}
	if (!isnan(r->baseline.loss))
		buf_printf(buf, "| loss without inputs | %.6g |\n",
			   r->baseline.loss);
	if (!isnan(r->baseline.accuracy))
		buf_printf(buf, "| accuracy without inputs | %.6g |\n",
			   r->baseline.accuracy);
	buf_printf(buf, "\nDiagnosis: %s%s%s.\n", diagnosis_name(r->diagnosis),
		   text ? ": " : "", text ? text : "");
	buf_printf(buf, "\nevaluation.json has more, curves.svg the run.\n");
}

static const struct {
	const char *name;
	void (*write)(const struct report_source *source, struct buf *buf);
} files[] = {
	{ "evaluation.json", write_evaluation },
	{ "metrics.csv", write_csv },
	{ "curves.svg", write_svg },
	{ "model_card.md", write_card },
};

static enum err_code save(const char *dir, const char *name, struct buf *buf,
			  struct err *err)
{
	char path[4096];
	enum err_code rc = buf_check(buf, name, err);

	if (rc)
		return rc;
	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >=
	    (int)sizeof(path))
		return err_set(err, ERR_INVALID, "'%s': the path is too long",
			       dir);
	return file_write_atomic(path, buf->data, buf->len, err);
}

enum err_code report_save(const struct report_source *source, const char *dir,
			  struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && !rc; i++) {
		struct buf buf;

		buf_init(&buf, REPORT_MAX);
		files[i].write(source, &buf);
		rc = save(dir, files[i].name, &buf, err);
		buf_finish(&buf);
	}
	return rc;
}

enum err_code report_save_curve(const struct lr_curve *curve, size_t phase,
				double rate, const char *dir, struct err *err)
{
	enum err_code rc = file_make_dirs(dir, err);
	char name[2][48], number[16] = "";

	if (phase)
		(void)snprintf(number, sizeof(number), "-%zu", phase + 1);
	(void)snprintf(name[0], sizeof(name[0]), "lr_find%s.json", number);
	(void)snprintf(name[1], sizeof(name[1]), "lr_find%s.svg", number);
	for (int i = 0; i < 2 && !rc; i++) {
		struct buf buf;

		buf_init(&buf, 1 << 20);
		if (i)
			lr_curve_write_svg(curve, rate, &buf);
		else
			lr_curve_write_file(curve, rate, &buf);
		rc = save(dir, name[i], &buf, err);
		buf_finish(&buf);
	}
	return rc;
}
