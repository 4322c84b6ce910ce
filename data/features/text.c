/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Text: tokens as numbers of a vocabulary (int64), a fixed number a row.
 *
 * An input is cut after max_sequence_length tokens and filled up in front, so
 * that what was read last is the text's own end. A text output is a language
 * model: it predicts, for each token of the input of its name, the one that
 * follows, and takes everything but its loss from there; such an input is
 * filled up behind.
 */
#include <stddef.h>
#include <string.h>

#include "base/json_write.h"
#include "data/feature.h"
#include "data/features/vocabulary.h"

enum { LENGTH_MAX = 65536, LENGTH_OF_STREAM = 64, LENGTH_OF_ROW = 256 };
/* model.yaml may not have many more values (base/doc.h) */
enum { SIZE_MAX_TOKENS = 90000 };
enum { TOKENIZER_AUTO, TOKENIZER_CHARACTER, TOKENIZER_WORD };

static const char *const tokenizer_names[] = { "auto", "character", "word",
					       NULL };

struct text {
	int tokenizer;
	int64_t vocab_size, min_frequency, length, embedding_size;
	bool lowercase;
	struct field_strings list;
	const struct doc *loss;	   /* the trainer reads it */
	const struct text *source; /* of an output: the input of its name */
	bool is_stream;		   /* an output predicts its tokens */
	struct vocabulary vocabulary;
};

static const struct field text_fields[] = {
	{ .name = "tokenizer",
	  .help = "character or word; auto: character where tokens are "
		  "predicted, else word",
	  .kind = FIELD_ENUM,
	  .offset = offsetof(struct text, tokenizer),
	  .names = tokenizer_names },
	{ .name = "vocab_size",
	  .help = "tokens that are told apart, with two for those that are "
		  "unknown and for filling up; the most frequent stay",
	  .kind = FIELD_INT,
	  .offset = offsetof(struct text, vocab_size),
	  .min = VOCABULARY_SPECIALS + 1,
	  .max = SIZE_MAX_TOKENS,
	  .def = 60000 },
	{ .name = "min_frequency",
	  .help = "rarer tokens are unknown; 0: 1 for characters, 2 for words",
	  .kind = FIELD_INT,
	  .offset = offsetof(struct text, min_frequency),
	  .min = 0,
	  .max = 1e9 },
	{ .name = "max_sequence_length",
	  .help = "tokens of a row; 0: 64 where tokens are predicted, else 256",
	  .kind = FIELD_INT,
	  .offset = offsetof(struct text, length),
	  .min = 0,
	  .max = LENGTH_MAX },
	{ .name = "embedding_size",
	  .help = "numbers that stand for a token; 0: the network chooses",
	  .kind = FIELD_INT,
	  .offset = offsetof(struct text, embedding_size),
	  .min = 0,
	  .max = 65536 },
	{ .name = "lowercase",
	  .help = "take A to Z for a to z",
	  .kind = FIELD_BOOL,
	  .offset = offsetof(struct text, lowercase) },
	{ .name = "vocabulary",
	  .help = "fitted: the tokens by number",
	  .kind = FIELD_STRINGS,
	  .offset = offsetof(struct text, list) },
	{ .name = "loss",
	  .help = "of an output: type and its parameters",
	  .kind = FIELD_DOC,
	  .offset = offsetof(struct text, loss) },
	{ 0 },
};

/* The one that holds the vocabulary. */
static const struct text *source_of(const struct feature *feature)
{
	const struct text *text = feature->state;

	return text->source ? text->source : text;
}

static enum token_level level_of(const struct text *text)
{
	if (text->tokenizer == TOKENIZER_AUTO)
		return text->is_stream ? TOKEN_CHARACTER : TOKEN_WORD;
	return text->tokenizer == TOKENIZER_WORD ? TOKEN_WORD : TOKEN_CHARACTER;
}

static int64_t length_of(const struct text *text)
{
	if (text->length)
		return text->length;
	return text->is_stream ? LENGTH_OF_STREAM : LENGTH_OF_ROW;
}

static enum err_code text_create(struct feature *feature, struct err *err)
{
	struct text *text = feature->state;
	enum err_code rc;

