/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/data/pipeline_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json_write.h"
#include "data/batch.h"
#include "data/feature.h"
#include "data/features/vocabulary.h"

#define LABEL "output_features: [{name: y, type: category, num_classes: 3}]\n"
#define LANGUAGE(options)                                        \
	"input_features: [{name: t, type: text, " options "}]\n" \
	"output_features: [{name: t, type: text}]\n"

/* Tokens with a bar between them. */
static void expect_tokens(enum token_level level, const char *text, size_t len,
			  const char *want)
{
	struct token token;
	char got[512];
	size_t at = 0, n = 0;

	while (token_next(level, text, len, &at, &token)) {
		cr_assert_lt(n + token.len + 2, sizeof(got));
		if (n)
			got[n++] = '|';
		memcpy(got + n, token.bytes, token.len);
		n += token.len;
	}
	got[n] = '\0';
	cr_expect_eq(n, strlen(want));
	cr_expect_str_eq(got, want);
}

#define EXPECT(level, text, want) \
	expect_tokens(level, text, sizeof(text) - 1, want)

Test(text, characters_are_cut_where_utf8_says)
{
	EXPECT(TOKEN_CHARACTER, "", "");
	EXPECT(TOKEN_CHARACTER, "ab \n", "a|b| |\n");
	EXPECT(TOKEN_CHARACTER, "\xc3\xa9t\xc3\xa9", "\xc3\xa9|t|\xc3\xa9");
	/* 2, 3 and 4 bytes; a letter and its combining mark are two */
	EXPECT(TOKEN_CHARACTER, "\xc2\x80\xe2\x82\xac\xf0\x9f\x98\x80",
	       "\xc2\x80|\xe2\x82\xac|\xf0\x9f\x98\x80");
	EXPECT(TOKEN_CHARACTER, "e\xcc\x81", "e|\xcc\x81");
	/* overlong, surrogate, beyond the last, cut off: byte by byte */
	EXPECT(TOKEN_CHARACTER, "\xc0\x80", "\xc0|\x80");
	EXPECT(TOKEN_CHARACTER, "\xed\xa0\x80", "\xed|\xa0|\x80");
	EXPECT(TOKEN_CHARACTER, "\xf4\x90\x80\x80", "\xf4|\x90|\x80|\x80");
	EXPECT(TOKEN_CHARACTER, "a\xe2\x82", "a|\xe2|\x82");
	EXPECT(TOKEN_CHARACTER, "\xff", "\xff");
}

Test(text, words_are_letters_and_everything_else_stands_alone)
{
	EXPECT(TOKEN_WORD, "  Don't  stop, now!\r\n", "Don't|stop|,|now|!|\n");
	EXPECT(TOKEN_WORD, "'quoted' x_1 3.14", "'|quoted|'|x_1|3|.|14");
	EXPECT(TOKEN_WORD, "na\xc3\xafve\t\xe4\xb8\xad\xe6\x96\x87",
	       "na\xc3\xafve|\xe4\xb8\xad\xe6\x96\x87");
	EXPECT(TOKEN_WORD, " \t ", "");
}

Test(text, a_long_word_is_cut_between_characters)
{
	char text[2 * TOKEN_MAX + 2];
	struct token token;
	size_t at = 0;

	text[0] = 'a';
	for (size_t i = 0; i < TOKEN_MAX; i++)
		memcpy(text + 1 + 2 * i, "\xc3\xa9", 2);
	cr_assert(token_next(TOKEN_WORD, text, 2 * TOKEN_MAX + 1, &at, &token));
	cr_expect_eq(token.len, TOKEN_MAX - 1);
	cr_expect(str_is_utf8(token.bytes, token.len));
	/* an apostrophe at the cut is none of the word's, as at its end */
	memset(text, 'a', sizeof(text));
	text[TOKEN_MAX - 1] = '\'';
	at = 0;
	cr_assert(token_next(TOKEN_WORD, text, sizeof(text), &at, &token));
	cr_expect_eq(token.len, TOKEN_MAX - 1);
	/* continuations alone: nothing to cut between, but an end */
	memset(text, 0x80, sizeof(text));
	at = 0;
	for (size_t n = 0;
	     token_next(TOKEN_WORD, text, sizeof(text), &at, &token); n++)
		cr_assert_lt(n, 5);
	cr_expect_eq(at, sizeof(text));
}

