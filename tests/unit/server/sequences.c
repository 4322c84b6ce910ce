/* SPDX-License-Identifier: Apache-2.0 */
#include "server/sequences.h"

#include <criterion/criterion.h>

#include "base/clock.h"
#include "base/doc.h"

static struct signature_port inputs[] = {
	{ .name = "x",
	  .dtype = DTYPE_F32,
	  .has_rank = true,
	  .rank = 1,
	  .dim = { { 2, NULL } } },
	{ .name = "s",
	  .dtype = DTYPE_F32,
	  .has_rank = true,
	  .rank = 1,
	  .dim = { { 2, NULL } } },
};
static struct signature_port outputs[] = {
	{ .name = "y",
	  .dtype = DTYPE_I64,
	  .has_rank = true,
	  .rank = 1,
	  .dim = { { 2, NULL } } },
	{ .name = "t",
	  .dtype = DTYPE_F32,
	  .has_rank = true,
	  .rank = 1,
	  .dim = { { 2, NULL } } },
};
static const struct model_signature signature = {
	.input = inputs, .output = outputs, .n_inputs = 2, .n_outputs = 2
};

static struct sequences *create(const char *yaml, struct err *err)
{
	struct arena *arena = arena_create(1 << 20);
	struct sequences *sequences = NULL;
	struct doc *doc = NULL;

	doc_init();
	cr_assert_eq(
	    doc_parse_yaml(yaml, strlen(yaml), "config.yaml", arena, &doc, err),
	    ERR_NONE);
	if (sequences_create(&signature, doc, "m", &sequences, err))
		sequences = NULL;
	arena_destroy(arena);
	return sequences;
}

static struct str id(const char *text)
{
	return (struct str){ text, strlen(text) };
}

Test(sequences, keep_their_state_until_they_end)
{
	struct err err;
	struct sequences *s = create("state: {s: t}", &err);
	float one[2] = { 1, 2 };
	const struct tensor_view view = { one, DTYPE_F32, { 1, { 2 } } };
	struct sequence *a, *b;

	cr_assert_not_null(s, "%s", err.msg);
	cr_assert_eq(sequences_enter(s, id("a"), true, &a, &err), ERR_NONE);
	cr_assert_null(sequence_state(a, 0)->data);
	/* one request at a time */
	cr_assert_eq(sequences_enter(s, id("a"), false, &b, &err),
		     ERR_CONFLICT);
	cr_assert_eq(sequence_keep(a, 0, &view, &err), ERR_NONE);
	one[0] = 9;
	sequences_leave(s, a, false);
	cr_assert_eq(sequences_enter(s, id("b"), false, &b, &err), ERR_INVALID);
	cr_assert(strstr(err.msg, "sequence 'b' was not started"), "%s",
		  err.msg);
	cr_assert_eq(sequences_enter(s, id("a"), false, &a, &err), ERR_NONE);
	cr_assert_eq(((const float *)sequence_state(a, 0)->data)[0], 1);
	sequences_leave(s, a, true);
	cr_assert_eq(sequences_count(s), 0U);
	cr_assert_eq(sequences_enter(s, id("a"), false, &a, &err), ERR_INVALID);
	sequences_unref(s);
}

Test(sequences, are_bounded_in_number_and_in_time)
{
	struct err err;
	struct sequences *s =
	    create("{state: {s: t}, max: 2, idle_timeout: 0.02s}", &err);
	struct sequence *a, *b, *c;

	cr_assert_not_null(s, "%s", err.msg);
	cr_assert_eq(sequences_enter(s, id("a"), true, &a, &err), ERR_NONE);
	cr_assert_eq(sequences_enter(s, id("b"), true, &b, &err), ERR_NONE);
	cr_assert_eq(sequences_enter(s, id("c"), true, &c, &err), ERR_BUSY);
	sequences_leave(s, b, false);
	sequences_leave(s, a, false);
	clock_sleep_ms(30);
	cr_assert_eq(sequences_enter(s, id("c"), true, &c, &err), ERR_NONE);
	cr_assert_eq(sequences_count(s), 1U);
	/* one that is under way is not idle */
	clock_sleep_ms(30);
	cr_assert_eq(sequences_count(s), 1U);
	sequences_leave(s, c, false);
	sequences_unref(s);
}

Test(sequences, a_start_begins_anew)
{
	struct err err;
	struct sequences *s = create("state: {s: t}", &err);
	float one[2] = { 1, 2 };
	const struct tensor_view view = { one, DTYPE_F32, { 1, { 2 } } };
	struct sequence *a;

	for (int i = 0; i < 3; i++) {
		cr_assert_eq(sequences_enter(s, id("a"), true, &a, &err),
			     ERR_NONE);
		cr_assert_null(sequence_state(a, 0)->data);
		cr_assert_eq(sequence_keep(a, 0, &view, &err), ERR_NONE);
		sequences_leave(s, a, false);
		cr_assert_eq(sequences_count(s), 1U);
	}
	sequences_unref(s);
}

Test(sequences, many_share_buckets)
{
	struct err err;
	struct sequences *s = create("{state: {s: t}, max: 5000}", &err);
	struct sequence *one;
	char name[32];

	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 5000; i++) {
			(void)snprintf(name, sizeof(name), "%d", i);
			cr_assert_eq(
			    sequences_enter(s, id(name), !round, &one, &err),
			    ERR_NONE, "%s", err.msg);
			sequences_leave(s, one, round && i % 2);
		}
	cr_assert_eq(sequences_count(s), 2500U);
	sequences_unref(s);
}

Test(sequences, refuse_what_cannot_be_carried)
{
	static const struct {
		const char *yaml, *word;
	} rows[] = {
		{ "{state: {z: t}}", "no input 'z'" },
		{ "{state: {s: u}}", "no output 'u'" },
		{ "{state: {s: y}}", "not what input 's' takes" },
		{ "{state: [s]}", "expected a map" },
		{ "{}", "state" },
		{ "{state: {s: t}, idle_timout: 3}", "'idle_timeout'" },
	};
	struct err err;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		cr_assert_null(create(rows[i].yaml, &err), "%s", rows[i].yaml);
		cr_assert(strstr(err.msg, rows[i].word), "%s", err.msg);
	}
}
