/* SPDX-License-Identifier: Apache-2.0 */
#include "main/worker_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/doc.h"
#include "base/log.h"
#include "base/str.h"
#include "training/worker.h"

enum { EXIT_USAGE = 2, ROOTS_MAX = 64 };

struct arguments {
	struct worker_options options;
	const char *root[ROOTS_MAX];
};

/* One flag at argv[i]; the number of words used, 0 when it is unknown. */
static int read_flag(int argc, const char *const *argv, int i,
		     struct arguments *into)
{
	struct worker_options *o = &into->options;
	const char *value = i + 1 < argc ? argv[i + 1] : NULL;
	uint64_t number;

	if (str_equal(argv[i], "--dry-run")) {
		o->task = WORKER_DRY_RUN;
		return 1;
	}
	if (str_equal(argv[i], "--lr-find")) {
		o->task = WORKER_LR_FIND;
		return 1;
	}
	if (str_equal(argv[i], "--check")) {
		o->task = WORKER_CHECK;
		return 1;
	}
	if (str_equal(argv[i], "--evaluate")) {
		o->task = WORKER_EVALUATE;
		return 1;
	}
	if (str_equal(argv[i], "--unpack")) {
		o->task = WORKER_UNPACK;
		return 1;
	}
	if (!value)
		return 0;
	if (str_equal(argv[i], "--job-dir")) {
		o->job_dir = value;
	} else if (str_equal(argv[i], "--model-repository")) {
		o->model_repository = value;
	} else if (str_equal(argv[i], "--datasets")) {
		o->datasets = value;
	} else if (str_equal(argv[i], "--data-root") &&
		   o->n_data_roots < ROOTS_MAX) {
		into->root[o->n_data_roots++] = value;
	} else if (str_equal(argv[i], "--threads") &&
		   str_parse_uint64(value, &number) && number <= 1024) {
		o->threads = (unsigned)number;
	} else {
		return 0;
	}
	return 2;
}

int worker_command(int argc, const char *const *argv)
{
	struct arguments arguments = {
		.options = { .in_fd = STDIN_FILENO, .out_fd = STDOUT_FILENO },
	};
	int used;

	arguments.options.data_roots = arguments.root;
	for (int i = 0; i < argc; i += used) {
		used = read_flag(argc, argv, i, &arguments);
		if (used)
			continue;
		(void)fprintf(stderr,
			      "predictd worker: '%s' is not understood (this "
			      "command is for the daemon's own use)\n",
			      argv[i]);
		return EXIT_USAGE;
	}
	if (!arguments.options.job_dir) {
		(void)fputs("predictd worker: --job-dir is missing (this "
			    "command is for the daemon's own use)\n",
			    stderr);
		return EXIT_USAGE;
	}
	doc_init();
	log_init(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	/* not exit(): OpenBLAS waits at exit for its threads, which wait for
	 * memory that a job's limit may deny them */
	_exit(worker_main(&arguments.options));
}
