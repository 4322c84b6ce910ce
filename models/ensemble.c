/* SPDX-License-Identifier: Apache-2.0 */
#include "models/ensemble.h"

#include "base/arena.h"
#include "base/field.h"
#include "base/hash.h"
#include "base/str.h"
#include "engine/graph_body.h"
#include "models/package_priv.h"
#include "models/repository.h"

enum {
	STEPS_MAX = 64,
	TENSORS_MAX = 1024,
	SYMBOLS_MAX = 4096,
	VERSION_FIRST = 1
};
#define ARENA_BYTES ((size_t)64 << 20)
#define GRAPH_BYTES ((size_t)1 << 30)

/* --- what the configuration says --- */

struct step {
	const char *model;
	int64_t version; /* 0: the highest */
	const struct doc *inputs, *outputs;
};

static const struct field step_fields[] = {
	{ .name = "model",
	  .help = "of the repository",
	  .kind = FIELD_STRING,
	  .flags = FIELD_REQUIRED,
	  .offset = offsetof(struct step, model) },
	{ .name = "version",
	  .help = "0: the highest",
	  .kind = FIELD_INT,
	  .max = 1e15,
	  .offset = offsetof(struct step, version) },
	{ .name = "inputs",
	  .help = "of the model: names of the ensemble",
	  .kind = FIELD_DOC,
	  .flags = FIELD_REQUIRED,
	  .offset = offsetof(struct step, inputs) },
	{ .name = "outputs",
	  .help = "of the model: names of the ensemble",
	  .kind = FIELD_DOC,
	  .flags = FIELD_REQUIRED,
	  .offset = offsetof(struct step, outputs) },
	{ .name = NULL },
};

struct spec {
	const struct doc *steps;
	struct field_strings outputs;
	size_t n;
	struct step step[STEPS_MAX];
};

static const struct field spec_fields[] = {
	{ .name = "steps",
	  .help = "models, in an order that can run",
	  .kind = FIELD_DOC,
	  .flags = FIELD_REQUIRED,
	  .offset = offsetof(struct spec, steps) },
	{ .name = "outputs",
	  .help = "names; without them what no step reads",
	  .kind = FIELD_STRINGS,
	  .offset = offsetof(struct spec, outputs) },
	{ .name = NULL },
};

const struct doc *ensemble_of(const struct doc *config)
{
	return doc_find(config, "ensemble");
}

bool ensemble_has_step(const struct doc *ensemble, const char *model)
{
	const struct doc *steps = doc_find(ensemble, "steps");
	const struct doc *step =
	    steps && steps->kind == DOC_LIST ? steps->first : NULL;

	for (; step; step = step->next) {
		const struct doc *name = doc_find(step, "model");

		if (name && name->kind == DOC_STRING &&
		    str_equal(name->text, model))
			return true;
	}
	return false;
}

static enum err_code check_map(const struct doc *map, const char *model,
			       const char *what, struct err *err)
{
	bool good = map->kind == DOC_MAP && map->n > 0;

	for (const struct doc *row = good ? map->first : NULL; row;
	     row = row->next)
		good = good && row->kind == DOC_STRING && *row->text;
	return good ? ERR_NONE
		    : err_set(err, ERR_INVALID,
			      "config.yaml: ensemble: step '%s': %s must be a "
			      "map of its names to names of the ensemble",
			      model, what);
}

static enum err_code read_spec(const struct doc *doc, struct arena *arena,
			       struct spec *spec, struct err *err)
{
	enum err_code rc = field_read(spec_fields, doc, "config.yaml: ensemble",
				      NULL, spec, arena, err);

	if (rc)
		return rc;
	if (spec->steps->kind != DOC_LIST || !spec->steps->n ||
	    spec->steps->n > STEPS_MAX)
		return err_set(
		    err, ERR_INVALID,
		    "config.yaml: ensemble.steps: expected a list of "
		    "1 to %d steps",
		    STEPS_MAX);
	for (const struct doc *row = spec->steps->first; row && !rc;
	     row = row->next) {
		struct step *step = &spec->step[spec->n++];

		rc = field_read(step_fields, row, "config.yaml: ensemble.steps",
				NULL, step, arena, err);
		if (!rc)
			rc =
			    check_map(step->inputs, step->model, "inputs", err);
		if (!rc)
			rc = check_map(step->outputs, step->model, "outputs",
				       err);
	}
	return rc;
}

/* --- symbols: open extents that are equal have one name --- */

struct symbol {
	const char *text;
	size_t step;
	int parent; /* itself: the one that stands for all */
};

/* A tensor of the ensemble. */
struct tensor {
	const char *name;
	int32_t value;
	struct signature_port port;
	int symbol[SHAPE_MAX_RANK]; /* -1: none */
	bool is_input, is_read;
};

