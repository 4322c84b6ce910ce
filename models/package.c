/* SPDX-License-Identifier: Apache-2.0 */
#include "models/package.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/doc.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/pipeline.h"
#include "engine/pack.h"
#include "engine/passes/pass.h"
#include "models/network.h"
#include "models/onnx.h"
#include "models/package_priv.h"

enum { ABOUT_MAX = 16 << 20 };
#define ARENA_MAX ((size_t)256 << 20)

static const char *const model_file = "model.onnx";
static const char *const about_file = "model.yaml";

/* What the callers see comes first. */
struct loaded {
	struct package package;
	atomic_uint references;
	struct arena *arena;
	struct package **member; /* whose constants the graph reads */
	size_t n_members;
};

struct package *package_ref(struct package *package)
{
	struct loaded *loaded = (struct loaded *)package;

	atomic_fetch_add_explicit(&loaded->references, 1, memory_order_relaxed);
	return package;
}

/* NOLINTNEXTLINE(misc-no-recursion): a member has no members */
void package_unref(struct package *package)
{
	struct loaded *loaded = (struct loaded *)package;

	if (!loaded || atomic_fetch_sub_explicit(&loaded->references, 1,
						 memory_order_acq_rel) != 1)
		return;
	pipeline_destroy(package->pipeline);
	graph_destroy(package->graph);
	packs_destroy(package->packs);
	for (size_t i = 0; i < loaded->n_members; i++)
		package_unref(loaded->member[i]); /* these have none */
	mem_free(loaded->member);
	arena_destroy(loaded->arena);
	mem_free(loaded);
}

/* NULL: out of memory. */
static struct loaded *create(const char *name, int64_t version)
{
	struct loaded *loaded = mem_zero(sizeof(*loaded));

	if (!loaded)
		return NULL;
	atomic_init(&loaded->references, 1);
	loaded->arena = arena_create(ARENA_MAX);
	if (loaded->arena)
		loaded->package.name = arena_strdup(loaded->arena, name);
	loaded->package.version = version;
	if (!loaded->package.name) {
		package_unref(&loaded->package);
		return NULL;
	}
	return loaded;
}

static enum err_code no_memory(const char *name, struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "model '%s': out of memory", name);
}

enum err_code package_create(const char *name, int64_t version,
			     struct pack_store *store,
			     struct package **ret_package,
			     struct arena **ret_arena, struct err *err)
{
	struct loaded *loaded = create(name, version);
	enum err_code rc;

	if (!loaded)
		return no_memory(name, err);
	rc = packs_create(store, &loaded->package.packs, err);
	if (rc) {
		package_unref(&loaded->package);
		return rc;
	}
	*ret_package = &loaded->package;
	*ret_arena = loaded->arena;
	return ERR_NONE;
}

enum err_code package_hold(struct package *package, struct package *member,
			   struct err *err)
{
	struct loaded *loaded = (struct loaded *)package;
	struct package **grown =
	    mem_resize(loaded->member, loaded->n_members + 1, sizeof(void *));

	if (!grown) {
		package_unref(member);
		return no_memory(package->name, err);
	}
	loaded->member = grown;
	loaded->member[loaded->n_members++] = member;
	return ERR_NONE;
}

/* --- the graph --- */

/* The bytes are copied into the graph, so that a file which somebody cuts
 * short later cannot take the process with it. */
static enum err_code read_graph(struct loaded *loaded, const char *file,
				const struct file_map *map,
				const struct file_root *folder, struct err *err)
{
	struct package *package = &loaded->package;
	const struct onnx_options options = { .folder = folder,
					      .copy = true,
					      .is_map = true,
					      .packs = package->packs };
	enum err_code rc;

	rc = onnx_read(map->data, map->len, file, &options, &package->graph,
		       &package->signature, err);
	if (!rc)
		package->bytes = map->len;
	return rc;
}

static enum err_code
load_graph(struct loaded *loaded, const struct file_root *folder,
	   const char *file, const struct manifest *manifest, struct err *err)
{
	struct file_map map = { 0 };
	int fd;
	enum err_code rc;

	rc = file_root_openat(folder, file, 0, &fd, err);
	if (rc)
		return rc;
	rc = file_map_fd(fd, file, &map, err);
	(void)close(fd);
	if (!rc)
		rc = manifest_check(manifest, file, map.data, map.len, err);
	if (!rc)
		rc = read_graph(loaded, file, &map, folder, err);
	file_map_close(&map);
	return rc;
}

/* --- model.yaml --- */

