/* SPDX-License-Identifier: Apache-2.0 */
#include "base/args.h"

#include <stddef.h>
#include <string.h>

#include "base/field.h"
#include "base/str.h"

enum { NAMES_MAX = 2 * ARGS_MAX };

static const struct args_flag *find_in(const struct args_flag *flags,
				       const char *name, size_t len)
{
	for (const struct args_flag *f = flags; f && f->name; f++) {
		if (strlen(f->name) == len && !strncmp(f->name, name, len))
			return f;
	}
	return NULL;
}

static size_t add_names(const struct args_flag *flags, const char **names,
			size_t n)
{
	for (const struct args_flag *f = flags; f && f->name; f++) {
		if (n + 1 < NAMES_MAX)
			names[n++] = f->name;
	}
	return n;
}

static enum err_code unknown(const struct args_flag *flags,
			     const struct args_flag *also, const char *word,
			     size_t len, struct err *err)
{
	const char *names[NAMES_MAX], *nearest;
	char name[64];

	names[add_names(also, names, add_names(flags, names, 0))] = NULL;
	(void)snprintf(name, sizeof(name), "%.*s", (int)len, word);
	nearest = field_nearest(name, names);
	if (!nearest)
		return err_set(err, ERR_INVALID, "unknown flag '--%s'", name);
	return err_set(err, ERR_INVALID,
		       "unknown flag '--%s': did you mean '--%s'?", name,
		       nearest);
}

static enum err_code add_word(struct args *args, const char *word,
			      struct err *err)
{
	if (args->n_words >= ARGS_MAX)
		return err_set(err, ERR_INVALID, "more than %d words",
			       (int)ARGS_MAX);
	args->word[args->n_words++] = word;
	return ERR_NONE;
}

/* A flag and, where it takes one and has no '=', the next word: *used is 2. */
static enum err_code add_flag(struct args *args, const struct args_flag *flag,
			      const char *equals, const char *next,
			      unsigned *used, struct err *err)
{
	struct args_given *given;

	if (args->n_given >= ARGS_MAX)
		return err_set(err, ERR_INVALID, "more than %d flags",
			       (int)ARGS_MAX);
	if (!flag->value && equals)
		return err_set(err, ERR_INVALID, "'--%s' takes no value",
			       flag->name);
	if (flag->value && !equals && !next)
		return err_set(err, ERR_INVALID, "'--%s' wants %s after it",
			       flag->name, flag->value);
	given = &args->given[args->n_given++];
	given->flag = flag;
	given->value = equals ? equals + 1 : flag->value ? next : NULL;
	*used = flag->value && !equals ? 2 : 1;
	return ERR_NONE;
}

enum err_code args_parse(const struct args_flag *flags,
			 const struct args_flag *also, int argc,
			 const char *const *argv, struct args *ret,
			 struct err *err)
{
	bool words_only = false;
	enum err_code rc = ERR_NONE;

	memset(ret, 0, sizeof(*ret));
	for (int i = 0; i < argc && !rc;) {
		const char *word = argv[i], *name = word + 2;
		const struct args_flag *flag;
		unsigned used = 1;
		size_t len;

		if (words_only || word[0] != '-' || !word[1]) {
			rc = add_word(ret, word, err);
		} else if (str_equal(word, "--")) {
			words_only = true;
		} else if (word[1] != '-') {
			rc = err_set(err, ERR_INVALID,
				     "unknown flag '%s': flags begin with two "
				     "dashes",
				     word);
		} else {
			len = strcspn(name, "=");
			flag = find_in(flags, name, len);
			flag = flag ? flag : find_in(also, name, len);
			rc = flag ? add_flag(ret, flag,
					     name[len] ? name + len : NULL,
					     i + 1 < argc ? argv[i + 1] : NULL,
					     &used, err)
				  : unknown(flags, also, name, len, err);
		}
		i += (int)used;
	}
	return rc;
}

static const struct args_given *last_given(const struct args *args,
					   const char *name)
{
	for (unsigned i = args->n_given; i > 0; i--) {
		if (str_equal(args->given[i - 1].flag->name, name))
			return &args->given[i - 1];
	}
	return NULL;
}

bool args_has(const struct args *args, const char *name)
{
	return last_given(args, name) != NULL;
}

const char *args_text(const struct args *args, const char *name,
		      const char *otherwise)
{
	const struct args_given *given = last_given(args, name);

	return given && given->value ? given->value : otherwise;
}

enum err_code args_int(const struct args *args, const char *name, int64_t min,
		       int64_t max, int64_t *value, struct err *err)
{
	const char *text = args_text(args, name, NULL);
	int64_t number;

	if (!text)
		return ERR_NONE;
	if (!str_parse_int64(text, &number) || number < min || number > max)
		return err_set(err, ERR_INVALID,
			       "--%s: expected a whole number from %lld to "
			       "%lld, got '%s'",
			       name, (long long)min, (long long)max, text);
	*value = number;
	return ERR_NONE;
}

enum err_code args_double(const struct args *args, const char *name, double min,
			  double max, double *value, struct err *err)
{
	const char *text = args_text(args, name, NULL);
	double number;

	if (!text)
		return ERR_NONE;
	if (!str_parse_double(text, &number) || number < min || number > max)
		return err_set(err, ERR_INVALID,
			       "--%s: expected a number from %g to %g, got "
			       "'%s'",
			       name, min, max, text);
	*value = number;
	return ERR_NONE;
}
