/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#include "base/mem.h"
#include "engine/tensor.h"

struct regex {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *context;
};

/* Calls of the matcher within itself: patterns of RE2 need a few. */
enum { DEPTH_LIMIT = 1000, MESSAGE_MAX = 120 };

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "no memory for a pattern");
}

static uint32_t options_of(bool is_whole)
{
	return PCRE2_DOLLAR_ENDONLY | PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C |
	       PCRE2_NO_AUTO_POSSESS |
	       (is_whole ? PCRE2_ANCHORED | PCRE2_ENDANCHORED : 0);
}

static enum err_code compile(struct regex *regex, const struct str *pattern,
			     bool is_whole, const char *attribute,
			     struct err *err)
{
	PCRE2_UCHAR message[MESSAGE_MAX] = { 0 };
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	const char *bytes = pattern->len ? pattern->bytes : "";
	PCRE2_SIZE at = 0;
	uint32_t back = 0;
	int code = 0;

	if (!context)
		return no_memory(err);
	(void)pcre2_set_newline(context, PCRE2_NEWLINE_LF);
	(void)pcre2_set_max_pattern_length(context, REGEX_PATTERN_MAX);
	regex->code = pcre2_compile((PCRE2_SPTR)bytes, pattern->len,
				    options_of(is_whole), &code, &at, context);
	pcre2_compile_context_free(context);
	if (!regex->code) {
		(void)pcre2_get_error_message(code, message, sizeof(message));
		return err_set(err, ERR_INVALID,
			       "attribute '%s': %s, at byte %zu", attribute,
			       (const char *)message, (size_t)at);
	}
	(void)pcre2_pattern_info(regex->code, PCRE2_INFO_BACKREFMAX, &back);
	if (back)
		return err_set(err, ERR_INVALID,
			       "attribute '%s': back references are no part of "
			       "RE2's syntax",
			       attribute);
	return ERR_NONE;
}

enum err_code regex_create(const struct str *pattern, bool is_whole,
			   const char *attribute, struct regex **ret_regex,
			   struct err *err)
{
	struct regex *regex = mem_zero(sizeof(*regex));
	enum err_code rc = regex ? ERR_NONE : no_memory(err);

	if (!rc)
		rc = compile(regex, pattern, is_whole, attribute, err);
	if (rc)
		goto out;
	regex->data = pcre2_match_data_create(1, NULL);
	regex->context = pcre2_match_context_create(NULL);
	if (!regex->data || !regex->context) {
		rc = no_memory(err);
		goto out;
	}
	(void)pcre2_set_heap_limit(regex->context, 0);
	(void)pcre2_set_depth_limit(regex->context, DEPTH_LIMIT);
	(void)pcre2_set_match_limit(regex->context, REGEX_SCRATCH_BYTES);
	*ret_regex = regex;
	regex = NULL;
out:
	regex_destroy(regex);
	return rc;
}

static enum regex_answer match(const struct regex *regex,
			       const struct str *text, size_t from,
			       void *scratch)
{
	const char *bytes = text->len ? text->bytes : "";
	/* the first call has seen that it is UTF-8 */
	const uint32_t options = from ? PCRE2_NO_UTF_CHECK : 0;
	const int code =
	    pcre2_dfa_match(regex->code, (PCRE2_SPTR)bytes, text->len, from,
			    options, regex->data, regex->context, scratch,
			    REGEX_SCRATCH_BYTES / sizeof(int));

	if (code >= 0)
		return REGEX_YES;
	if (code == PCRE2_ERROR_NOMATCH ||
	    (code <= PCRE2_ERROR_UTF8_ERR1 && code >= PCRE2_ERROR_UTF8_ERR21))
		return REGEX_NO;
	return REGEX_TOO_HARD;
}

enum regex_answer regex_match(const struct regex *regex, const struct str *text,
			      void *scratch)
{
	return match(regex, text, 0, scratch);
}

/* NOLINTNEXTLINE(readability-function-size): a match has that many parts */
enum regex_answer regex_find(const struct regex *regex, const struct str *text,
			     size_t from, void *scratch, size_t *ret_first,
			     size_t *ret_last)
{
	const enum regex_answer answer = match(regex, text, from, scratch);
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(regex->data);

	if (answer == REGEX_YES) {
		*ret_first = at[0];
		*ret_last = at[1];
	}
	return answer;
}

void regex_destroy(struct regex *regex)
{
	if (!regex)
		return;
	pcre2_match_context_free(regex->context);
	pcre2_match_data_free(regex->data);
	pcre2_code_free(regex->code);
	mem_free(regex);
}