static enum err_code load_about(struct loaded *loaded,
				const struct file_root *folder,
				const struct manifest *manifest,
				struct err *err)
{
	struct doc *doc;
	char *text = NULL;
	size_t len;
	int fd;
	enum err_code rc;

	rc = file_root_openat(folder, about_file, 0, &fd, err);
	if (rc == ERR_NOT_FOUND)
		return ERR_NONE;
	if (rc)
		return rc;
	rc = file_read_fd(fd, about_file, ABOUT_MAX, &text, &len, err);
	(void)close(fd);
	if (!rc)
		rc = manifest_check(manifest, about_file, text, len, err);
	/* what a job leaves there is JSON, whose strings may have what YAML
	 * takes for a control character */
	if (!rc &&
	    doc_parse_json(text, len, about_file, loaded->arena, &doc, NULL))
		rc = doc_parse_yaml(text, len, about_file, loaded->arena, &doc,
				    err);
	if (!rc && doc->kind != DOC_MAP)
		rc = err_set(err, ERR_FORMAT, "%s: it must be a map",
			     about_file);
	mem_free(text);
	if (rc)
		return rc;
	loaded->package.about = doc;
	loaded->package.bytes += len;
	return ERR_NONE;
}

static const struct signature_port *find_port(const struct signature_port *port,
					      unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++) {
		if (str_equal(port[i].name, name))
			return &port[i];
	}
	return NULL;
}

/* Elements of a row; -1 where the model leaves some extent open. */
static int64_t row_count(const struct signature_port *port)
{
	int64_t count = 1;

	if (!port->has_rank || !port->rank)
		return -1;
	for (unsigned d = 1; d < port->rank; d++) {
		if (port->dim[d].extent < 0 ||
		    port->dim[d].extent > SHAPE_MAX_EXTENT ||
		    __builtin_mul_overflow(count, port->dim[d].extent, &count))
			return -1;
	}
	return count;
}

static enum err_code check_input(const struct package *package, unsigned i,
				 struct err *err)
{
	const char *name = pipeline_input_name(package->pipeline, i);
	const struct signature_port *port = find_port(
	    package->signature.input, package->signature.n_inputs, name);
	struct shape row;
	enum dtype dtype;
	char text[128];

	if (!port)
		return err_set(err, ERR_INVALID,
			       "%s: the model has no input for the feature "
			       "'%s'",
			       about_file, name);
	pipeline_input_row(package->pipeline, i, &dtype, &row);
	if (dtype != port->dtype || shape_count(&row) == 0 ||
	    (row_count(port) >= 0 && row_count(port) != shape_count(&row)))
		return err_set(err, ERR_INVALID,
			       "%s: the feature '%s' gives %s of %s a row, "
			       "which the model's input does not take",
			       about_file, name,
			       shape_text(&row, text, sizeof(text)),
			       dtype_info(dtype)->name);
	return ERR_NONE;
}

/* A language model's state is an input and output more than the features'. */
static void find_state(struct package *package)
{
	const struct model_signature *s = &package->signature;
	const struct signature_port *in, *out;

	in = find_port(s->input, s->n_inputs, NETWORK_STATE_INPUT);
	out = find_port(s->output, s->n_outputs, NETWORK_STATE_OUTPUT);
	if (!in || !out || s->n_inputs != 2 || s->n_outputs != 2 ||
	    !pipeline_is_language(package->pipeline) || !in->has_rank ||
	    in->rank != 3 || in->dtype != DTYPE_F32 ||
	    out->dtype != DTYPE_F32 || in->dim[1].extent < 1 ||
	    in->dim[2].extent < 1 || row_count(in) > SHAPE_MAX_EXTENT)
		return;
	package->has_state = true;
	package->state_in = (unsigned)(in - s->input);
	package->state_out = (unsigned)(out - s->output);
}

/* Its other output has a number for each token. */
static enum err_code check_tokens(const struct package *package,
				  struct err *err)
{
	const struct signature_port *port =
	    &package->signature.output[!package->state_out];
	enum dtype dtype;
	struct shape row;
	int64_t width;

	pipeline_target_row(package->pipeline, 0, &dtype, &row, &width);
	if (port->dtype == DTYPE_F32 && port->has_rank && port->rank == 3 &&
	    port->dim[2].extent == width)
		return ERR_NONE;
	return err_set(err, ERR_INVALID,
		       "%s: the model's output '%s' does not give a number for "
		       "each of %lld tokens",
		       about_file, port->name, (long long)width);
}