static struct token token_of(const char *text)
{
	return (struct token){ text, strlen(text) };
}

Test(text, a_vocabulary_goes_by_count_then_by_bytes)
{
	static const char *const tokens[] = { "b",	  "a",	   "b",
					      "\xc3\xa9", "c",	   "c",
					      "b",	  "xxunk", NULL };
	struct arena *arena = arena_create(1 << 20);
	struct vocabulary v;
	struct vocabulary_limits limits = { 100, 1 };
	struct field_strings list;
	struct err err;

	vocabulary_init(&v, arena);
	cr_expect_eq(vocabulary_find(&v, token_of("a")), VOCABULARY_UNKNOWN);
	for (size_t i = 0; tokens[i]; i++)
		cr_assert_eq(vocabulary_count(&v, token_of(tokens[i]), &err),
			     ERR_NONE);
	cr_assert_eq(vocabulary_count(&v, (struct token){ "\0", 1 }, &err),
		     ERR_NONE);
	cr_assert_eq(vocabulary_fit(&v, &limits, &list, &err), ERR_NONE);
	cr_assert_eq(list.n, 6);
	cr_expect_str_eq(list.v[0], "xxunk");
	cr_expect_str_eq(list.v[1], "xxpad");
	cr_expect_str_eq(list.v[2], "b");
	cr_expect_str_eq(list.v[3], "c");
	cr_expect_str_eq(list.v[4], "a");
	cr_expect_str_eq(list.v[5], "\xc3\xa9");
	cr_expect_eq(vocabulary_find(&v, token_of("\xc3\xa9")), 5);
	cr_expect_eq(vocabulary_find(&v, token_of("d")), VOCABULARY_UNKNOWN);
	arena_destroy(arena);
}

Test(text, sixty_thousand_of_more_tokens_stay_and_a_list_is_checked)
{
	static const char *twice[] = { "xxunk", "xxpad", "a", "a" };
	struct arena *arena = arena_create((size_t)64 << 20);
	struct vocabulary v;
	struct vocabulary_limits limits = { 60000, 1 };
	struct field_strings list;
	struct err err;
	char name[16];

	vocabulary_init(&v, arena);
	for (int i = 0; i < 60001; i++) {
		(void)snprintf(name, sizeof(name), "w%05d", i);
		cr_assert_eq(vocabulary_count(&v, token_of(name), &err), 0);
	}
	cr_assert_eq(vocabulary_fit(&v, &limits, &list, &err), ERR_NONE);
	cr_expect_eq(list.n, 60000);
	cr_expect_eq(vocabulary_find(&v, token_of("w00000")), 2);
	cr_expect_eq(vocabulary_find(&v, token_of("w59997")), 59999);
	cr_expect_eq(vocabulary_find(&v, token_of("w59998")), 0);
	list = (struct field_strings){ 4, twice };
	cr_expect_eq(vocabulary_set(&v, &list, &err), ERR_INVALID);
	cr_expect(strstr(err.msg, "'a' is given twice"), "%s", err.msg);
	list = (struct field_strings){ 1, twice };
	cr_expect_eq(vocabulary_set(&v, &list, &err), ERR_INVALID);
	arena_destroy(arena);
}

/* --- the feature --- */

static struct raw_value text(const char *v)
{
	return (
	    struct raw_value){ .kind = RAW_TEXT, .bytes = v, .len = strlen(v) };
}

static void fit(struct text_pipeline *t, const char *v)
{
	struct feature *f = pipeline_feature(t->pipeline, false, 0);
	const struct raw_value value = text(v);

	cr_assert_eq(f->kind->fit_begin(f, &t->err), ERR_NONE);
	cr_assert_eq(f->kind->fit_value(f, &value, &t->err), ERR_NONE);
	cr_assert_eq(f->kind->fit_end(f, &t->err), ERR_NONE, "%s", t->err.msg);
}

