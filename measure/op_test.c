/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * op-test: runs ONNX's backend tests and says which hold.
 *
 * A test is a folder with model.onnx and test_data_set_N/input_M.pb and
 * output_M.pb, wherever it lies beneath the folder given. What has sequences
 * or optional values as inputs or outputs is run by the interpreter, maps are
 * skipped: predictd serves tensors. Where a list of maps is served as tensors
 * (ZipMap), only the values are compared.
 */
#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/str.h"
#include "measure/command.h"
#include "measure/compare.h"
#include "measure/trial.h"
#include "measure/value_test.h"
#include "models/tensor_file.h"

enum { DEPTH_MAX = 16, ENTRIES_MAX = 1 << 16, PLACES_MAX = 64 };
#define ARENA_MAX ((size_t)2 << 30)

/* ONNX's own bound (onnx/backend/test/case/test_case.py) */
static const struct compare_bound bound = { .rtol = 1e-3, .atol = 1e-7 };

enum outcome { PASSED, FAILED, SKIPPED, OUTCOMES };
static const char *const outcome_name[] = { "passed", "failed", "skipped" };

struct suite {
	const char *only; /* NULL: all */
	struct trial_options options;
	size_t n[OUTCOMES];
};

static bool exists(const char *dir, const char *name)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/%s", dir, name) <
		   (int)sizeof(path) &&
	       access(path, F_OK) == 0;
}

/* --- one set of inputs and outputs --- */

/* Test files of ONNX before 1.17 keep the bits of bfloat16 as uint16. */
static void restore_bfloat16(struct tensor_view *view, enum dtype want)
{
	if (view->dtype == DTYPE_U16 && want == DTYPE_BF16)
		view->dtype = DTYPE_BF16;
}

static enum err_code read_inputs(const char *dir, struct trial *trial,
				 struct arena *arena, struct tensor_view *input,
				 struct err *err)
{
	const struct model_signature *s = &trial->package->signature;
	enum err_code rc = ERR_NONE;

	for (unsigned i = 0; i < s->n_inputs && !rc; i++) {
		const struct tensor_name name = { NULL, "input", i };

		rc = tensor_file_read(NULL, dir, &name, arena, &input[i], err);
		if (!rc)
			restore_bfloat16(&input[i], s->input[i].dtype);
	}
	return rc;
}

/* The keys of an output of maps, which files do not have (models/onnx.h). */
static bool is_keys(const char *dir, const char *name, unsigned i)
{
	const char *const keys = strrchr(name, '_');
	char file[32];

	(void)snprintf(file, sizeof(file), "output_%u.pb", i);
	return keys && strcmp(keys, "_keys") == 0 && !exists(dir, file);
}

static enum err_code check_outputs(const char *dir, struct trial *trial,
				   struct arena *arena, struct err *err)
{
	const struct model_signature *s = &trial->package->signature;

	for (unsigned i = 0; i < s->n_outputs; i++) {
		const struct tensor_name name = { NULL, "output", i };
		struct tensor_view got = instance_output(trial->instance, i);
		struct tensor_view want;
		enum err_code rc;

		if (is_keys(dir, s->output[i].name, i))
			continue;
		rc = tensor_file_read(NULL, dir, &name, arena, &want, err);
		if (rc)
			return rc;
		restore_bfloat16(&want, got.dtype);
		rc = compare_tensors(&got, &want, bound, err);
		if (rc) {
			(void)err_prefix(err, "output '%s'", s->output[i].name);
			return rc;
		}
	}
	return ERR_NONE;
}

static enum err_code run_set(const char *dir, struct trial *trial,
			     struct err *err)
{
	struct tensor_view input[TRIAL_MAX_PORTS] = { 0 };
	struct arena *arena = arena_create(ARENA_MAX);
	enum err_code rc;

	if (!arena)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	rc = read_inputs(dir, trial, arena, input, err);
	if (!rc)
		rc = trial_prepare(trial, input, err);
	if (!rc)
		rc = trial_run(trial, err);
	if (!rc)
		rc = check_outputs(dir, trial, arena, err);
	arena_destroy(arena);
	return rc;
}

/* --- one test --- */

/* trial NULL: values that are no tensors */
static enum err_code run_sets(const char *dir, struct trial *trial,
			      unsigned *ret_sets, struct err *err)
{
	*ret_sets = 0;
	for (unsigned i = 0; i < PLACES_MAX; i++) {
		char path[PATH_MAX];
		enum err_code rc;

		if (snprintf(path, sizeof(path), "%s/test_data_set_%u", dir,
			     i) >= (int)sizeof(path))
			return err_set(err, ERR_INVALID,
				       "the path is too long");
		if (access(path, F_OK))
			break;
		rc = trial ? run_set(path, trial, err)
			   : value_test_run(dir, path, bound, err);
		if (rc)
			return rc;
		++*ret_sets;
	}
	return ERR_NONE;
}