/* Fitted features and network must be of one piece. */
static enum err_code load_pipeline(struct package *package, struct err *err)
{
	const struct doc *in = doc_find(package->about, "input_features");
	const struct doc *out = doc_find(package->about, "output_features");
	enum err_code rc;

	if (!in && !out)
		return ERR_NONE;
	rc = pipeline_create(in, out, &package->pipeline, err);
	if (rc)
		return err_prefix(err, "%s", about_file);
	find_state(package);
	if (pipeline_n_inputs(package->pipeline) + package->has_state !=
		package->signature.n_inputs ||
	    pipeline_n_outputs(package->pipeline) + package->has_state !=
		package->signature.n_outputs)
		return err_set(err, ERR_INVALID,
			       "%s: %u input and %u output features; the model "
			       "has %u inputs and %u outputs",
			       about_file, pipeline_n_inputs(package->pipeline),
			       pipeline_n_outputs(package->pipeline),
			       package->signature.n_inputs,
			       package->signature.n_outputs);
	for (unsigned i = 0; i < pipeline_n_inputs(package->pipeline) && !rc;
	     i++)
		rc = check_input(package, i, err);
	if (!rc && package->has_state)
		rc = check_tokens(package, err);
	return rc;
}

/* --- the whole --- */

void package_finish(struct package *package)
{
	package->batches =
	    package->signature.may_batch && package_check_batch(package);
}

static enum err_code load_folder(struct loaded *loaded,
				 const struct file_root *folder,
				 struct err *err)
{
	static const char *const done[] = { "model.onnx", "model.yaml", NULL };
	struct package *package = &loaded->package;
	struct manifest manifest;
	size_t bytes;
	enum err_code rc;

	rc = manifest_read(folder, loaded->arena, &manifest, err);
	if (!rc)
		rc = load_graph(loaded, folder, model_file, &manifest, err);
	if (!rc)
		rc = load_about(loaded, folder, &manifest, err);
	if (!rc)
		rc = manifest_check_rest(&manifest, folder, done, &bytes, err);
	if (!rc && package->about)
		rc = load_pipeline(package, err);
	if (rc)
		return rc;
	if (manifest.is_there)
		package->bytes = bytes;
	package_finish(package);
	return ERR_NONE;
}

enum err_code package_load(const struct package_source *source,
			   struct package **ret_package, struct err *err)
{
	struct file_root *folder = NULL;
	struct loaded *loaded = create(source->name, source->version);
	enum err_code rc;

	if (!loaded)
		return no_memory(source->name, err);
	rc = packs_create(source->packs, &loaded->package.packs, err);
	if (!rc)
		rc = file_root_enter(source->root, source->path, &folder, err);
	if (!rc)
		rc = load_folder(loaded, folder, err);
	file_root_close(folder);
	if (rc) {
		package_unref(&loaded->package);
		return err_prefix(err, "model '%s' version %lld", source->name,
				  (long long)source->version);
	}
	*ret_package = &loaded->package;
	return ERR_NONE;
}

enum err_code package_load_file(const char *path, struct package **ret_package,
				struct err *err)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	const struct manifest none = { 0 };
	struct file_root *folder = NULL;
	struct loaded *loaded = create(name, 1);
	char *dir;
	enum err_code rc;

	if (!loaded)
		return no_memory(name, err);
	dir = slash ? mem_printf("%.*s", (int)(slash - path + 1), path)
		    : mem_strdup(".");
	rc = packs_create(NULL, &loaded->package.packs, err);
	if (!rc)
		rc = dir ? file_root_open(dir, &folder, err)
			 : no_memory(name, err);
	if (!rc)
		rc = load_graph(loaded, folder, name, &none, err);
	file_root_close(folder);
	mem_free(dir);
	if (rc) {
		package_unref(&loaded->package);
		return rc;
	}
	package_finish(&loaded->package);
	*ret_package = &loaded->package;
	return ERR_NONE;
}

enum err_code package_prepare(struct package *package,
			      struct pass_switch passes, struct err *err)
{
	const struct model_signature *signature = &package->signature;
	int *rank = mem_array((size_t)signature->n_inputs + 1, sizeof(*rank));
	enum err_code rc;

	for (unsigned i = 0; rank && i < signature->n_inputs; i++)
		rank[i] = signature->input[i].has_rank
			      ? (int)signature->input[i].rank
			      : RANK_ANY;
	rc = rank ? passes_load(package->graph, rank, passes, err)
		  : no_memory(package->name, err);
	mem_free(rank);
	if (!rc)
		rc = package_settle_constants(package, err);
	return rc ? err_prefix(err, "model '%s'", package->name) : ERR_NONE;
}