static void expect_ids(struct text_pipeline *t, const char *v,
		       const int64_t *want, size_t n)
{
	const struct raw_value value = text(v);
	int64_t got[16];

	cr_assert_eq(
	    pipeline_encode_input(t->pipeline, 0, &value, got, &t->err),
	    ERR_NONE, "%s", t->err.msg);
	for (size_t i = 0; i < n; i++)
		cr_expect_eq(got[i], want[i], "%s: %lld at %zu", v,
			     (long long)got[i], i);
}

Test(text, a_row_of_words_is_filled_up_in_front_and_cut_behind)
{
	static const int64_t is_short[] = { 1, 1, 2, 0 },
			     empty[] = { 1, 1, 1, 1 },
			     is_long[] = { 2, 3, 2, 3 };
	struct raw_value missing = { .kind = RAW_MISSING },
			 number = { .kind = RAW_NUMBER };
	struct text_pipeline t;
	int64_t ids[4];

	cr_assert_eq(text_pipeline_init(&t, "input_features: [{name: t, type: "
					    "text, max_sequence_length: 4, "
					    "lowercase: true}]\n" LABEL),
		     ERR_NONE, "%s", t.err.msg);
	fit(&t, "good bad Good bad GOOD once");
	expect_ids(&t, "gOOd once", is_short, 4);
	expect_ids(&t, "", empty, 4);
	expect_ids(&t, "good bad good bad good", is_long, 4);
	cr_expect_eq(
	    pipeline_encode_input(t.pipeline, 0, &missing, ids, &t.err), 0);
	cr_expect_eq(ids[3], VOCABULARY_PADDING);
	cr_expect_eq(pipeline_encode_input(t.pipeline, 0, &number, ids, &t.err),
		     ERR_INVALID);
	cr_expect(strstr(t.err.msg, "expected a text, got a number"), "%s",
		  t.err.msg);
	cr_expect_eq(pipeline_input_width(t.pipeline, 0), 4);
	text_pipeline_finish(&t);
}

Test(text, a_text_output_needs_the_input_of_its_name)
{
	struct text_pipeline t;

	cr_expect_eq(text_pipeline_init(&t, "input_features: [{name: u, type: "
					    "text}]\noutput_features: [{name: "
					    "t, type: text}]\n"),
		     ERR_INVALID);
	cr_expect(strstr(t.err.msg, "there is no text input 't'"), "%s",
		  t.err.msg);
	text_pipeline_finish(&t);
}

Test(text, what_is_saved_reads_back_to_the_same_numbers)
{
	static const int64_t want[] = { 4, 2, 3, 1 };
	struct text_pipeline t, again;
	struct json_writer w;
	struct buf buf;

	cr_assert_eq(text_pipeline_init(&t, LANGUAGE("max_sequence_length: 4")),
		     0);
	fit(&t, "aab\n\"\xe2\x82\xac aab a");
	buf_init(&buf, 1 << 20);
	json_write_init(&w, &buf);
	json_write_object(&w, NULL);
	pipeline_save(t.pipeline, &w);
	json_write_object_end(&w);
	cr_assert_eq(buf_check(&buf, "saved", NULL), ERR_NONE);
	cr_assert_eq(text_pipeline_init(&again, buf.data), ERR_NONE, "%s\n%s",
		     again.err.msg, buf.data);
	expect_ids(&t, "ba ", want + 2, 0);
	for (int i = 0; i < 2; i++) {
		struct text_pipeline *p = i ? &again : &t;
		int64_t id[4];
		struct raw_value v = text(" a\xe2\x82\xac?");

		cr_expect_eq(pipeline_tokens(p->pipeline, &v, id, 4), 4);
		cr_expect_eq(id[0], 3);
		cr_expect_eq(id[1], 2);
		cr_expect_eq(id[2], 7);
		cr_expect_eq(id[3], VOCABULARY_UNKNOWN);
	}
	buf_finish(&buf);
	text_pipeline_finish(&t);
	text_pipeline_finish(&again);
}

