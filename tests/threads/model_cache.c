/* SPDX-License-Identifier: Apache-2.0 */
/* Loads, unloads and lists while others ask: whoever finds a model gets one
 * version of it, whole, until he lets it go. */
#include "server/model_cache.h"

#include <pthread.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/doc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/graph_text.h"
#include "models/onnx.h"

enum { ASKERS = 3, ROUNDS = 12, WIDTH = 4 };

#define CHECK(condition)                                               \
	do {                                                           \
		if (!(condition)) {                                    \
			(void)fprintf(stderr, "%s:%d: %s\n", __FILE__, \
				      __LINE__, #condition);           \
			abort();                                       \
		}                                                      \
	} while (0)

struct rig {
	char dir[64];
	struct repository *repository;
	struct serving serving;
	struct model_cache *cache;
	atomic_bool must_stop;
	atomic_uint n_asked, n_missing;
};

/* y = x * VERSION */
static void put_version(struct rig *rig, int64_t version)
{
	static struct signature_port x = { .name = "x",
					   .dtype = DTYPE_F32,
					   .has_rank = true,
					   .rank = 2,
					   .dim = { { -1, "n" },
						    { WIDTH, NULL } } };
	static struct signature_port y;
	const struct model_signature signature = {
		.input = &x, .output = &y, .n_inputs = 1, .n_outputs = 1
	};
	const struct onnx_write_options options = { "0", "g" };
	char text[64], path[256];
	struct graph *graph;
	struct buf buf;
	struct err err;

	y = x;
	y.name = "y";
	(void)snprintf(text, sizeof(text), "y = Mul(x:float, %lld)",
		       (long long)version);
	CHECK(!graph_text_parse(text, &graph, NULL, &err));
	CHECK(!facts_type_graph(graph, &err));
	buf_init(&buf, 1 << 20);
	CHECK(!onnx_write(graph, &signature, &options, &buf, &err));
	(void)snprintf(path, sizeof(path), "%s/m/%lld", rig->dir,
		       (long long)version);
	CHECK(!file_make_dirs(path, &err));
	(void)snprintf(path, sizeof(path), "%s/m/%lld/model.onnx", rig->dir,
		       (long long)version);
	CHECK(!file_write_atomic(path, buf.data, buf.len, &err));
	buf_finish(&buf);
	graph_destroy(graph);
}

static void check_run(struct served_model *model, struct arena *arena)
{
	float x[2 * WIDTH];
	struct tensor_view input = { .data = x,
				     .dtype = DTYPE_F32,
				     .shape = { 2, { 2, WIDTH } } };
	struct tensor_view output = { 0 };
	struct infer_call call = { .n_inputs = 1,
				   .n_outputs = 1,
				   .input = &input,
				   .output = &output,
				   .arena = arena,
				   .deadline_ns = CLOCK_FOREVER };

	for (int i = 0; i < 2 * WIDTH; i++)
		x[i] = (float)i;
	batcher_warm(model->batcher, &call);
	CHECK(!call.rc);
	for (int i = 0; i < 2 * WIDTH; i++)
		CHECK(((float *)output.data)[i] ==
		      x[i] * (float)model->package->version);
}

static void *ask(void *arg)
{
	struct rig *rig = arg;
	struct arena *arena = arena_create(1 << 20);
	struct err err;

	CHECK(arena);
	while (!atomic_load(&rig->must_stop)) {
		struct served_model *model;
		struct model_row *rows;
		size_t n;
		enum err_code rc;

		rc = model_cache_find(rig->cache, "m", 0, &model, &err);
		if (rc) {
			CHECK(rc == ERR_NOT_READY);
			atomic_fetch_add(&rig->n_missing, 1);
		} else {
			check_run(model, arena);
			served_model_unref(model);
			atomic_fetch_add(&rig->n_asked, 1);
		}
		CHECK(!model_cache_list(rig->cache, NULL, arena, &rows, &n,
					&err));
		model_cache_list_free(rows, n);
		arena_reset(arena);
	}
	arena_destroy(arena);
	return NULL;
}

static void rig_begin(struct rig *rig)
{
	const char *dirs[1];
	const struct repository_options repository = { dirs, 1, NULL };
	struct model_cache_options options = { .serving = &rig->serving,
					       .poll_ms = 5 };
	struct err err;

	memset(rig, 0, sizeof(*rig));
	(void)snprintf(rig->dir, sizeof(rig->dir), "/tmp/cache-test-%ld",
		       (long)getpid());
	CHECK(!file_make_dirs(rig->dir, &err));
	dirs[0] = rig->dir;
	CHECK(!repository_create(&repository, &rig->repository, &err));
	CHECK(!run_pool_create(1, "run", &rig->serving.runners, &err));
	CHECK(!run_pool_create(1, "timer", &rig->serving.timer, &err));
	rig->serving.threads = 1;
	options.repository = rig->repository;
	put_version(rig, 1);
	CHECK(!model_cache_create(&options, &rig->cache, &err));
	CHECK(!model_cache_load_all(rig->cache, &err));
	CHECK(!model_cache_start(rig->cache, &err));
}

static void rig_end(struct rig *rig)
{
	struct err err;

	model_cache_stop(rig->cache);
	run_pool_destroy(rig->serving.runners);
	run_pool_destroy(rig->serving.timer);
	model_cache_destroy(rig->cache);
	repository_destroy(rig->repository);
	CHECK(!file_remove_tree(rig->dir, &err));
}

/* The poller finds a version by itself, after it was quiet for a poll. */
static void wait_for_version(struct rig *rig, int64_t version)
{
	const int64_t deadline = clock_deadline_ns(20000);
	struct served_model *model;
	struct err err;

	while (model_cache_find(rig->cache, "m", version, &model, &err)) {
		CHECK(clock_monotonic_ns() < deadline);
		clock_sleep_ms(2);
	}
	served_model_unref(model);
}

int main(void)
{
	pthread_t thread[ASKERS];
	struct rig rig;
	struct err err;

	log_init(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	doc_init();
	rig_begin(&rig);
	for (int i = 0; i < ASKERS; i++)
		CHECK(!pthread_create(&thread[i], NULL, ask, &rig));
	for (int64_t v = 2; v < ROUNDS; v++) {
		put_version(&rig, v);
		if (v % 3 == 0) {
			CHECK(!model_cache_load(rig.cache, "m", &err));
			CHECK(!model_cache_set_default(rig.cache, "m", v - 1,
						       &err));
		} else {
			wait_for_version(&rig, v);
		}
		if (v % 4 == 0) {
			CHECK(!model_cache_unload(rig.cache, "m", false, &err));
			CHECK(!model_cache_load(rig.cache, "m", &err));
		}
	}
	clock_sleep_ms(50);
	atomic_store(&rig.must_stop, true);
	for (int i = 0; i < ASKERS; i++)
		(void)pthread_join(thread[i], NULL);
	printf("%u asked, %u while unloaded\n", atomic_load(&rig.n_asked),
	       atomic_load(&rig.n_missing));
	CHECK(atomic_load(&rig.n_asked) > 0);
	rig_end(&rig);
	return 0;
}
