/* SPDX-License-Identifier: Apache-2.0 */
#include "main/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/doc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "engine/kernels/blas.h"
#include "engine/team.h"
#include "engine/tuning.h"
#include "main/descriptors.h"
#include "main/liveness.h"
#include "main/notify.h"
#include "main/paths.h"
#include "models/repository.h"
#include "server/api_jobs.h"
#include "server/event_hub.h"
#include "server/model_cache.h"
#include "server/model_park.h"
#include "server/run_pool.h"
#include "server/server.h"
#include "store/store.h"
#include "training/datasets.h"
#include "training/supervisor.h"

enum { TOKENS_MAX = 1 << 20, TRANSFER_THREADS = 2 };
enum { VERSIONS_BYTES_MAX = 4 << 20 };
enum { TUNING_LOAD, TUNING_OFF }; /* as the option lists them */

struct daemon {
	const struct config *config;
	struct arena *arena;
	struct paths paths;
	unsigned threads;
	char *tokens;
	struct pool *helpers;
	struct tuning *tuning; /* NULL: off */
	struct repository *repository;
	struct store *store;
	struct event_hub *hub;
	struct run_pool *background, *transfers;
	struct datasets *datasets;
	struct supervisor *supervisor;
	struct jobs_api jobs;
	struct server *server;
	int lock_fd; /* of the state folder; -1: not ours yet */
};

/* --- what jobs tell --- */

/* Members of events that a line of the log shows. */
static const char *const told[] = { "state", "stop_reason", "error",
				    "code",  "message",	    "model" };
enum { N_TOLD = sizeof(told) / sizeof(told[0]) };

static void log_event_of_job(const char *job_id, const char *type,
			     const char *json)
{
	struct log_field fields[N_TOLD + 2] = { { "job", job_id } };
	struct arena *arena = arena_create((size_t)1 << 20);
	struct doc *event = NULL;
	const struct doc *member;
	size_t n = 1;

	if (!arena ||
	    doc_parse_json(json, strlen(json), "event", arena, &event, NULL))
		event = NULL;
	for (size_t i = 0; i < N_TOLD; i++) {
		member = doc_find(event, told[i]);
		if (member && member->kind == DOC_STRING)
			fields[n++] =
			    (struct log_field){ told[i], member->text };
	}
	member = doc_find(event, "version");
	if (member && member->kind == DOC_INT)
		fields[n++] = (struct log_field){
			"version",
			arena_printf(arena, "%lld", (long long)member->integer)
		};
	log_event(str_equal(type, "warning") ? LOG_LEVEL_WARNING
					     : LOG_LEVEL_INFO,
		  "jobs", type, fields, n);
	arena_destroy(arena);
}

static void take_event(void *ctx, const char *job_id, int64_t seq,
		       const char *type, const char *json)
{
	struct daemon *daemon = ctx;

	(void)seq;
	if (str_equal(type, "state") || str_equal(type, "done") ||
	    str_equal(type, "published") || str_equal(type, "warning"))
		log_event_of_job(job_id, type, json);
	event_hub_announce(daemon->hub, job_id);
}

/* The version that answers now, 0 when none does. */
static int64_t version_of(struct model_cache *models, const char *name)
{
	struct served_model *model;
	int64_t version;

	if (model_cache_find(models, name, 0, &model, NULL))
		return 0;
	version = model->package->version;
	served_model_unref(model);
	return version;
}

/* After a restart, too. */
static enum err_code keep_default(struct daemon *daemon, const char *model,
				  int64_t version, struct err *err)
{
	struct arena *arena = arena_create(VERSIONS_BYTES_MAX);
	struct store_version row = { .model = model,
				     .version = version,
				     .state = "ready",
				     .created_ms = clock_realtime_ms() };
	struct store_version *list;
	size_t n;
	enum err_code rc;

	if (!arena)
		return err_set(err, ERR_NO_MEMORY, "daemon: out of memory");
	rc = store_version_list(daemon->store, model, arena, &list, &n, err);
	for (size_t i = 0; !rc && i < n; i++)
		if (list[i].version == version)
			row = list[i];
	row.is_default = true;
	if (!rc)
		rc = store_version_put(daemon->store, &row, err);
	arena_destroy(arena);
	return rc;
}

static enum err_code make_it_answer(void *ctx, const char *model,
				    int64_t version, bool set_default,
				    struct err *err)
{
	struct daemon *daemon = ctx;
	struct model_cache *models = server_models(daemon->server);
	int64_t before = version_of(models, model);
	struct served_model *served;
	enum err_code rc;

