/* SPDX-License-Identifier: Apache-2.0 */
#include "server/model_config.h"

#include <string.h>

#include "server/batcher.h"

struct file {
	struct model_config config;
	const struct doc *policy, *labels;
	struct field_strings passes;
	const char *precision;
};

enum { UNSAID = -1, LABEL_MAX = 128 };

static const struct field file_fields[] = {
	{ .name = "max_batch_size",
	  .help = "rows of one run; 1 turns batching off",
	  .kind = FIELD_INT,
	  .offset = offsetof(struct file, config.max_batch_size),
	  .min = 1,
	  .max = BATCHER_MAX_BATCH,
	  .def = UNSAID },
	{ .name = "max_queue_delay_us",
	  .help = "how long the first row may wait for others",
	  .kind = FIELD_INT,
	  .offset = offsetof(struct file, config.max_queue_delay_us),
	  .max = 10e6,
	  .def = UNSAID },
	{ .name = "instances",
	  .help = "runs at the same time; 0: the thread budget",
	  .kind = FIELD_INT,
	  .offset = offsetof(struct file, config.instances),
	  .max = 1024 },
	{ .name = "max_queue_size",
	  .help = "requests that wait; 0: 4 x batch x instances",
	  .kind = FIELD_INT,
	  .offset = offsetof(struct file, config.max_queue_size),
	  .max = 1e6 },
	{ .name = "preferred_batch_sizes",
	  .help = "rows that close a batch at once, though it is not full",
	  .kind = FIELD_INTS,
	  .offset = offsetof(struct file, config.preferred_batch_sizes),
	  .min = 1,
	  .max = BATCHER_MAX_BATCH },
	{ .name = "latency_objective_us",
	  .help = "what 19 of 20 requests should stay below; tunes the delay "
		  "while it runs; 0: it stays",
	  .kind = FIELD_INT,
	  .offset = offsetof(struct file, config.latency_objective_us),
	  .max = 60e6 },
	{ .name = "priority_levels",
	  .help = "of requests, 1 is first; 0: all are equal",
	  .kind = FIELD_INT,
	  .offset = offsetof(struct file, config.priority_levels),
	  .max = BATCHER_PRIORITIES },
	{ .name = "default_priority",
	  .help = "of a request that says none; 0: the middle one",
	  .kind = FIELD_INT,
	  .offset = offsetof(struct file, config.default_priority),
	  .max = BATCHER_PRIORITIES },
	{ .name = "pad_inputs",
	  .help = "inputs whose lengths may differ within a run, and what "
		  "they are filled up with",
	  .kind = FIELD_DOC,
	  .offset = offsetof(struct file, config.pad_inputs) },
	{ .name = "sequence",
	  .help = "state that is carried from request to request",
	  .kind = FIELD_DOC,
	  .offset = offsetof(struct file, config.sequence) },
	{ .name = "response_cache",
	  .help = "answers to equal inputs are kept",
	  .kind = FIELD_BOOL,
	  .offset = offsetof(struct file, config.response_cache) },
	{ .name = "rate_limit",
	  .help = "requests a second; 0: no limit",
	  .kind = FIELD_DOUBLE,
	  .offset = offsetof(struct file, config.rate_limit),
	  .max = 1e9 },
	{ .name = "rate_burst",
	  .help = "requests at once; 0: what a second lets through",
	  .kind = FIELD_DOUBLE,
	  .offset = offsetof(struct file, config.rate_burst),
	  .max = 1e9 },
	{ .name = "labels",
	  .help = "names of versions, which are served then",
	  .kind = FIELD_DOC,
	  .offset = offsetof(struct file, labels) },
	{ .name = "idle_timeout",
	  .help = "unloaded when nobody asks so long; 0: never",
	  .kind = FIELD_SECONDS,
	  .offset = offsetof(struct file, config.idle_timeout),
	  .max = 366 * 86400.,
	  .def = UNSAID },
	{ .name = "load_on_demand",
	  .help = "loaded when somebody asks, not at start",
	  .kind = FIELD_BOOL,
	  .offset = offsetof(struct file, config.load_on_demand) },
	{ .name = "version_policy",
	  .help = "which versions are served",
	  .kind = FIELD_DOC,
	  .offset = offsetof(struct file, policy) },
	{ .name = "passes",
	  .help = "graph passes that are off (-NAME) or on again (NAME)",
	  .kind = FIELD_STRINGS,
	  .offset = offsetof(struct file, passes) },
	{ .name = "precision",
	  .help = "fp32, bf16 or int8",
	  .kind = FIELD_STRING,
	  .offset = offsetof(struct file, precision),
	  .def_text = "fp32" },
	{ .name = "calibration",
	  .help = "rows for int8: a folder of tensors, or one file",
	  .kind = FIELD_STRING,
	  .offset = offsetof(struct file, config.calibration) },
	{ .name = "strict_numerics",
	  .help = "no convolution by Winograd's method",
	  .kind = FIELD_BOOL,
	  .offset = offsetof(struct file, config.strict_numerics) },
	{ .name = NULL },
};

static const struct field policy_fields[] = {
	{ .name = "latest",
	  .help = "the newest ones, so many",
	  .kind = FIELD_INT,
	  .offset = offsetof(struct model_config, policy.latest),
	  .min = 1,
	  .max = 1e6,
	  .def = 2 },
	{ .name = "all",
	  .help = "every version",
	  .kind = FIELD_BOOL,
	  .offset = offsetof(struct model_config, policy.all) },
	{ .name = "specific",
	  .help = "these versions",
	  .kind = FIELD_INTS,
	  .offset = offsetof(struct model_config, policy.specific) },
	{ .name = NULL },
};