Test(text, characters_and_blanks_of_predicted_tokens_are_told)
{
	struct text_pipeline t;
	struct raw_value v = text("to be , or");
	int64_t id[8];
	size_t len;
	bool blank;

	cr_assert_eq(text_pipeline_init(&t, LANGUAGE("tokenizer: word, "
						     "min_frequency: 1")),
		     ERR_NONE, "%s", t.err.msg);
	fit(&t, "to be, or not to be");
	cr_assert_eq(pipeline_tokens(t.pipeline, &v, id, 8), 4);
	(void)pipeline_spell(t.pipeline, id[0], id[1], &len, &blank);
	cr_expect(blank && len == 2);
	(void)pipeline_spell(t.pipeline, id[1], id[2], &len, &blank);
	cr_expect(!blank && len == 1);
	/* "to be, or" */
	cr_expect_eq(pipeline_characters(t.pipeline, id, 4), 9);
	text_pipeline_finish(&t);
}

/* --- plain text --- */

static void write_file(const char *dir, const char *name, const char *bytes,
		       size_t len)
{
	char path[256];
	struct err err;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	cr_assert_eq(file_write_atomic(path, bytes, len, &err), ERR_NONE, "%s",
		     err.msg);
}

static enum err_code open_text(struct text_pipeline *t, const char *dir,
			       const char *path, const char *features)
{
	char job[1024];

	(void)snprintf(job, sizeof(job), "%sdata: {source: 'path:%s%s%s'}\n",
		       features, dir, *path ? "/" : "", path);
	cr_assert_eq(text_pipeline_init(t, job), ERR_NONE, "%s", t->err.msg);
	return text_dataset_init(t, dir);
}

static void expect_value(const struct text_pipeline *t, int64_t row,
			 bool is_target, const char *want)
{
	struct raw_value v;
	struct err err;

	cr_assert_eq(is_target ? dataset_target(t->dataset, row, 0, &v, &err)
			       : dataset_input(t->dataset, row, 0, &v, &err),
		     ERR_NONE);
	cr_expect(v.len == strlen(want) && memcmp(v.bytes, want, v.len) == 0,
		  "row %d: '%.*s'", (int)row, (int)v.len, v.bytes);
}

Test(text, a_corpus_is_cut_into_rows_that_follow_from_each_other)
{
	char dir[] = "/tmp/predictd-text-XXXXXX";
	struct text_pipeline t;

	cr_assert(mkdtemp(dir));
	write_file(dir, "a.txt",
		   "\xef\xbb\xbf"
		   "abc\xc3\xa9"
		   "efgh",
		   12);
	cr_assert_eq(
	    open_text(&t, dir, "a.txt", LANGUAGE("max_sequence_length: 2")),
	    ERR_NONE, "%s", t.err.msg);
	/* g and h are no row: nothing follows them */
	cr_assert(dataset_is_stream(t.dataset));
	cr_assert_eq(dataset_n(t.dataset, PART_TRAIN) +
			 dataset_n(t.dataset, PART_VALID) +
			 dataset_n(t.dataset, PART_TEST),
		     3);
	expect_value(&t, 0, false, "ab");
	expect_value(&t, 0, true, "bc");
	expect_value(&t, 1, false, "c\xc3\xa9");
	expect_value(&t, 1, true,
		     "\xc3\xa9"
		     "e");
	expect_value(&t, 2, true, "fg");
	cr_expect_eq(dataset_rows(t.dataset, PART_TRAIN)[1], 1);
	text_pipeline_finish(&t);
	cr_expect_eq(file_remove_tree(dir, NULL), ERR_NONE);
}

