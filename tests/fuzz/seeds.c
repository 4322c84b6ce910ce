/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/seeds.h"

#include "base/mem.h"
#include "engine/graph_text.h"

enum { SEEDS_MAX = 8192, WORDS_MAX = 256 };

/* Operators that have no cases: bodies are drawn, and of `canonical` the
 * outputs count. */
static const struct row control_rows[] = {
	{ "If",
	  25,
	  { { 0 } },
	  "c:bool[]; a:float[2,3]; b:int64[2]",
	  "y = Identity(a:float[1]); z = Identity(y)" },
	{ "If",
	  25,
	  { { 0 } },
	  "c:bool[]={1}; a:float[2,3]",
	  "y = Identity(a:float[1])" },
	{ "Loop",
	  25,
	  { { 0 } },
	  "m:int64[]={3}; c:bool[]={1}; a:float[2,3]; b:int64[2]; d:float[3]",
	  "y = Identity(a:float[1]); z = Identity(y); u = Identity(y)" },
	{ "Scan",
	  25,
	  { INT("num_scan_inputs", 1) },
	  "a:float[2]; x:float[3,2]; d:float[2]",
	  "y = Identity(a:float[1]); z = Identity(y)" },
	{ "Scan",
	  25,
	  { INT("num_scan_inputs", 2), INTS("scan_input_directions", 1, 0),
	    INTS("scan_input_axes", 0, 1) },
	  "a:float[2]; x:float[3,2]; z:float[2,3]",
	  "y = Identity(a:float[1]); z = Identity(y)" },
	{ "Scan",
	  8,
	  { INT("num_scan_inputs", 1) },
	  "n:int64[2]={3,2}; a:float[2,4]; x:float[2,3,4]",
	  "y = Identity(a:float[1]); z = Identity(y)" },
	{ "SequenceMap",
	  25,
	  { { 0 } },
	  "a:float[2,3]; b:float[2,3]; c:float[3]; s = SequenceConstruct(a, "
	  "b); return s, c",
	  "y = Identity(a:float[1])" },
	{ "ai.onnx.preview.training.Gradient",
	  1,
	  { TEXT("y", "b"), STRS("xs", { "a", 1 }) },
	  "a:float[2]; b = Mul(a, a); return a, b",
	  "y = Identity(a:float[1])" },
	{ 0 },
};

static void add_word(struct seeds *seeds, const char *word)
{
	const char **list = (const char **)(uintptr_t)seeds->words.word;
	unsigned *n = &seeds->words.n;

	for (unsigned i = 0; i < *n; i++)
		if (!strcmp(list[i], word))
			return;
	if (*n < WORDS_MAX)
		list[(*n)++] = word;
}

static void add_words(struct seeds *seeds, const struct graph_node *node)
{
	const struct op_attr *row = node->op ? node->op->attrs : NULL;

	for (; row && row->name; row++) {
		struct attr_value value;

		if (!node->attrs || !op_attr_get(row, node->attrs, &value))
			continue;
		if (row->kind == ATTR_STRING)
			add_word(seeds, value.s.bytes);
		for (size_t i = 0; i < value.strings.n; i++)
			add_word(seeds, value.strings.v[i].bytes);
	}
}

static unsigned count_outputs(const char *text)
{
	struct graph *graph = NULL;
	struct err err;
	unsigned n = 1;

	if (!graph_text_parse(text, &graph, NULL, &err))
		n = (unsigned)graph->n_output;
	graph_destroy(graph);
	return n;
}

static void add_seed(struct seeds *seeds, const struct row *row,
		     const char *text)
{
	struct seed *seed = &seeds->seed[seeds->n];
	struct graph *graph = NULL;
	struct fact *input = NULL;
	struct err err;

	/* some cases are refused as text already */
	if (seeds->n == SEEDS_MAX ||
	    graph_text_parse(text, &graph, &input, &err) != ERR_NONE)
		return;
	seed->row = row;
	seed->graph = graph;
	seed->input = input;
	seed->n_out = row ? count_outputs(row->canonical) : 0;
	seeds->n++;
	for (int32_t i = 0; i < graph->n_node; i++)
		add_words(seeds, &graph->node[i]);
	for (size_t i = 0; row && i < ATTRS_MAX && row->attr[i].name; i++)
		if (row->attr[i].value.kind == ATTR_STRING)
			add_word(seeds, row->attr[i].value.s.bytes);
}

static void add_all(struct seeds *seeds)
{
	static const struct row *const tables[] = {
		spelling_early_rows, spelling_more_rows,
		spelling_image_rows, spelling_index_rows,
		spelling_ml_rows,    spelling_quantized_rows,
		control_rows,
	};
	const struct op *op;

	for (size_t i = 0; (op = op_at(i)); i++)
		for (const struct op_case *row = op->cases; row->name; row++)
			add_seed(seeds, NULL, row->graph);
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct row *row = tables[t]; row->name; row++)
			add_seed(seeds, row, row->inputs);
}

const struct seeds *seeds_get(void)
{
	static struct seeds *made;
	struct seeds *seeds = made;

	if (seeds)
		return seeds;
	seeds = mem_zero(sizeof(*seeds));
	if (!seeds)
		return NULL;
	seeds->seed = mem_array(SEEDS_MAX, sizeof(*seeds->seed));
	seeds->words.word = mem_array(WORDS_MAX, sizeof(char *));
	if (!seeds->seed || !seeds->words.word) {
		mem_free(seeds->seed);
		mem_free((void *)(uintptr_t)seeds->words.word);
		mem_free(seeds);
		return NULL;
	}
	add_all(seeds);
	made = seeds;
	return made;
}
