/* SPDX-License-Identifier: Apache-2.0 */
#include "server/model_config.h"

#include "server/batcher.h"

struct file {
	struct model_config config;
	const struct doc *policy;
	struct field_strings passes;
};

static const struct field file_fields[] = {
	{ .name = "max_batch_size",
	  .help = "rows of one run; 1 turns batching off",
	  .kind = FIELD_INT,
	  .offset = offsetof(struct file, config.max_batch_size),
	  .min = 1,
	  .max = BATCHER_MAX_BATCH,
	  .def = BATCHER_MAX_BATCH },
	{ .name = "max_queue_delay_us",
	  .help = "how long the first row may wait for others",
	  .kind = FIELD_INT,
	  .offset = offsetof(struct file, config.max_queue_delay_us),
	  .max = 10e6 },
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
	{ .name = "version_policy",
	  .help = "which versions are served",
	  .kind = FIELD_DOC,
	  .offset = offsetof(struct file, policy) },
	{ .name = "passes",
	  .help = "graph passes that are off (-NAME) or on again (NAME)",
	  .kind = FIELD_STRINGS,
	  .offset = offsetof(struct file, passes) },
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
	  .offset = offsetof(struct model_config, latest),
	  .min = 1,
	  .max = 1e6,
	  .def = 2 },
	{ .name = "all",
	  .help = "every version",
	  .kind = FIELD_BOOL,
	  .offset = offsetof(struct model_config, all) },
	{ .name = "specific",
	  .help = "these versions",
	  .kind = FIELD_INTS,
	  .offset = offsetof(struct model_config, specific) },
	{ .name = NULL },
};

/* Read elsewhere: labels by the package, rollout by the rollout. */
static const char *const others[] = { "labels", "rollout", NULL };

enum err_code model_config_read(const struct doc *doc, const char *name,
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
	if (rc)
		return err_prefix(err, "model '%s'", name);
	*ret_config = file.config;
	return ERR_NONE;
}

bool model_config_serves(const struct model_config *config,
			 const int64_t *version, size_t n, size_t i)
{
	if (config->all)
		return true;
	if (!config->specific.n)
		return (int64_t)(n - i) <= config->latest;
	for (size_t j = 0; j < config->specific.n; j++)
		if (config->specific.v[j] == version[i])
			return true;
	return false;
}