	vocabulary_init(&text->vocabulary, feature->arena);
	if (!text->list.n)
		return ERR_NONE;
	rc = vocabulary_set(&text->vocabulary, &text->list, err);
	return rc ? err_prefix(err, "feature '%s'", feature->name) : rc;
}

static enum err_code text_link(struct feature *feature, struct feature *input,
			       struct err *err)
{
	struct text *text = feature->state, *source;

	if (!input || input->kind != feature->kind)
		return err_set(err, ERR_INVALID,
			       "output_features: a text output predicts the "
			       "tokens of the text input of its name, and "
			       "there is no text input '%s'",
			       feature->name);
	source = input->state;
	source->is_stream = true;
	text->source = source;
	return ERR_NONE;
}

static void text_row(const struct feature *feature, enum dtype *ret_dtype,
		     struct shape *ret_row, int64_t *ret_width)
{
	const struct text *text = source_of(feature);

	*ret_dtype = DTYPE_I64;
	*ret_row = (struct shape){ .rank = 1, .dim = { length_of(text) } };
	*ret_width = text->list.n ? (int64_t)text->list.n : text->vocab_size;
}

static int64_t text_embedding_size(const struct feature *feature)
{
	return source_of(feature)->embedding_size;
}

static void text_cut_of(const struct feature *feature, struct text_cut *ret)
{
	const struct text *text = source_of(feature);

	*ret = (struct text_cut){ level_of(text), length_of(text) };
}

/* --- tokens --- */

/* What the vocabulary knows it by, in room of TOKEN_MAX bytes. */
static struct token spelled(const struct text *text, struct token token,
			    char *room)
{
	if (!text->lowercase || token.len > TOKEN_MAX)
		return token;
	for (size_t i = 0; i < token.len; i++) {
		const unsigned char c = (unsigned char)token.bytes[i];

		room[i] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20U : c);
	}
	return (struct token){ room, token.len };
}

/* The bytes of a value; what is missing is an empty text. */
static enum err_code take_text(const struct feature *feature,
			       const struct raw_value *value, struct token *ret,
			       struct err *err)
{
	char text[128];

	*ret = (struct token){ "", 0 };
	if (value->kind == RAW_MISSING)
		return ERR_NONE;
	if (value->kind != RAW_TEXT)
		return err_set(
		    err, ERR_INVALID, "feature '%s': expected a text, got %s",
		    feature->name, raw_value_text(value, text, sizeof(text)));
	*ret = (struct token){ value->bytes, value->len };
	return ERR_NONE;
}

static enum err_code text_fit_begin(struct feature *feature, struct err *err)
{
	struct text *text = feature->state;

	(void)err;
	if (!text->source && !text->list.n)
		vocabulary_init(&text->vocabulary, feature->arena);
	return ERR_NONE;
}

static enum err_code text_fit_value(struct feature *feature,
				    const struct raw_value *value,
				    struct err *err)
{
	struct text *text = feature->state;
	struct token whole, token;
	char room[TOKEN_MAX];
	size_t at = 0;
	enum err_code rc;

	if (text->source || text->list.n)
		return ERR_NONE;
	rc = take_text(feature, value, &whole, err);
	while (!rc && token_next(level_of(text), whole.bytes, whole.len, &at,
				 &token)) {
		/* a byte that is no character has no name to be kept under */
		if (str_utf8_char(token.bytes, token.len))
			rc = vocabulary_count(&text->vocabulary,
					      spelled(text, token, room), err);
	}
	return rc;
}

static enum err_code text_fit_end(struct feature *feature, struct err *err)
{
	struct text *text = feature->state;
	struct vocabulary_limits limits = { text->vocab_size,
					    text->min_frequency };
	enum err_code rc;

	if (text->source || text->list.n)
		return ERR_NONE;
	if (!text->vocabulary.n)
		return err_set(err, ERR_INVALID,
			       "feature '%s': the training part has no tokens",
			       feature->name);
	if (!limits.least_count)
		limits.least_count = level_of(text) == TOKEN_WORD ? 2 : 1;
	rc = vocabulary_fit(&text->vocabulary, &limits, &text->list, err);
	return rc ? err_prefix(err, "feature '%s'", feature->name) : rc;
}