	/* the newest answers by itself: one that is not to must be held back
	 * before it is there */
	if (!set_default && before)
		rc = model_cache_set_default(models, model, before, err);
	else
		rc = ERR_NONE;
	if (!rc && !set_default && before)
		rc = keep_default(daemon, model, before, err);
	if (!rc)
		rc = model_cache_load(models, model, err);
	if (!rc && set_default)
		rc = model_cache_set_default(models, model, version, err);
	if (!rc)
		rc = model_cache_find(models, model, version, &served, err);
	if (!rc)
		served_model_unref(served);
	return rc;
}

/* --- birth --- */

/* Two daemons on one state folder would take each other's jobs for left
 * behind. The lock ends with the process, however that ends. */
static enum err_code lock_state(struct daemon *daemon, struct err *err)
{
	const char *state = daemon->paths.state;
	const char *path = arena_printf(daemon->arena, "%s/lock", state);

	if (!path)
		return err_set(err, ERR_NO_MEMORY, "daemon: out of memory");
	daemon->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (daemon->lock_fd < 0)
		return file_err(err, errno, "open", path);
	if (!flock(daemon->lock_fd, LOCK_EX | LOCK_NB))
		return ERR_NONE;
	if (errno != EWOULDBLOCK)
		return file_err(err, errno, "lock", path);
	return err_set(
	    err, ERR_CONFLICT,
	    "another predictd uses the state folder '%s': end it, or "
	    "give this one its own --state-dir",
	    state);
}

/* What cannot be read is measured again. */
static enum err_code make_tuning(struct daemon *daemon, struct err *err)
{
	const char *path =
	    arena_printf(daemon->arena, "%s/kernels.txt", daemon->paths.tuning);

	if (!path)
		return err_set(err, ERR_NO_MEMORY, "daemon: out of memory");
	if (!tuning_create(path, &daemon->tuning, err))
		return ERR_NONE;
	log_write(LOG_LEVEL_WARNING, "main", "tuning begins anew: %s",
		  err->msg);
	return tuning_create(NULL, &daemon->tuning, err);
}

static enum err_code make_ground(struct daemon *daemon, struct err *err)
{
	const struct config *config = daemon->config;
	struct repository_options repository = { 0 };
	size_t len;
	enum err_code rc;

	daemon->threads =
	    config->threads ? (unsigned)config->threads : pool_cpus();
	mem_set_regions(daemon->threads);
	rc = paths_init(config, daemon->arena, &daemon->paths, err);
	if (!rc)
		rc = lock_state(daemon, err);
	if (!rc && config->token_file)
		rc = file_read_all(config->token_file, TOKENS_MAX,
				   &daemon->tokens, &len, err);
	if (!rc)
		rc = blas_init(err);
	if (!rc)
		rc = pool_create(daemon->threads - 1, &daemon->helpers, err);
	if (!rc && config->tuning == TUNING_LOAD)
		rc = make_tuning(daemon, err);
	if (rc)
		return rc;
	repository.dirs = daemon->paths.repository;
	repository.n_dirs = daemon->paths.n_repositories;
	repository.bare_model = config->model_name;
	return repository_create(&repository, &daemon->repository, err);
}

static enum err_code make_server(struct daemon *daemon, struct err *err)
{
	const struct config *c = daemon->config;
	struct server_options options = {
		.host = c->host,
		.port = (uint16_t)c->port,
		.http_threads = c->http_threads ? (unsigned)c->http_threads
						: daemon->threads,
		.threads = daemon->threads,
		.max_connections =
		    descriptors_for((unsigned)c->max_connections),
		.head_ms = (int64_t)(c->head_timeout * 1000),
		.body_ms = (int64_t)(c->body_timeout * 1000),
		.idle_ms = (int64_t)(c->idle_timeout * 1000),
		.deadline_ms = (int64_t)(c->request_timeout * 1000),
		.poll_ms = (int64_t)(c->poll_interval * 1000),
		.quiet_ms = (int64_t)(c->quiet_time * 1000),
		.memory_budget = (size_t)c->memory_budget,
		.response_cache = (size_t)c->response_cache,
		.defaults = { .max_batch_size = c->max_batch_size,
			      .max_queue_delay_us =
				  (int64_t)(c->max_queue_delay * 1e6),
			      .idle_timeout = c->model_idle_timeout,
			      .load_on_demand = c->load_on_demand },
		.max_body = (size_t)c->max_body,
		.max_response = (size_t)c->max_response,
		.tokens = daemon->tokens,
		.tokens_name = c->token_file,
		.is_insecure = c->insecure,
		/* names as in options.def */
		.access = (enum access_log)c->access_log,
		.repository = daemon->repository,
		.helpers = daemon->helpers,
		.jobs = &daemon->jobs,
		.strict_numerics = c->strict_numerics,
		.tuning = daemon->tuning,
	};
	enum err_code rc = ERR_NONE;

