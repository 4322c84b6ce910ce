/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * predictd: the daemon, its worker and the check of its configuration.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/doc.h"
#include "base/log.h"
#include "base/str.h"
#include "base/thread.h"
#include "config/config.h"
#include "main/blas_core.h"
#include "main/daemon.h"
#include "main/worker_command.h"

enum { EXIT_USAGE = 2, EXIT_CONFIG = 78 /* sysexits: EX_CONFIG */ };

static void print_help(void)
{
	(void)puts("predictd " PREDICTD_VERSION
		   ": trains neural networks and serves them\n\n"
		   "  predictd --model-repository models --data-root data\n"
		   "  curl -d '{\"inputs\": {\"x\": [[1, 2, 3]]}}' "
		   "http://127.0.0.1:8080/predict\n\n"
		   "usage: predictd [OPTION ...]        serve and train\n"
		   "       predictd check-config [--print | --print-default] "
		   "[OPTION ...]\n"
		   "       predictd --help | --version\n\noptions:");
	config_print_help(stdout);
}

static int check_config(int argc, const char *const *argv)
{
	struct arena *arena = arena_create((size_t)16 << 20);
	bool prints = argc > 0 && str_equal(argv[0], "--print");
	struct config config;
	struct err err = { 0 };
	enum err_code rc = ERR_NO_MEMORY;

	if (argc > 0 && str_equal(argv[0], "--print-default")) {
		config_print_default(stdout);
		arena_destroy(arena);
		return EXIT_SUCCESS;
	}
	if (arena)
		rc = config_read(argc - prints, argv + prints,
				 (const char *const *)environ, arena, &config,
				 &err);
	if (rc)
		(void)fprintf(stderr, "predictd: %s\n", err.msg);
	else if (prints)
		config_print(&config, stdout);
	else
		(void)puts("the configuration is good");
	arena_destroy(arena);
	return rc ? EXIT_CONFIG : EXIT_SUCCESS;
}

/* names as in options.def: log_format, log_level */
static void start_log(const struct config *config)
{
	static const enum log_level level[] = { LOG_LEVEL_INFO, LOG_LEVEL_DEBUG,
						LOG_LEVEL_WARNING,
						LOG_LEVEL_ERROR };

	log_init(config->log_format ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT,
		 level[config->log_level]);
}

static int serve(int argc, const char *const *argv)
{
	struct arena *arena = arena_create((size_t)16 << 20);
	struct daemon *daemon = NULL;
	struct config config;
	struct err err = { 0 };
	int status = EXIT_FAILURE;

	if (!arena)
		return EXIT_FAILURE;
	if (config_read(argc, argv, (const char *const *)environ, arena,
			&config, &err)) {
		(void)fprintf(stderr, "predictd: %s\n", err.msg);
		status = EXIT_CONFIG;
		goto out;
	}
	start_log(&config);
	doc_init();
	daemon_block_signals();
	if (daemon_create(&config, &daemon, &err) || daemon_run(daemon, &err))
		log_write(LOG_LEVEL_ERROR, "main", "%s", err.msg);
	else
		status = EXIT_SUCCESS;
out:
	daemon_destroy(daemon);
	arena_destroy(arena);
	return status;
}

int main(int argc, char **argv)
{
	const char *const *args = (const char *const *)argv;
	const char *first = argc > 1 ? argv[1] : "";

	blas_core_ensure(argv);
	/* OpenBLAS has begun threads by now, which spin for a while and are
	 * not used (engine/kernels/blas.h) */
	thread_lull_others();
	if (str_equal(first, "worker"))
		return worker_command(argc - 2, args + 2);
	if (str_equal(first, "check-config"))
		return check_config(argc - 2, args + 2);
	if (str_equal(first, "--help") || str_equal(first, "-h")) {
		print_help();
		return EXIT_SUCCESS;
	}
	if (str_equal(first, "--version")) {
		(void)puts("predictd " PREDICTD_VERSION);
		return EXIT_SUCCESS;
	}
	return serve(argc - 1, args + 1);
}