struct ensemble {
	struct package *package;
	struct arena *arena; /* the package's */
	struct graph *graph;
	size_t n_tensors, n_symbols;
	struct tensor tensor[TENSORS_MAX];
	struct symbol symbol[SYMBOLS_MAX];
};

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "ensemble: out of memory");
}

static int root_of(const struct ensemble *e, int i)
{
	while (e->symbol[i].parent != i)
		i = e->symbol[i].parent;
	return i;
}

static int symbol_of(struct ensemble *e, size_t step, const char *text)
{
	size_t i = 0;

	if (!text)
		return -1;
	while (i < e->n_symbols && (e->symbol[i].step != step ||
				    !str_equal(e->symbol[i].text, text)))
		i++;
	if (i == SYMBOLS_MAX)
		return -1;
	if (i == e->n_symbols) {
		e->symbol[i] = (struct symbol){ text, step, (int)i };
		e->n_symbols++;
	}
	return (int)i;
}

/* --- tensors --- */

static struct tensor *find_tensor(struct ensemble *e, const char *name)
{
	for (size_t i = 0; i < e->n_tensors; i++)
		if (str_equal(e->tensor[i].name, name))
			return &e->tensor[i];
	return NULL;
}

static struct tensor *add_tensor(struct ensemble *e, size_t step,
				 const char *name,
				 const struct signature_port *port)
{
	struct tensor *tensor = &e->tensor[e->n_tensors];

	if (e->n_tensors == TENSORS_MAX)
		return NULL;
	tensor->name = arena_strdup(e->arena, name);
	if (!tensor->name)
		return NULL;
	tensor->port = *port;
	tensor->port.name = tensor->name;
	for (unsigned d = 0; d < port->rank; d++)
		tensor->symbol[d] = symbol_of(e, step, port->dim[d].symbol);
	e->n_tensors++;
	return tensor;
}

/* What stands in the ensemble's tensor must be what the port takes; open
 * extents of the two are one. */
static enum err_code join(struct ensemble *e, struct tensor *tensor,
			  size_t step, const char *model,
			  const struct signature_port *port, struct err *err)
{
	struct signature_port *mine = &tensor->port;
	bool fits =
	    mine->dtype == port->dtype &&
	    (!mine->has_rank || !port->has_rank || mine->rank == port->rank);

	for (unsigned d = 0; fits && port->has_rank && d < mine->rank; d++) {
		const int a = tensor->symbol[d];
		const int b = symbol_of(e, step, port->dim[d].symbol);

		fits = mine->dim[d].extent < 0 || port->dim[d].extent < 0 ||
		       mine->dim[d].extent == port->dim[d].extent;
		if (mine->dim[d].extent < 0 && port->dim[d].extent >= 0)
			mine->dim[d].extent = port->dim[d].extent;
		if (a >= 0 && b >= 0)
			e->symbol[root_of(e, b)].parent = root_of(e, a);
		else if (a < 0)
			tensor->symbol[d] = b;
	}
	if (fits)
		return ERR_NONE;
	return err_set(err, ERR_INVALID,
		       "config.yaml: ensemble: '%s' is not what input '%s' of "
		       "step '%s' takes",
		       tensor->name, port->name, model);
}

static enum err_code read_input(struct ensemble *e, const struct step *step,
				size_t number,
				const struct signature_port *port,
				int32_t *ret_value, struct err *err)
{
	const struct doc *row = doc_find(step->inputs, port->name);
	struct tensor *tensor;
	enum err_code rc = ERR_NONE;

	if (!row)
		return err_set(err, ERR_INVALID,
			       "config.yaml: ensemble: step '%s' does not say "
			       "what its input '%s' is",
			       step->model, port->name);
	tensor = find_tensor(e, row->text);
	if (!tensor) { /* nobody made it: it comes from outside */
		tensor = add_tensor(e, number, row->text, port);
		if (!tensor)
			return no_memory(err);
		tensor->is_input = true;
		rc = graph_add_input(e->graph, tensor->name,
				     (struct type){ .elem = port->dtype },
				     &tensor->value, err);
	}
	if (!rc)
		rc = join(e, tensor, number, step->model, port, err);
	tensor->is_read = true;
	*ret_value = tensor->value;
	return rc;
}

static enum err_code make_output(struct ensemble *e, const struct step *step,
				 size_t number,
				 const struct signature_port *port,
				 int32_t value, struct err *err)
{
	const struct doc *row = doc_find(step->outputs, port->name);
	struct tensor *tensor;

	if (!row)
		return ERR_NONE;
	tensor = find_tensor(e, row->text);
	if (tensor)
		return err_set(err, ERR_INVALID,
			       "config.yaml: ensemble: '%s' is made by step "
			       "'%s', but %s before",
			       row->text, step->model,
			       tensor->is_input ? "read" : "made");
	tensor = add_tensor(e, number, row->text, port);
	if (!tensor)
		return no_memory(err);
	tensor->value = value;
	return ERR_NONE;
}