	for (size_t i = 0; i < c->passes.n && !rc; i++)
		rc = pass_switch_parse(c->passes.v[i], &options.passes, err);
	if (rc)
		return err_prefix(err, "option 'passes'");
	return server_create(&options, &daemon->server, err);
}

static enum err_code make_jobs(struct daemon *daemon, struct err *err)
{
	const struct config *c = daemon->config;
	struct supervisor_options options = {
		.jobs_dir = daemon->paths.jobs,
		.program = daemon->paths.program,
		.data_roots = (const char *const *)c->data_root.v,
		.n_data_roots = c->data_root.n,
		.datasets = daemon->paths.datasets,
		.model_repository = daemon->paths.repository[0],
		.threads =
		    c->job_threads ? (unsigned)c->job_threads : daemon->threads,
		.max_workers = (unsigned)c->max_jobs,
		.hooks = { daemon, take_event, make_it_answer },
	};
	const struct datasets_options uploads = {
		.dir = daemon->paths.datasets,
		.program = daemon->paths.program,
		.max_bytes = (int64_t)c->max_dataset,
	};
	enum err_code rc;

	/* a new file is waited for several times, each time behind others */
	(void)thread_take_short_turns();
	rc = store_create(daemon->paths.database, &daemon->store, err);
	thread_take_usual_turns();
	if (!rc)
		rc = event_hub_create(daemon->store, &daemon->hub, err);
	if (!rc)
		rc = run_pool_create(1, "jobs", &daemon->background, err);
	if (!rc)
		rc = run_pool_create(TRANSFER_THREADS, "transfers",
				     &daemon->transfers, err);
	if (!rc)
		rc = datasets_create(&uploads, &daemon->datasets, err);
	if (rc)
		return rc;
	options.store = daemon->store;
	rc = supervisor_create(&options, &daemon->supervisor, err);
	if (rc)
		return rc;
	daemon->jobs = (struct jobs_api){ .supervisor = daemon->supervisor,
					  .store = daemon->store,
					  .hub = daemon->hub,
					  .background = daemon->background,
					  .datasets = daemon->datasets,
					  .transfers = daemon->transfers };
	return ERR_NONE;
}

enum err_code daemon_create(const struct config *config,
			    struct daemon **ret_daemon, struct err *err)
{
	struct daemon *daemon = mem_zero(sizeof(*daemon));
	enum err_code rc;

	if (daemon)
		daemon->arena = arena_create((size_t)16 << 20);
	if (!daemon || !daemon->arena) {
		rc = err_set(err, ERR_NO_MEMORY, "daemon: out of memory");
		goto out;
	}
	daemon->config = config;
	daemon->lock_fd = -1;
	rc = make_ground(daemon, err);
	if (!rc)
		rc = make_jobs(daemon, err);
	if (!rc)
		rc = make_server(daemon, err);
	if (rc)
		goto out;
	*ret_daemon = daemon;
	daemon = NULL;
out:
	daemon_destroy(daemon);
	return rc;
}

void daemon_destroy(struct daemon *daemon)
{
	if (!daemon)
		return;
	supervisor_destroy(daemon->supervisor);
	server_destroy(daemon->server);
	run_pool_destroy(daemon->background);
	run_pool_destroy(daemon->transfers);
	datasets_destroy(daemon->datasets);
	event_hub_destroy(daemon->hub);
	store_destroy(daemon->store);
	repository_destroy(daemon->repository);
	pool_destroy(daemon->helpers);
	tuning_destroy(daemon->tuning);
	mem_free(daemon->tokens);
	if (daemon->lock_fd >= 0)
		(void)close(daemon->lock_fd);
	arena_destroy(daemon->arena);
	mem_free(daemon);
}

/* --- life --- */

static void fill_signals(sigset_t *set)
{
	(void)sigemptyset(set);
	(void)sigaddset(set, SIGTERM);
	(void)sigaddset(set, SIGINT);
	(void)sigaddset(set, SIGHUP);
}

