/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

struct result {
	struct arena *arena;
	struct config config;
	struct err err;
	enum err_code rc;
};

static struct result read_from(const char *const *argv, const char *const *env)
{
	struct result r = { .arena = arena_create(1 << 20) };
	int argc = 0;

	while (argv[argc])
		argc++;
	r.rc = config_read(argc, argv, env, r.arena, &r.config, &r.err);
	return r;
}

static void write_yaml(char path[64], const char *text)
{
	int fd;

	(void)snprintf(path, 64, "/tmp/predictd-test-XXXXXX");
	fd = mkstemp(path);
	cr_assert(fd >= 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
}

Test(config, defaults_stand_where_nothing_is_said)
{
	const char *argv[] = { NULL };
	struct result r = read_from(argv, NULL);

	cr_assert_eq(r.rc, ERR_NONE, "%s", r.err.msg);
	cr_assert_str_eq(r.config.host, "127.0.0.1");
	cr_assert_eq(r.config.port, 8080);
	cr_assert_eq(r.config.max_body, 64 << 20);
	cr_assert_eq(r.config.model_repository.n, 0);
	cr_assert_not(r.config.insecure);
	arena_destroy(r.arena);
}

Test(config, a_pod_is_sent_requests_after_it_is_stopped)
{
	const char *pod[] = { "KUBERNETES_SERVICE_HOST=10.0.0.1", NULL };
	const char *told[] = { "KUBERNETES_SERVICE_HOST=10.0.0.1",
			       "PREDICTD_DRAIN_DELAY=0", NULL };
	const char *argv[] = { NULL };
	struct result r = read_from(argv, pod);

	cr_assert_eq(r.rc, ERR_NONE, "%s", r.err.msg);
	cr_assert_eq(r.config.drain_delay, 5);
	arena_destroy(r.arena);
	r = read_from(argv, told);
	cr_assert_eq(r.config.drain_delay, 0);
	arena_destroy(r.arena);
	r = read_from(argv, NULL);
	cr_assert_eq(r.config.drain_delay, 0);
	arena_destroy(r.arena);
}

Test(config, flags_beat_the_environment_which_beats_the_file)
{
	char path[64];
	const char *env[] = { "PREDICTD_PORT=2",	  "PREDICTD_THREADS=2",
			      "PREDICTD_DATA_ROOT=/a:/b", "HOME=/x",
			      "PREDICTD_OTHER=1",	  NULL };
	const char *argv[] = { "--config",   path,
			       "--port",     "3",
			       "--insecure", "--model-repository",
			       "/m",	     "--model-repository=/n",
			       NULL };
	struct result r;

	write_yaml(path, "port: 1\nthreads: 1\nhost: 127.0.0.2\n"
			 "model_repository: [/file]\nmax_body: 2MiB\n");
	r = read_from(argv, env);
	cr_assert_eq(r.rc, ERR_NONE, "%s", r.err.msg);
	cr_assert_eq(r.config.port, 3);
	cr_assert_eq(r.config.threads, 2);
	cr_assert_str_eq(r.config.host, "127.0.0.2");
	cr_assert_eq(r.config.max_body, 2 << 20);
	cr_assert(r.config.insecure);
	cr_assert_eq(r.config.model_repository.n, 2);
	cr_assert_str_eq(r.config.model_repository.v[1], "/n");
	cr_assert_eq(r.config.data_root.n, 2);
	cr_assert_str_eq(r.config.data_root.v[1], "/b");
	(void)unlink(path);
	arena_destroy(r.arena);
}

Test(config, what_is_wrong_is_said_with_its_source)
{
	static const struct {
		const char *argv[3], *env, *says;
	} table[] = {
		{ { "--prot", "1" }, NULL, "did you mean --port?" },
		{ { "--port" }, NULL, "needs a value" },
		{ { "--port", "x" }, NULL, "command line" },
		{ { "--port", "70000" }, NULL, "65535" },
		{ { "serve" }, NULL, "'serve' is no option" },
		{ { NULL }, "PREDICTD_PORT=x", "environment: port: expected" },
		{ { "--log-format", "xml" }, NULL, "log_format" },
		{ { "--config", "/no/such/file.yaml" },
		  NULL,
		  "/no/such/file.yaml" },
		{ { "--insecure=maybe" }, NULL, "insecure" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const char *argv[] = { table[i].argv[0], table[i].argv[1],
				       NULL };
		const char *env[] = { table[i].env, NULL };
		struct result r = read_from(argv, env);

		cr_assert_neq(r.rc, ERR_NONE, "%zu", i);
		cr_assert(strstr(r.err.msg, table[i].says), "%zu: %s", i,
			  r.err.msg);
		arena_destroy(r.arena);
	}
}

Test(config, an_unknown_key_in_the_file_is_refused_with_the_nearest)
{
	char path[64];
	const char *argv[] = { "--config", path, NULL };
	struct result r;

	write_yaml(path, "port: 1\nmodel_repositry: /x\n");
	r = read_from(argv, NULL);
	cr_assert_neq(r.rc, ERR_NONE);
	cr_assert(strstr(r.err.msg, "'model_repository'"), "%s", r.err.msg);
	cr_assert(strstr(r.err.msg, path), "%s", r.err.msg);
	(void)unlink(path);
	arena_destroy(r.arena);
}

Test(config, the_printed_default_file_reads_back_as_the_defaults)
{
	char path[64], *text, *line;
	const char *argv[] = { "--config", path, NULL };
	FILE *out;
	size_t len;
	struct result r;

	write_yaml(path, "");
	out = fopen(path, "w");
	config_print_default(out);
	(void)fclose(out);
	cr_assert_eq(file_read_all(path, 1 << 16, &text, &len, NULL), 0);
	/* "#name: value" becomes "name: value" */
	for (line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (line[0] == '#' && line[1] != ' ')
			line[0] = ' ';
		if (!*line)
			break;
	}
	cr_assert_eq(file_write_atomic(path, text, len, NULL), 0);
	r = read_from(argv, NULL);
	cr_assert_eq(r.rc, ERR_NONE, "%s\n%s", r.err.msg, text);
	cr_assert_eq(r.config.port, 8080);
	cr_assert_eq(r.config.drain_timeout, 30);
	mem_free(text);
	(void)unlink(path);
	arena_destroy(r.arena);
}