Test(text, a_folder_has_parts_and_rows_do_not_cross_them)
{
	char dir[] = "/tmp/predictd-text-XXXXXX";
	struct text_pipeline t;

	cr_assert(mkdtemp(dir));
	write_file(dir, "wiki.train.txt", "one two three four five", 23);
	write_file(dir, "wiki.valid.txt", "six seven eight nine", 20);
	cr_assert_eq(open_text(&t, dir, "",
			       LANGUAGE("tokenizer: word, "
					"max_sequence_length: 3")),
		     ERR_NONE, "%s", t.err.msg);
	cr_assert_eq(dataset_n(t.dataset, PART_TRAIN), 1);
	cr_assert_eq(dataset_n(t.dataset, PART_VALID), 1);
	expect_value(&t, 0, true, "two three four");
	expect_value(&t, 1, true, "seven eight nine");
	text_pipeline_finish(&t);
	cr_expect_eq(file_remove_tree(dir, NULL), ERR_NONE);
}

Test(text, what_is_no_utf8_or_too_short_is_told_with_its_place)
{
	char dir[] = "/tmp/predictd-text-XXXXXX";
	struct text_pipeline t;

	cr_assert(mkdtemp(dir));
	write_file(dir, "a.txt",
		   "ab\nc\xff"
		   "d",
		   6);
	cr_expect_eq(open_text(&t, dir, "a.txt", LANGUAGE("")), ERR_INVALID);
	cr_expect(strstr(t.err.msg, "byte 4 (in line 2)"), "%s", t.err.msg);
	text_pipeline_finish(&t);
	write_file(dir, "a.txt", "ab", 2);
	cr_expect_eq(open_text(&t, dir, "a.txt", LANGUAGE("")), ERR_INVALID);
	cr_expect(strstr(t.err.msg, "a row takes 64 tokens"), "%s", t.err.msg);
	text_pipeline_finish(&t);
	cr_expect_eq(
	    open_text(&t, dir, "a.txt",
		      "input_features: [{name: t, type: text}]\n" LABEL),
	    ERR_INVALID);
	cr_expect(strstr(t.err.msg, "trains language models"), "%s", t.err.msg);
	text_pipeline_finish(&t);
	write_file(dir, "a.csv", "t\nab\n", 5);
	cr_expect_eq(open_text(&t, dir, "a.csv", LANGUAGE("")), ERR_INVALID);
	cr_expect(strstr(t.err.msg, "needs plain text"), "%s", t.err.msg);
	text_pipeline_finish(&t);
	cr_expect_eq(file_remove_tree(dir, NULL), ERR_NONE);
}

Test(text, a_stream_in_batches_goes_on_row_by_row)
{
	static const int64_t want[] = { 0, 3, 6, 1, 4, 7, 2, 5, 8, 9, 10 };
	int64_t rows[11], order[11];

	for (int64_t i = 0; i < 11; i++)
		rows[i] = i;
	batch_stream(rows, 11, 3, order);
	for (int64_t i = 0; i < 11; i++)
		cr_expect_eq(order[i], want[i]);
	/* fewer than a batch are one batch */
	batch_stream(rows, 2, 3, order);
	cr_expect(order[0] == 0 && order[1] == 1);
	batch_stream(rows, 0, 3, order);
}

Test(text, synthetic_text_fills_the_vocabulary_and_follows_from_itself)
{
	struct text_pipeline t;
	struct raw_value now, next;
	enum dtype dtype;
	struct shape row;
	int64_t width;

	cr_assert_eq(text_pipeline_init(
			 &t, LANGUAGE("vocab_size: 65, max_sequence_length: "
				      "8") "data: {source: synthetic, rows: "
					   "400}\n"),
		     ERR_NONE, "%s", t.err.msg);
	cr_assert_eq(text_dataset_init(&t, NULL), ERR_NONE, "%s", t.err.msg);
	cr_assert_eq(dataset_fit(t.dataset, t.pipeline, &t.err), ERR_NONE);
	pipeline_target_row(t.pipeline, 0, &dtype, &row, &width);
	cr_expect_eq(width, 65);
	cr_assert_eq(dataset_target(t.dataset, 4, 0, &now, &t.err), 0);
	cr_assert_eq(dataset_input(t.dataset, 5, 0, &next, &t.err), 0);
	cr_expect_eq(now.bytes + now.len - 1, next.bytes);
	text_pipeline_finish(&t);
}