/* Read elsewhere: by the rollout, and by models/ensemble.c. */
static const char *const others[] = { "rollout", "ensemble", NULL };

/* --- labels --- */

/* Letters, digits, '_' and '-'; no digit at first, so that no label is a
 * number. */
static bool is_label(const char *name)
{
	const size_t n = strlen(name);

	for (size_t i = 0; i < n; i++) {
		const char c = name[i];
		const bool is_digit = c >= '0' && c <= '9';

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    c != '_' && (i == 0 || (!is_digit && c != '-')))
			return false;
	}
	return n > 0 && n < LABEL_MAX;
}

static enum err_code read_labels(const struct doc *doc, struct arena *arena,
				 struct model_config *config, struct err *err)
{
	if (!doc)
		return ERR_NONE;
	if (doc->kind != DOC_MAP)
		return err_set(
		    err, ERR_INVALID,
		    "config.yaml: labels: expected a map of names to "
		    "versions");
	config->label = arena_array(arena, doc->n + 1, sizeof(*config->label));
	if (!config->label)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	for (const struct doc *row = doc->first; row; row = row->next) {
		if (!is_label(row->key))
			return err_set(err, ERR_INVALID,
				       "config.yaml: labels: '%.64s' is no "
				       "label: expected letters, digits, '_' "
				       "and '-', with a letter or '_' first",
				       row->key);
		if (row->kind != DOC_INT || row->integer < 1)
			return err_set(err, ERR_INVALID,
				       "config.yaml: labels: '%s' needs a "
				       "version, a number from 1 up",
				       row->key);
		config->label[config->n_labels++] =
		    (struct model_label){ row->key, row->integer };
	}
	return ERR_NONE;
}

static void complete(struct model_config *config,
		     const struct model_defaults *defaults)
{
	static const struct model_defaults plain = { .max_batch_size =
							 BATCHER_MAX_BATCH };

	if (!defaults)
		defaults = &plain;
	if (config->max_batch_size == UNSAID)
		config->max_batch_size = defaults->max_batch_size;
	if (config->max_queue_delay_us == UNSAID)
		config->max_queue_delay_us = defaults->max_queue_delay_us;
	if (config->idle_timeout < 0)
		config->idle_timeout = defaults->idle_timeout;
	config->load_on_demand =
	    config->load_on_demand || defaults->load_on_demand;
}

static enum err_code check(const struct model_config *config, struct err *err)
{
	const struct field_ints *sizes = &config->preferred_batch_sizes;

	if (sizes->n > BATCHER_PREFERRED)
		return err_set(err, ERR_INVALID,
			       "config.yaml: preferred_batch_sizes: %zu of "
			       "them; there may be %d",
			       sizes->n, BATCHER_PREFERRED);
	for (size_t i = 0; i < sizes->n; i++)
		if (sizes->v[i] > config->max_batch_size ||
		    (i && sizes->v[i] <= sizes->v[i - 1]))
			return err_set(err, ERR_INVALID,
				       "config.yaml: preferred_batch_sizes: "
				       "expected ascending sizes up to "
				       "max_batch_size, %lld",
				       (long long)config->max_batch_size);
	if (config->default_priority > config->priority_levels)
		return err_set(err, ERR_INVALID,
			       "config.yaml: default_priority %lld is beyond "
			       "the %lld priority_levels",
			       (long long)config->default_priority,
			       (long long)config->priority_levels);
	return ERR_NONE;
}

/* NOLINTNEXTLINE(readability-function-size): of what, whose, and the result */
enum err_code model_config_read(const struct doc *doc, const char *name,
				const struct model_defaults *defaults,
				struct arena *arena,
				struct model_config *ret_config,
				struct err *err)
{
	struct file file = { 0 };
	enum err_code rc;

	rc = field_read(file_fields, doc, "config.yaml", others, &file, arena,
			err);
	if (!rc)
		rc = field_read(policy_fields, file.policy,
				"config.yaml: version_policy", NULL,
				&file.config, arena, err);
	for (size_t i = 0; i < file.passes.n && !rc; i++)
		rc = pass_switch_parse(file.passes.v[i], &file.config.passes,
				       err);
	if (!rc)
		rc = precision_parse(file.precision, &file.config.precision,
				     err);
	if (!rc)
		rc = read_labels(file.labels, arena, &file.config, err);
	complete(&file.config, defaults);
	if (!rc)
		rc = check(&file.config, err);
	if (rc)
		return err_prefix(err, "model '%s'", name);
	*ret_config = file.config;
	return ERR_NONE;
}

unsigned model_config_priority(int64_t levels, int64_t def, uint64_t priority)
{
	if (!levels)
		return 0;
	if (!priority)
		priority = (uint64_t)(def ? def : (levels + 1) / 2);
	if (priority > (uint64_t)levels)
		priority = (uint64_t)levels;
	return (unsigned)(priority - 1);
}

bool model_config_serves(const struct model_config *config,
			 const int64_t *version, size_t n, size_t i)
{
	const struct model_policy *policy = &config->policy;

	if (policy->all)
		return true;
	for (size_t j = 0; j < config->n_labels; j++)
		if (config->label[j].version == version[i])
			return true;
	if (!policy->specific.n)
		return (int64_t)(n - i) <= policy->latest;
	for (size_t j = 0; j < policy->specific.n; j++)
		if (policy->specific.v[j] == version[i])
			return true;
	return false;
}