static enum err_code text_encode(const struct feature *feature,
				 const struct raw_value *value, void *out,
				 struct err *err)
{
	const struct text *text = source_of(feature);
	const int64_t length = length_of(text);
	int64_t *id = out, n = 0;
	char room[TOKEN_MAX];
	struct token whole, token;
	size_t at = 0;
	enum err_code rc = take_text(feature, value, &whole, err);

	if (rc)
		return rc;
	while (n < length &&
	       token_next(level_of(text), whole.bytes, whole.len, &at, &token))
		id[n++] = vocabulary_find(&text->vocabulary,
					  spelled(text, token, room));
	if (n < length && !text->is_stream) {
		memmove(id + (length - n), id, (size_t)n * sizeof(*id));
		for (int64_t i = 0; i < length - n; i++)
			id[i] = VOCABULARY_PADDING;
		return ERR_NONE;
	}
	for (; n < length; n++)
		id[n] = VOCABULARY_PADDING;
	return ERR_NONE;
}

/* --- what is predicted --- */

static size_t text_tokens(const struct feature *feature,
			  const struct raw_value *value, int64_t *id,
			  size_t cap)
{
	const struct text *text = source_of(feature);
	struct token whole, token;
	char room[TOKEN_MAX];
	size_t at = 0, n = 0;

	if (take_text(feature, value, &whole, NULL))
		return 0;
	while (
	    token_next(level_of(text), whole.bytes, whole.len, &at, &token)) {
		if (n < cap)
			id[n] = vocabulary_find(&text->vocabulary,
						spelled(text, token, room));
		n++;
	}
	return n;
}

static struct token text_spell(const struct feature *feature, int64_t before,
			       int64_t id, bool *ret_blank)
{
	const struct text *text = source_of(feature);
	const struct vocabulary_entry *entry = text->vocabulary.entry;
	const int64_t n = (int64_t)text->vocabulary.n;
	struct token token = { "", 0 }, last = { "", 0 };

	if (id >= VOCABULARY_SPECIALS && id < n)
		token = entry[id].token;
	if (before >= VOCABULARY_SPECIALS && before < n)
		last = entry[before].token;
	*ret_blank =
	    level_of(text) == TOKEN_WORD && token_wants_blank(last, token);
	return token;
}

/* The token that follows the last one. */
static void text_decode(const struct feature *feature, const float *row,
			int64_t width, struct json_writer *writer)
{
	const int64_t n = (int64_t)source_of(feature)->vocabulary.n;
	int64_t best = VOCABULARY_SPECIALS;
	struct token token = { "", 0 };
	bool blank;

	if (n && width >= n)
		row += (width / n - 1) * n;
	for (int64_t i = best; i < n && n <= width; i++)
		best = row[i] > row[best] ? i : best;
	if (best < n)
		token = text_spell(feature, VOCABULARY_UNKNOWN, best, &blank);
	json_write_object(writer, NULL);
	json_write_strn(writer, "text", token.bytes, token.len);
	json_write_object_end(writer);
}

static double text_characters(const struct feature *feature, const int64_t *id,
			      int64_t n)
{
	double sum = 0;

	for (int64_t i = 0; i < n; i++) {
		bool blank = false;
		struct token token = text_spell(
		    feature, i ? id[i - 1] : VOCABULARY_UNKNOWN, id[i], &blank);

		sum += blank;
		for (size_t at = 0; at < token.len; at++)
			sum += ((unsigned char)token.bytes[at] & 0xc0) != 0x80;
		/* what is unknown is at least one */
		sum += id[i] == VOCABULARY_UNKNOWN;
	}
	return sum;
}

static const struct feature_language text_language = {
	.tokens = text_tokens,
	.spell = text_spell,
	.characters = text_characters,
	.cut = text_cut_of,
};

extern const struct feature_kind feature_text;
const struct feature_kind feature_text = {
	.name = "text",
	.help = "a text, as numbers of its tokens",
	.fields = text_fields,
	.size = sizeof(struct text),
	.create = text_create,
	.link = text_link,
	.row = text_row,
	.embedding_size = text_embedding_size,
	.fit_begin = text_fit_begin,
	.fit_value = text_fit_value,
	.fit_end = text_fit_end,
	.encode = text_encode,
	.decode = text_decode,
	.language = &text_language,
};
