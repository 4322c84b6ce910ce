/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics_jobs.h"

#include "base/doc.h"
#include "server/metrics_text.h"
#include "store/store.h"
#include "training/job.h"

enum { JOBS_MAX = 1000 };

/* A member of the last "step" event. */
static const struct {
	const char *name, *help, *outer, *key;
} families[] = {
	{ "predictd_job_progress_percent", "How much of the job is done.",
	  "progress", "percent" },
	{ "predictd_job_epoch", "The epoch that runs, from 1.", "progress",
	  "epoch" },
	{ "predictd_job_step", "Steps that were made.", "progress", "step" },
	{ "predictd_job_samples_per_second", "Rows trained on, of late.",
	  "progress", "samples_per_second" },
	{ "predictd_job_eta_seconds", "Time to the last step.", "progress",
	  "eta_seconds" },
	{ "predictd_job_train_loss", "Training loss, smoothed.", "latest",
	  "train_loss" },
	{ "predictd_job_learning_rate", "Rate of the last step.", "latest",
	  "learning_rate" },
};
enum { N_FAMILIES = sizeof(families) / sizeof(families[0]) };

static void write_counts(struct store *store, struct arena *arena,
			 struct buf *buf, struct store_jobs *ret_running)
{
	static const char name[] = "predictd_jobs";

	metrics_text_family(buf, name, "gauge", "Jobs by state.");
	for (int state = 0; state < JOB_STATE_COUNT; state++) {
		const struct store_job_query query = {
			.state = job_state_name((enum job_state)state),
			.limit = JOBS_MAX,
		};
		struct store_jobs jobs;
		char labels[METRICS_LABELS_MAX];

		if (job_state_is_over((enum job_state)state) ||
		    store_job_list(store, &query, arena, &jobs, NULL))
			continue;
		(void)snprintf(labels, sizeof(labels), "state=\"%s\"",
			       query.state);
		metrics_text_sample(buf, name, labels, (double)jobs.n);
		if (state == JOB_RUNNING)
			*ret_running = jobs;
	}
}

static void write_sample(struct buf *buf, size_t family,
			 const struct store_job *job, const struct doc *event)
{
	const struct doc *member = doc_find(
	    doc_find(event, families[family].outer), families[family].key);
	char labels[METRICS_LABELS_MAX], name[METRICS_LABELS_MAX / 2];

	if (!member || (member->kind != DOC_INT && member->kind != DOC_DOUBLE))
		return;
	(void)snprintf(
	    labels, sizeof(labels), "job=\"%s\",name=\"%s\"", job->id,
	    metrics_text_label(job->name ? job->name : "", name, sizeof(name)));
	metrics_text_sample(buf, families[family].name, labels, member->number);
}

void metrics_jobs_write(struct store *store, struct arena *arena,
			struct buf *buf)
{
	struct store_jobs running = { 0 };
	struct doc **event;

	write_counts(store, arena, buf, &running);
	event = arena_array(arena, running.n + 1, sizeof(struct doc *));
	for (size_t i = 0; event && i < running.n; i++) {
		const char *json = running.job[i].progress_json;

		if (!json || doc_parse_json(json, strlen(json), "event", arena,
					    &event[i], NULL))
			event[i] = NULL;
	}
	for (size_t f = 0; event && running.n && f < N_FAMILIES; f++) {
		metrics_text_family(buf, families[f].name, "gauge",
				    families[f].help);
		for (size_t i = 0; i < running.n; i++)
			write_sample(buf, f, &running.job[i], event[i]);
	}
}