/* What models/onnx.h says of an input or output that no tensor can be. */
static bool has_other_values(const struct err *err)
{
	return err->code == ERR_UNSUPPORTED &&
	       strstr(err->msg, "is no tensor") != NULL;
}

static enum outcome run_test(const struct suite *suite, const char *dir,
			     char *ret_reason, size_t cap)
{
	struct trial trial = { 0 };
	char path[PATH_MAX];
	struct err err = { 0 };
	unsigned n_sets = 0;
	enum outcome outcome = PASSED;

	(void)snprintf(path, sizeof(path), "%s/model.onnx", dir);
	if (trial_open(path, &suite->options, &trial, &err)) {
		outcome = FAILED;
		if (has_other_values(&err) &&
		    !run_sets(dir, NULL, &n_sets, &err))
			outcome = PASSED;
		else if (has_other_values(&err))
			outcome = SKIPPED;
	} else if (run_sets(dir, &trial, &n_sets, &err)) {
		outcome = FAILED;
	} else if (!n_sets) {
		outcome = SKIPPED;
		(void)err_set(&err, ERR_NOT_FOUND, "no test_data_set_0");
	}
	trial_close(&trial);
	(void)str_copy(ret_reason, cap, err.msg);
	return outcome;
}

static void judge(struct suite *suite, const char *dir)
{
	const char *slash = strrchr(dir, '/');
	const char *name = slash ? slash + 1 : dir;
	char reason[ERR_MSG_MAX];
	enum outcome outcome;

	if (suite->only && !strstr(name, suite->only))
		return;
	outcome = run_test(suite, dir, reason, sizeof(reason));
	suite->n[outcome]++;
	(void)printf("%s %s", outcome_name[outcome], name);
	(void)printf(outcome == PASSED ? "\n" : " (%s)\n", reason);
	(void)fflush(stdout);
}

/* --- the folder --- */

/* NOLINTNEXTLINE(misc-no-recursion): at most DEPTH_MAX deep */
static enum err_code walk(struct suite *suite, const char *dir, unsigned depth,
			  struct err *err)
{
	struct arena *arena;
	const char **name;
	size_t n = 0;
	enum err_code rc;

	if (exists(dir, "model.onnx")) {
		judge(suite, dir);
		return ERR_NONE;
	}
	if (depth >= DEPTH_MAX)
		return ERR_NONE;
	arena = arena_create(ARENA_MAX);
	if (!arena)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	rc = file_list_dir(dir, ENTRIES_MAX, arena, &name, &n, err);
	for (size_t i = 0; i < n && !rc; i++) {
		char path[PATH_MAX];
		struct stat st;

		if (snprintf(path, sizeof(path), "%s/%s", dir, name[i]) >=
		    (int)sizeof(path))
			continue;
		if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
			rc = walk(suite, path, depth + 1, err);
	}
	arena_destroy(arena);
	return rc;
}

static enum err_code op_test(const struct args *args, bool *ret_failed,
			     struct err *err)
{
	struct suite suite = { .only = args_text(args, "only", NULL) };
	int64_t threads = 1;
	enum err_code rc;

	rc = args_int(args, "threads", 1, TRIAL_MAX_THREADS, &threads, err);
	if (rc)
		return rc;
	suite.options.threads = (unsigned)threads;
	rc = trial_read_flags(args, &suite.options, err);
	if (rc)
		return rc;
	rc = walk(&suite, args->word[0], 0, err);
	if (rc)
		return rc;
	(void)printf("%zu passed, %zu failed, %zu skipped\n", suite.n[PASSED],
		     suite.n[FAILED], suite.n[SKIPPED]);
	*ret_failed = suite.n[FAILED] > 0;
	return ERR_NONE;
}

static const struct args_flag flags[] = {
	{ "only", "TEXT", "only tests whose name contains it" },
	{ "threads", "T", "threads that share a run (1)" },
	TRIAL_FLAGS,
	{ 0 },
};

const struct measure_command measure_op_test = {
	.name = "op-test",
	.usage = "DIR [--only TEXT] [--threads T] " TRIAL_USAGE,
	.help = "Runs the ONNX backend tests beneath DIR.",
	.flags = flags,
	.n_words = 1,
	.run = op_test,
};
