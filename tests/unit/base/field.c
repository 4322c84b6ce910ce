/* SPDX-License-Identifier: Apache-2.0 */
#include "base/field.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "base/str.h"

struct options {
	bool shuffle;
	int64_t epochs, memory, cache;
	double rate, patience, momentum;
	const char *name, *note;
	int optimizer;
	struct field_ints sizes;
	struct field_doubles betas;
	struct field_strings tags;
	const struct doc *extra;
};

static const char *const optimizers[] = { "sgd", "adam", "adamw", NULL };

#define AT(member) .offset = offsetof(struct options, member)
/* clang-format off */
static const struct field table[] = {
	{ "shuffle", "", AT(shuffle), .kind = FIELD_BOOL, .def = 1 },
	{ "epochs", "", AT(epochs), .kind = FIELD_INT, .min = 1, .max = 1000000, .def = 10 },
	{ "memory", "", AT(memory), .kind = FIELD_BYTES, .min = 1024, .max = 1e12, .def = 0x1p30 },
	{ "rate", "", AT(rate), .kind = FIELD_DOUBLE, .max = INFINITY, .def = 0.1 },
	{ "patience", "", AT(patience), .kind = FIELD_SECONDS, .def = 60 },
	{ "momentum", "", AT(momentum), .kind = FIELD_DOUBLE, .max = 1 },
	{ "name", "what it is called", AT(name), .kind = FIELD_STRING, .flags = FIELD_REQUIRED },
	{ "note", "", AT(note), .kind = FIELD_STRING, .def_text = "none" },
	{ "optimizer", "", AT(optimizer), .kind = FIELD_ENUM, .def = 1, .names = optimizers },
	{ "sizes", "", AT(sizes), .kind = FIELD_INTS, .min = 1, .max = 100 },
	{ "betas", "", AT(betas), .kind = FIELD_DOUBLES },
	{ "tags", "", AT(tags), .kind = FIELD_STRINGS },
	{ "cache", "", AT(cache), .kind = FIELD_BYTES, .flags = FIELD_HIDDEN },
	{ "extra", "", AT(extra), .kind = FIELD_DOC, .flags = FIELD_HIDDEN },
	{ 0 },
};
/* clang-format on */

static struct arena *arena;
static struct options options;
static struct err err;

static void set_up(void)
{
	arena = arena_create(1 << 20);
}

static void tear_down(void)
{
	arena_destroy(arena);
}

TestSuite(field, .init = set_up, .fini = tear_down);

static enum err_code read(const char *yaml, const char *const *also)
{
	struct doc *doc;

	cr_assert_eq(doc_parse_yaml(yaml, strlen(yaml), "x", arena, &doc, &err),
		     ERR_NONE, "%s", err.msg);
	return field_read(table, doc, "trainer", also, &options, arena, &err);
}

Test(field, fills_in_the_defaults)
{
	cr_assert_eq(read("name: n", NULL), ERR_NONE);
	cr_assert(options.shuffle);
	cr_assert_eq(options.epochs, 10);
	cr_assert_eq(options.memory, 1 << 30);
	cr_assert(options.rate == 0.1 && options.patience == 60);
	cr_assert_str_eq(options.note, "none");
	cr_assert_eq(options.optimizer, 1);
	cr_assert_eq(options.sizes.n, 0);
	cr_assert_null(options.extra);
}

Test(field, reads_every_kind)
{
	cr_assert_eq(read("shuffle: false\nepochs: 1e3\nmemory: 64 MB\n"
			  "rate: 3\npatience: 1.5h\nname: x\nnote: y\n"
			  "optimizer: adamw\nsizes: [1, 100]\nbetas: [0.9, 1]\n"
			  "tags: [a, b]\nextra: {k: 1}\n",
			  NULL),
		     ERR_NONE, "%s", err.msg);
	cr_assert(!options.shuffle);
	cr_assert_eq(options.epochs, 1000);
	cr_assert_eq(options.memory, 64000000);
	cr_assert(options.rate == 3 && options.patience == 5400);
	cr_assert_str_eq(options.name, "x");
	cr_assert_eq(options.optimizer, 2);
	cr_assert_eq(options.sizes.n, 2);
	cr_assert_eq(options.sizes.v[1], 100);
	cr_assert(options.betas.n == 2 && options.betas.v[0] == 0.9);
	cr_assert_str_eq(options.tags.v[1], "b");
	cr_assert_eq(doc_find(options.extra, "k")->integer, 1);
}