/* --- the graph of a step becomes a part --- */

static enum err_code copy_node(struct ensemble *e, struct arena *scratch,
			       const struct graph *from,
			       const struct graph_node *node, int32_t *map,
			       struct err *err)
{
	const size_t n = (size_t)node->n_in + (size_t)node->n_out;
	int32_t *in = arena_array(scratch, n + 1, sizeof(*in));
	int32_t *out;
	enum err_code rc;

	if (!in)
		return no_memory(err);
	out = in + node->n_in;
	for (int32_t i = 0; i < node->n_in; i++) {
		const int32_t value = graph_in(from, node)[i];

		in[i] = value == VALUE_NONE ? VALUE_NONE : map[value];
	}
	rc = graph_add_node(e->graph, node->op, node->name, node->attrs, in,
			    node->n_in, out, node->n_out, err);
	if (!rc && node->n_body)
		rc = graph_set_bodies(e->graph, node->body, node->n_captured,
				      err);
	for (int32_t i = 0; i < node->n_out && !rc; i++)
		if (graph_out(from, node)[i] != VALUE_NONE)
			map[graph_out(from, node)[i]] = out[i];
	return rc;
}

static enum err_code append(struct ensemble *e, const struct graph *from,
			    const int32_t *input, int32_t *map,
			    struct arena *scratch, struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (int32_t v = 0; v < from->n_value && !rc; v++) {
		const struct graph_value *value = &from->value[v];

		map[v] = VALUE_NONE;
		if (value->origin == ORIGIN_INPUT)
			map[v] = input[value->source];
		else if (value->origin == ORIGIN_CONST)
			rc = graph_add_constant(e->graph, NULL,
						&from->constant[value->source],
						&map[v], err);
	}
	for (int32_t i = 0; i < from->n_node && !rc; i++)
		if (from->node[i].op)
			rc = copy_node(e, scratch, from, &from->node[i], map,
				       err);
	return rc;
}

static enum err_code check_names(const struct doc *map,
				 const struct signature_port *port, unsigned n,
				 const char *model, const char *what,
				 struct err *err)
{
	for (const struct doc *row = map->first; row; row = row->next) {
		unsigned i = 0;

		while (i < n && !str_equal(port[i].name, row->key))
			i++;
		if (i == n)
			return err_set(err, ERR_INVALID,
				       "config.yaml: ensemble: model '%s' has "
				       "no %s '%.64s'",
				       model, what, row->key);
	}
	return ERR_NONE;
}

static enum err_code add_part(struct ensemble *e, const struct step *step,
			      size_t number, const struct package *member,
			      struct err *err)
{
	const struct model_signature *s = &member->signature;
	const struct graph *from = member->graph;
	struct arena *scratch = arena_create(ARENA_BYTES);
	int32_t *input, *map;
	enum err_code rc;

	if (!scratch)
		return no_memory(err);
	input = arena_array(scratch, s->n_inputs + 1, sizeof(*input));
	map = arena_array(scratch, (size_t)from->n_value + 1, sizeof(*map));
	rc = input && map ? ERR_NONE : no_memory(err);
	if (!rc)
		rc = check_names(step->inputs, s->input, s->n_inputs,
				 step->model, "input", err);
	if (!rc)
		rc = check_names(step->outputs, s->output, s->n_outputs,
				 step->model, "output", err);
	for (unsigned i = 0; i < s->n_inputs && !rc; i++)
		rc = read_input(e, step, number, &s->input[i], &input[i], err);
	if (!rc)
		rc = append(e, from, input, map, scratch, err);
	for (unsigned j = 0; j < s->n_outputs && !rc; j++)
		rc = make_output(e, step, number, &s->output[j],
				 map[from->output[j]], err);
	arena_destroy(scratch);
	return rc;
}

/* --- the signature --- */

static bool is_wanted(const struct spec *spec, const struct tensor *tensor)
{
	for (size_t i = 0; i < spec->outputs.n; i++)
		if (str_equal(spec->outputs.v[i], tensor->name))
			return true;
	return !spec->outputs.n && !tensor->is_read && !tensor->is_input;
}

static enum err_code check_outputs(struct ensemble *e, const struct spec *spec,
				   struct err *err)
{
	for (size_t i = 0; i < spec->outputs.n; i++) {
		const struct tensor *tensor =
		    find_tensor(e, spec->outputs.v[i]);

		if (!tensor || tensor->is_input)
			return err_set(err, ERR_INVALID,
				       "config.yaml: ensemble.outputs: no step "
				       "makes '%.64s'",
				       spec->outputs.v[i]);
	}
	return ERR_NONE;
}