void daemon_block_signals(void)
{
	sigset_t set;

	(void)signal(SIGPIPE, SIG_IGN);
	fill_signals(&set);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* Written by rename, so that whoever sees the file sees the whole port; it is
 * of no use once the daemon has ended. */
static enum err_code write_port(const struct daemon *daemon, struct err *err)
{
	char text[16];
	int n;

	if (!daemon->config->port_file)
		return ERR_NONE;
	n = snprintf(text, sizeof(text), "%u\n", server_port(daemon->server));
	return file_write_passing(daemon->config->port_file, text, (size_t)n,
				  err);
}

/* The policy may have left it out: a load takes what was chosen. */
static enum err_code hold_default(struct model_cache *models,
				  const struct store_version *version)
{
	struct served_model *model;
	enum err_code rc = ERR_NONE;

	/* one that is parked takes what was chosen when it is loaded */
	if (model_cache_is_parked(models, version->model))
		return ERR_NONE;
	if (model_cache_find(models, version->model, version->version, &model,
			     NULL)) {
		(void)!model_cache_load(models, version->model, NULL);
		rc = model_cache_find(models, version->model, version->version,
				      &model, NULL);
	}
	if (!rc)
		served_model_unref(model);
	return rc;
}

/* What answered by choice does so again, however many newer versions have come
 * since, known to the store or not. */
static void hold_defaults(struct daemon *daemon)
{
	struct model_cache *models = server_models(daemon->server);
	struct store_version *list;
	size_t n;

	if (store_version_list(daemon->store, NULL, daemon->arena, &list, &n,
			       NULL))
		return;
	for (size_t i = 0; i < n; i++) {
		/* one that is not in the repository may come later */
		if (list[i].is_default &&
		    model_cache_set_default(models, list[i].model,
					    list[i].version,
					    NULL) != ERR_NOT_FOUND &&
		    hold_default(models, &list[i]))
			log_write(LOG_LEVEL_WARNING, "models",
				  "version %lld of '%s' was the default and "
				  "cannot be served: the newest that can "
				  "answers",
				  (long long)list[i].version, list[i].model);
	}
}

/* SIGHUP: the tokens may be others now. */
static void read_tokens(const struct daemon *daemon)
{
	const char *path = daemon->config->token_file;
	char *text = NULL;
	struct err err;
	size_t len;

	if (!path) {
		log_write(LOG_LEVEL_WARNING, "main",
			  "SIGHUP: there is no token file to read again; "
			  "restart the daemon for other options");
		return;
	}
	if (file_read_all(path, TOKENS_MAX, &text, &len, &err) ||
	    server_take_tokens(daemon->server, text, &err))
		log_write(LOG_LEVEL_ERROR, "main",
			  "SIGHUP: the tokens stay as they were: %s", err.msg);
	else
		log_write(LOG_LEVEL_INFO, "main",
			  "SIGHUP: the tokens are those of %s now; other "
			  "options are read at start only",
			  path);
	mem_free(text);
}

/* Waits for a signal to end; tells the watchdog while requests are answered. */
static void wait_for_the_end(const struct daemon *daemon)
{
	int64_t beat_ms = notify_watchdog_ms();
	sigset_t set;

	fill_signals(&set);
	for (;;) {
		const struct timespec wait = {
			.tv_sec = beat_ms ? beat_ms / 1000 : 3600,
			.tv_nsec = beat_ms % 1000 * 1000000,
		};
		int signal_number = sigtimedwait(&set, NULL, &wait);

		if (signal_number == SIGTERM || signal_number == SIGINT)
			return;
		if (signal_number == SIGHUP)
			read_tokens(daemon);
		if (beat_ms && liveness_check(daemon->config->host,
					      server_port(daemon->server)))
			notify_send("WATCHDOG=1");
	}
}

/* A second signal ends the process at once. */
static void let_signals_kill(void)
{
	sigset_t set;

	fill_signals(&set);
	(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void drain(struct daemon *daemon)
{
	const struct config *config = daemon->config;

	log_write(LOG_LEVEL_INFO, "main", "stopping: not ready, draining");
	notify_send("STOPPING=1");
	let_signals_kill();
	server_unready(daemon->server);
	if (config->drain_delay > 0)
		clock_sleep_ms((int64_t)(config->drain_delay * 1000));
	event_hub_stop(daemon->hub);
	if (!server_stop(daemon->server,
			 (int64_t)(config->drain_timeout * 1000)))
		log_write(LOG_LEVEL_WARNING, "main",
			  "some requests were not finished in time");
	supervisor_stop(daemon->supervisor);
	log_write(LOG_LEVEL_INFO, "main", "stopped");
}

enum err_code daemon_run(struct daemon *daemon, struct err *err)
{
	enum err_code rc;

	rc = server_start(daemon->server, err);
	if (rc)
		return rc;
	hold_defaults(daemon);
	rc = supervisor_start(daemon->supervisor, err);
	if (!rc)
		rc = write_port(daemon, err);
	if (rc) {
		(void)server_stop(daemon->server, 0);
		return rc;
	}
	log_write(LOG_LEVEL_INFO, "main",
		  "predictd " PREDICTD_VERSION
		  " answers at http://%s:%u with %u threads, models in %s",
		  daemon->config->host, server_port(daemon->server),
		  daemon->threads, daemon->paths.repository[0]);
	notify_send("READY=1");
	wait_for_the_end(daemon);
	drain(daemon);
	return ERR_NONE;
}