Test(field, one_value_is_a_list_of_one)
{
	cr_assert_eq(read("name: x\nsizes: 7\nbetas: 0.5\ntags: t\n", NULL),
		     ERR_NONE);
	cr_assert(options.sizes.n == 1 && options.sizes.v[0] == 7);
	cr_assert(options.betas.n == 1 && options.betas.v[0] == 0.5);
	cr_assert_eq(options.tags.n, 1);
	cr_assert_eq(read("name: x\nsizes: []\n", NULL), ERR_NONE);
	cr_assert_eq(options.sizes.n, 0);
}

Test(field, null_is_the_default)
{
	cr_assert_eq(read("name: x\nepochs: ~\nsizes:\n", NULL), ERR_NONE);
	cr_assert_eq(options.epochs, 10);
	cr_assert_eq(
	    field_read(table + 7, NULL, "t", NULL, &options, arena, &err),
	    ERR_NONE);
	cr_assert_eq(field_read(table + 7, doc_new(arena, DOC_NULL), "t", NULL,
				&options, arena, &err),
		     ERR_NONE);
}

static const struct {
	const char *yaml, *message;
} refusals[] = {
	{ "name: n\nmomentun: 1", "trainer: unknown key 'momentun', did you "
				  "mean 'momentum'? (line 2)" },
	{ "extras: 1",
	  "trainer: unknown key 'extras'; known are 'shuffle', 'epochs', "
	  "'memory', 'rate', 'patience', 'momentum', 'name', 'note', "
	  "'optimizer', 'sizes', 'betas', 'tags' (line 1)" },
	{ "name: n\nepochs: x",
	  "trainer.epochs: expected a whole number from 1 to 1000000, got the "
	  "text 'x' (line 2)" },
	{ "epochs: 0", "trainer.epochs: expected a whole number from 1 to "
		       "1000000, got the number 0 (line 1)" },
	{ "epochs: 1.5", "trainer.epochs: expected a whole number from 1 to "
			 "1000000, got the number 1.5 (line 1)" },
	{ "rate: -1", "trainer.rate: expected a number of at least 0, got the "
		      "number -1 (line 1)" },
	{ "shuffle: yes",
	  "trainer.shuffle: expected true or false, got the text 'yes' (line "
	  "1)" },
	{ "note: 7",
	  "trainer.note: expected a text, got the number 7 (line 1)" },
	{ "optimizer: adma",
	  "trainer.optimizer: expected one of 'sgd', 'adam', 'adamw', got the "
	  "text 'adma', did you mean 'adam'? (line 1)" },
	{ "optimizer: [sgd]",
	  "trainer.optimizer: expected one of 'sgd', 'adam', 'adamw', got a "
	  "list (line 1)" },
	{ "sizes: [1, 101]",
	  "trainer.sizes[1]: expected a whole number from 1 to 100, got the "
	  "number 101 (line 1)" },
	{ "sizes: {a: 1}",
	  "trainer.sizes: expected a whole number from 1 to 100, got a map "
	  "(line 1)" },
	{ "memory: 1 parsec",
	  "trainer.memory: expected a size such as 64MiB from 1024 to "
	  "1000000000000, got the text '1 parsec' (line 1)" },
	{ "memory: -5k", "trainer.memory: expected a size such as 64MiB from "
			 "1024 to 1000000000000, got the text '-5k' (line 1)" },
	{ "memory: 1000000GB",
	  "trainer.memory: expected a size such as 64MiB from 1024 to "
	  "1000000000000, got the text '1000000GB' (line 1)" },
	{ "cache: -5", "trainer.cache: expected a size such as 64MiB, got the "
		       "number -5 (line 1)" },
	{ "patience: -3", "trainer.patience: expected a time such as 90, 30m "
			  "or 1.5h, got the number -3 (line 1)" },
	{ "epochs: 3", "trainer: 'name' is missing (what it is called)" },
	{ "name: ~", "trainer: 'name' is missing (what it is called)" },
	{ "[1]", "trainer: expected a map, got a list (line 1)" },
};

Test(field, refuses_and_says_what_was_expected)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		cr_assert_eq(read(refusals[i].yaml, NULL), ERR_INVALID, "%s",
			     refusals[i].yaml);
		cr_assert_str_eq(err.msg, refusals[i].message);
	}
}

Test(field, at_the_root_a_path_is_the_key)
{
	struct doc *map = doc_new(arena, DOC_MAP);

	doc_add(map, "epochs", doc_new_text(arena, "x"));
	cr_assert(field_read(table, map, "", NULL, &options, arena, &err));
	cr_assert(str_starts_with(err.msg, "epochs: expected"), "%s", err.msg);
	cr_assert(str_ends_with(err.msg, "'x'"), "a JSON value has no line");
	map->first->key = "epoch";
	cr_assert(field_read(table, map, "", NULL, &options, arena, &err));
	cr_assert_str_eq(err.msg,
			 "unknown key 'epoch', did you mean 'epochs'?");
}