/* The port with symbols as they stand for all steps. */
static bool put_port(struct ensemble *e, const struct tensor *tensor,
		     struct signature_port *ret)
{
	*ret = tensor->port;
	for (unsigned d = 0; d < ret->rank; d++) {
		const int symbol = tensor->symbol[d];
		const struct symbol *root;

		ret->dim[d].symbol = NULL;
		if (symbol < 0 || ret->dim[d].extent >= 0)
			continue;
		root = &e->symbol[root_of(e, symbol)];
		ret->dim[d].symbol =
		    arena_printf(e->arena, "%s_%zu", root->text, root->step);
		if (!ret->dim[d].symbol)
			return false;
	}
	return true;
}

static enum err_code make_signature(struct ensemble *e, const struct spec *spec,
				    struct err *err)
{
	struct model_signature *s = &e->package->signature;
	enum err_code rc = check_outputs(e, spec, err);

	s->input = arena_array(e->arena, e->n_tensors + 1, sizeof(*s->input));
	s->output = arena_array(e->arena, e->n_tensors + 1, sizeof(*s->output));
	if (!s->input || !s->output)
		return no_memory(err);
	for (size_t i = 0; i < e->n_tensors && !rc; i++) {
		const struct tensor *tensor = &e->tensor[i];

		if (tensor->is_input &&
		    !put_port(e, tensor, &s->input[s->n_inputs++]))
			rc = no_memory(err);
		if (rc || tensor->is_input || !is_wanted(spec, tensor))
			continue;
		rc = put_port(e, tensor, &s->output[s->n_outputs++])
			 ? graph_add_output(e->graph, tensor->value, err)
			 : no_memory(err);
	}
	if (!rc && !s->n_outputs)
		rc = err_set(err, ERR_INVALID,
			     "config.yaml: ensemble: every name is read by a "
			     "step, and 'outputs' says none");
	s->may_batch = signature_may_batch(s);
	return rc ? rc : graph_tidy(e->graph, err);
}

/* --- the whole --- */

static enum err_code compose(struct repository *repository, struct ensemble *e,
			     const struct spec *spec, struct err *err)
{
	enum err_code rc = graph_create(GRAPH_BYTES, &e->package->graph, err);

	e->graph = e->package->graph;
	for (size_t i = 0; i < spec->n && !rc; i++) {
		struct package *member;

		rc = repository_load(repository, spec->step[i].model,
				     spec->step[i].version, &member, err);
		if (rc)
			break;
		rc = package_hold(e->package, member, err);
		if (rc)
			break; /* the member is gone */
		e->package->bytes += member->bytes;
		rc = add_part(e, &spec->step[i], i, member, err);
	}
	if (!rc)
		rc = make_signature(e, spec, err);
	if (!rc)
		rc = facts_type_graph(e->graph, err);
	if (!rc)
		package_finish(e->package);
	return rc;
}

enum err_code ensemble_load(struct repository *repository, const char *name,
			    const struct doc *doc, struct package **ret_package,
			    struct err *err)
{
	struct arena *arena = arena_create(ARENA_BYTES);
	struct ensemble *e = NULL;
	struct spec *spec = NULL;
	enum err_code rc;

	if (arena) {
		e = arena_alloc(arena, sizeof(*e));
		spec = arena_alloc(arena, sizeof(*spec));
	}
	rc = e && spec ? read_spec(doc, arena, spec, err) : no_memory(err);
	if (!rc)
		rc = package_create(name, VERSION_FIRST,
				    repository_packs(repository), &e->package,
				    &e->arena, err);
	if (!rc)
		rc = compose(repository, e, spec, err);
	if (rc && e)
		package_unref(e->package);
	else if (!rc)
		*ret_package = e->package;
	arena_destroy(arena);
	return rc ? err_prefix(err, "model '%s'", name) : ERR_NONE;
}

enum err_code ensemble_stamp(struct repository *repository,
			     const struct doc *doc, uint64_t *ret_stamp,
			     struct err *err)
{
	struct arena *arena = arena_create(ARENA_BYTES);
	struct spec *spec = arena ? arena_alloc(arena, sizeof(*spec)) : NULL;
	uint64_t stamp = HASH_BEGIN;
	enum err_code rc =
	    spec ? read_spec(doc, arena, spec, err) : no_memory(err);

	for (size_t i = 0; !rc && i < spec->n; i++) {
		int64_t version = spec->step[i].version;
		uint64_t one = 0;

		if (!version)
			rc = repository_highest(repository, spec->step[i].model,
						&version, err);
		if (!rc)
			rc = repository_stamp(repository, spec->step[i].model,
					      version, &one, err);
		stamp = hash_mix(stamp, &one, sizeof(one));
		stamp = hash_mix(stamp, &version, sizeof(version));
	}
	arena_destroy(arena);
	if (!rc)
		*ret_stamp = stamp;
	return rc;
}