Test(field, lets_other_keys_pass_when_told)
{
	static const char *const also[] = { "type", "inputs", NULL };

	cr_assert_eq(read("name: x\ntype: linear\n", also), ERR_NONE);
	cr_assert_eq(read("name: x\ninput: linear\n", also), ERR_INVALID);
	cr_assert_str_eq(err.msg, "trainer: unknown key 'input', did you mean "
				  "'inputs'? (line 2)");
}

static const struct {
	const char *text;
	double value;
} bytes[] = {
	{ "1024", 1024 },     { "2k", 2000 },	    { "2Ki", 2048 },
	{ "2KiB", 2048 },     { "3mb", 3e6 },	    { "1.5GiB", 0x1.8p30 },
	{ "64 MB", 64e6 },    { "1T", 1e12 },	    { "512Mi", 0x1p29 },
	{ "2GiB", 0x1p31 },   { "1000000 B", 1e6 },
}, seconds[] = {
	{ "90", 90 },	   { "90s", 90 }, { "30m", 1800 },   { "1.5h", 5400 },
	{ "500ms", 0.5 }, { "2d", 172800 }, { "3 min", 180 },
};

Test(field, reads_sizes_and_times_with_units)
{
	char yaml[64];

	for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		(void)snprintf(yaml, sizeof(yaml), "name: x\nmemory: '%s'",
			       bytes[i].text);
		cr_assert_eq(read(yaml, NULL), ERR_NONE, "%s", err.msg);
		cr_assert_eq(options.memory, (int64_t)bytes[i].value, "%s",
			     yaml);
	}
	for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
		(void)snprintf(yaml, sizeof(yaml), "name: x\npatience: '%s'",
			       seconds[i].text);
		cr_assert_eq(read(yaml, NULL), ERR_NONE, "%s", err.msg);
		cr_assert(options.patience == seconds[i].value, "%s", yaml);
	}
}

Test(field, writes_what_reads_back)
{
	struct json_writer writer;
	struct buf buf;

	cr_assert_eq(read("name: x\nepochs: 3\nsizes: [4, 5]\ntags: t\n"
			  "extra: [1]\nmemory: 2KiB\npatience: 1m\n"
			  "betas: 0.5\n",
			  NULL),
		     ERR_NONE);
	buf_init(&buf, 10000);
	json_write_init(&writer, &buf);
	json_write_object(&writer, NULL);
	field_write(table, &options, &writer);
	json_write_object_end(&writer);
	cr_assert_str_eq(
	    buf.data,
	    "{\"shuffle\":true,\"epochs\":3,\"memory\":2048,"
	    "\"rate\":0.1,\"patience\":60,\"momentum\":0,"
	    "\"name\":\"x\",\"note\":\"none\","
	    "\"optimizer\":\"adam\",\"sizes\":[4,5],"
	    "\"betas\":[0.5],\"tags\":[\"t\"],\"cache\":0,\"extra\":[1]}");
	cr_assert_eq(read(buf.data, NULL), ERR_NONE, "%s", err.msg);
	buf_finish(&buf);
}

Test(field, finds_the_nearest_name)
{
	static const char *const names[] = { "learning_rate", "momentum",
					     "weight_decay", "lr", NULL };

	cr_assert_str_eq(field_nearest("lerning_rate", names), "learning_rate");
	cr_assert_str_eq(field_nearest("Learning-Rate", names),
			 "learning_rate");
	cr_assert_str_eq(field_nearest("momnetum", names), "momentum");
	cr_assert_str_eq(field_nearest("rl", names), "lr");
	cr_assert_str_eq(field_nearest("mome", names), "momentum");
	cr_assert_str_eq(field_nearest("my_learning_rate_of", names),
			 "learning_rate");
	cr_assert_null(field_nearest("epochs", names));
	cr_assert_null(field_nearest("", names));
	cr_assert_null(field_nearest("x", names));
	cr_assert_null(field_nearest(
	    "a name that is far longer than any key of any table could be, "
	    "to be honest",
	    names));
}

Test(field, survives_an_arena_that_is_full)
{
	const char *yaml = "name: x\nsizes: [1, 2, 300]\n";
	struct doc *doc;

	cr_assert_eq(doc_parse_yaml(yaml, strlen(yaml), "x", arena, &doc, NULL),
		     ERR_NONE);
	for (size_t max = 0; max < 2000; max += 16) {
		struct arena *small = arena_create(max);
		enum err_code rc;

		rc = field_read(table, doc, "t", NULL, &options, small, &err);
		cr_assert(rc == ERR_NO_MEMORY || rc == ERR_INVALID);
		cr_assert(*err.msg);
		arena_destroy(small);
	}
}
