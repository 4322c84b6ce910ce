/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <ctype.h>
#include <stddef.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/str.h"

enum {
	POD_DRAIN_SECONDS = 5,
	FILE_MAX = 1 << 20,
	NAME_MAX_BYTES = 64,
	HELP_COLUMN = 28
};

static const char prefix[] = "PREDICTD_";

/* the names of each CHOICE, for the table and for help */
static const char *const log_format_names[] = { "text", "json", NULL };
static const char *const log_level_names[] = { "info", "debug", "warning",
					       "error", NULL };
static const char *const tuning_names[] = { "load", "off", NULL };

static const char *const access_log_names[] = { "off", "failures", "all",
						NULL };

static const struct field fields[] = {
#define AT(member) offsetof(struct config, member)
#define OPTION(k, n, d, low, high, h) \
	{ .name = #n,                 \
	  .help = h,                  \
	  .kind = FIELD_##k,          \
	  .offset = AT(n),            \
	  .min = low,                 \
	  .max = high,                \
	  .def = d },
#define TEXT(n, d, h)           \
	{ .name = #n,           \
	  .help = h,            \
	  .kind = FIELD_STRING, \
	  .offset = AT(n),      \
	  .def_text = d },
#define LIST(n, h) \
	{ .name = #n, .help = h, .kind = FIELD_STRINGS, .offset = AT(n) },
#define CHOICE(n, all, h)         \
	{ .name = #n,             \
	  .help = h " (" all ")", \
	  .kind = FIELD_ENUM,     \
	  .offset = AT(n),        \
	  .names = n##_names },
#include "config/options.def"
#undef OPTION
#undef TEXT
#undef LIST
#undef CHOICE
#undef AT
	{ 0 },
};

static const char *const names[] = {
#define OPTION(k, n, d, low, high, h) #n,
#define TEXT(n, d, h) #n,
#define LIST(n, h) #n,
#define CHOICE(n, all, h) #n,
#include "config/options.def"
#undef OPTION
#undef TEXT
#undef LIST
#undef CHOICE
	"config",
	NULL,
};

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "configuration: out of memory");
}

static const struct field *find_field(const char *name)
{
	for (const struct field *f = fields; f->name; f++) {
		if (str_equal(f->name, name))
			return f;
	}
	return NULL;
}

/* --- texts to documents --- */

/* What a word of the command line or the environment says for a field. */
static struct doc *word_to_doc(const struct field *field, const char *word,
			       struct arena *arena)
{
	static const char *const yes[] = { "true", "yes", "on", "1" };
	static const char *const no[] = { "false", "no", "off", "0" };
	int64_t integer;
	double number;

	if (field->kind == FIELD_STRING || field->kind == FIELD_STRINGS ||
	    field->kind == FIELD_ENUM)
		return doc_new_text(arena, word);
	for (size_t i = 0; field->kind == FIELD_BOOL && i < 4; i++) {
		if (str_equal(word, yes[i]))
			return doc_new_bool(arena, true);
		if (str_equal(word, no[i]))
			return doc_new_bool(arena, false);
	}
	if (str_parse_int64(word, &integer))
		return doc_new_int(arena, integer);
	if (str_parse_double(word, &number))
		return doc_new_double(arena, number);
	return doc_new_text(arena, word);
}

static struct doc *child_of(struct doc *map, const char *key)
{
	for (struct doc *d = map->first; d; d = d->next) {
		if (str_equal(d->key, key))
			return d;
	}
	return NULL;
}

/* Sets, or for lists appends, one word. */
static enum err_code add_word(struct doc *map, const struct field *field,
			      const char *word, struct arena *arena,
			      struct err *err)
{
	struct doc *value = word_to_doc(field, word, arena);
	struct doc *there = child_of(map, field->name);

	if (!value)
		return no_memory(err);
	if (field->kind != FIELD_STRINGS) {
		if (there) {
			value->key = there->key;
			value->next = there->next;
			*there = *value;
		} else {
			doc_add(map, field->name, value);
		}
		return ERR_NONE;
	}
	if (!there) {
		there = doc_new(arena, DOC_LIST);
		if (!there)
			return no_memory(err);
		doc_add(map, field->name, there);
	}
	doc_add(there, NULL, value);
	return ERR_NONE;
}

/* --- the environment --- */

/* "PREDICTD_PORT=1" to "port"; NULL when it is none of ours. */
static const char *variable_name(const char *entry, char name[NAME_MAX_BYTES])
{
	const char *equals = strchr(entry, '=');
	size_t n;

	if (!equals || !str_starts_with(entry, prefix))
		return NULL;
	n = (size_t)(equals - entry) - strlen(prefix);
	if (n == 0 || n >= NAME_MAX_BYTES)
		return NULL;
	for (size_t i = 0; i < n; i++)
		name[i] =
		    (char)tolower((unsigned char)entry[strlen(prefix) + i]);
	name[n] = '\0';
	return equals + 1;
}

static enum err_code add_variable(struct doc *map, const struct field *field,
				  const char *value, struct arena *arena,
				  struct err *err)
{
	enum err_code rc = ERR_NONE;

	if (field->kind != FIELD_STRINGS)
		return add_word(map, field, value, arena, err);
	while (*value && !rc) {
		size_t n = strcspn(value, ":");
		char *part = arena_strndup(arena, value, n);

		if (!part)
			return no_memory(err);
		if (n)
			rc = add_word(map, field, part, arena, err);
		value += n + (value[n] == ':');
	}
	return rc;
}

static enum err_code read_environment(const char *const *environment,
				      struct doc *map, const char **ret_file,
				      struct arena *arena, struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (; environment && *environment && !rc; environment++) {
		char name[NAME_MAX_BYTES];
		const char *value = variable_name(*environment, name);
		const struct field *field;

		if (!value)
			continue;
		field = find_field(name);
		/* variables of tests and of containers may share the prefix:
		 * what is no option is left alone */
		if (field)
			rc = add_variable(map, field, value, arena, err);
		else if (str_equal(name, "config"))
			*ret_file = value;
	}
	return rc;
}

/* --- flags --- */

/* Names of flags have dashes where names of options have '_'. */
static void dash(char *c)
{
	if (*c == '_')
		*c = '-';
}

static enum err_code refuse_flag(const char *arg, const char *name,
				 struct err *err)
{
	const char *near = field_nearest(name, names);
	char shown[NAME_MAX_BYTES] = "";

	if (near)
		(void)str_copy(shown, sizeof(shown), near);
	for (char *c = shown; *c; c++)
		dash(c);
	return err_set(err, ERR_INVALID,
		       "there is no option '%s'%s%s%s (see --help)", arg,
		       near ? ", did you mean --" : "", shown, near ? "?" : "");
}

/* "--max-body=1" to "max_body"; the value behind '=', or NULL. */
static enum err_code split_flag(const char *arg, char name[NAME_MAX_BYTES],
				const char **ret_value, struct err *err)
{
	const char *body = arg + 2, *equals = strchr(body, '=');
	size_t n = equals ? (size_t)(equals - body) : strlen(body);

	if (!str_starts_with(arg, "--") || n == 0 || n >= NAME_MAX_BYTES)
		return err_set(err, ERR_INVALID,
			       "'%.100s' is no option; options begin with -- "
			       "(see --help)",
			       arg);
	for (size_t i = 0; i < n; i++) {
		name[i] = '_';
		if (body[i] != '-')
			name[i] = body[i];
	}
	name[n] = '\0';
	*ret_value = equals ? equals + 1 : NULL;
	return ERR_NONE;
}

struct words {
	const char *const *word;
	int n, at;
};

/* The flag at words->at, which moves past its value. */
static enum err_code read_flag(struct words *words, struct doc *map,
			       const char **ret_file, struct arena *arena,
			       struct err *err)
{
	char name[NAME_MAX_BYTES];
	const struct field *field;
	const char *arg = words->word[words->at], *value = NULL;
	bool is_file;
	enum err_code rc;

	rc = split_flag(arg, name, &value, err);
	if (rc)
		return rc;
	field = find_field(name);
	is_file = str_equal(name, "config");
	if (!field && !is_file && str_starts_with(name, "no_")) {
		field = find_field(name + 3);
		if (field && field->kind == FIELD_BOOL && !value)
			return add_word(map, field, "false", arena, err);
		field = NULL;
	}
	if (!field && !is_file)
		return refuse_flag(arg, name, err);
	if (!value && field && field->kind == FIELD_BOOL)
		value = "true";
	if (!value && words->at + 1 < words->n)
		value = words->word[++words->at];
	if (!value)
		return err_set(err, ERR_INVALID, "option %s needs a value",
			       arg);
	if (is_file) {
		*ret_file = value;
		return ERR_NONE;
	}
	return add_word(map, field, value, arena, err);
}

/* --- the whole --- */

static enum err_code read_file(const char *path, struct arena *arena,
			       struct doc **ret, struct err *err)
{
	char *text;
	size_t len;
	enum err_code rc;

	rc = file_read_all(path, FILE_MAX, &text, &len, err);
	if (rc)
		return rc;
	rc = doc_parse_yaml(text, len, path, arena, ret, err);
	mem_free(text);
	if (!rc && (*ret)->kind != DOC_MAP)
		rc = err_set(err, ERR_INVALID,
			     "'%s': expected a map of options, got %s", path,
			     doc_describe(*ret, arena));
	return rc;
}

/* The stronger document's members replace the weaker one's. */
static enum err_code overlay(struct doc *under, const struct doc *over,
			     struct arena *arena, struct err *err)
{
	for (const struct doc *d = over->first; d; d = d->next) {
		struct doc *there = child_of(under, d->key);
		struct doc *copy = arena_copy(arena, d, sizeof(*d));

		if (!copy)
			return no_memory(err);
		if (there) {
			copy->next = there->next;
			*there = *copy;
		} else {
			copy->next = NULL;
			doc_add(under, d->key, copy);
		}
	}
	return ERR_NONE;
}

/* Each source is checked for itself, so that messages name it. */
static enum err_code check(const struct doc *map, const char *where,
			   struct arena *arena, struct err *err)
{
	struct config scratch;
	enum err_code rc =
	    field_read(fields, map, "", NULL, &scratch, arena, err);

	if (rc)
		(void)err_prefix(err, "%s", where);
	return rc;
}

/* There a pod is sent requests for a while after its SIGTERM; every container
 * has this variable. */
static bool is_pod(const char *const *environment)
{
	for (; environment && *environment; environment++)
		if (str_starts_with(*environment, "KUBERNETES_SERVICE_HOST="))
			return true;
	return false;
}

enum err_code config_read(int argc, const char *const *argv,
			  const char *const *environment, struct arena *arena,
			  struct config *ret, struct err *err)
{
	struct doc *env = doc_new(arena, DOC_MAP);
	struct doc *flags = doc_new(arena, DOC_MAP);
	struct doc *all = doc_new(arena, DOC_MAP), *file;
	struct words words = { .word = argv, .n = argc };
	struct config config = { 0 };
	enum err_code rc;

	if (!env || !flags || !all)
		return no_memory(err);
	rc = read_environment(environment, env, &config.file, arena, err);
	for (; words.at < words.n && !rc; words.at++)
		rc = read_flag(&words, flags, &config.file, arena, err);
	if (!rc && config.file) {
		rc = read_file(config.file, arena, &file, err);
		if (!rc)
			rc = check(file, config.file, arena, err);
		if (!rc)
			rc = overlay(all, file, arena, err);
	}
	if (!rc)
		rc = check(env, "environment", arena, err);
	if (!rc)
		rc = check(flags, "command line", arena, err);
	if (!rc)
		rc = overlay(all, env, arena, err);
	if (!rc)
		rc = overlay(all, flags, arena, err);
	if (!rc)
		rc = field_read(fields, all, "configuration", NULL, &config,
				arena, err);
	if (!rc && is_pod(environment) && !doc_find(all, "drain_delay"))
		config.drain_delay = POD_DRAIN_SECONDS;
	if (!rc)
		*ret = config;
	return rc;
}

/* --- printing --- */

static void print_flag(const struct field *field, char *text, size_t cap)
{
	static const char *const value[] = {
		[FIELD_BOOL] = "",	  [FIELD_INT] = " N",
		[FIELD_BYTES] = " BYTES", [FIELD_SECONDS] = " TIME",
		[FIELD_STRING] = " TEXT", [FIELD_STRINGS] = " DIR",
		[FIELD_ENUM] = " NAME",
	};

	(void)snprintf(text, cap, "--%s%s", field->name, value[field->kind]);
	for (char *c = text; *c && *c != ' '; c++)
		dash(c);
}

/* The value of one field as YAML (which takes JSON's scalars and lists). */
static void print_value(const struct field *field, const void *from, FILE *out)
{
	struct field row[2] = { *field, { 0 } };
	struct json_writer writer;
	struct buf buf;

	buf_init(&buf, 1 << 16);
	json_write_init(&writer, &buf);
	json_write_object(&writer, NULL);
	field_write(row, from, &writer);
	json_write_object_end(&writer);
	if (!buf_check(&buf, "configuration", NULL) && buf.len > 4) {
		const char *colon = strchr(buf.data, ':');

		buf.data[buf.len - 1] = '\0'; /* the closing brace */
		(void)fprintf(out, "%s", colon ? colon + 1 : "null");
	}
	buf_finish(&buf);
}

void config_print_help(FILE *out)
{
	struct config defaults = { 0 };
	char flag[NAME_MAX_BYTES + 16];

	field_defaults(fields, &defaults);
	(void)fprintf(out, "  %-*s %s\n", HELP_COLUMN, "--config FILE",
		      "YAML file of options; flags and PREDICTD_* variables "
		      "are stronger");
	for (const struct field *f = fields; f->name; f++) {
		print_flag(f, flag, sizeof(flag));
		(void)fprintf(out, "  %-*s %s", HELP_COLUMN, flag, f->help);
		if (f->kind != FIELD_STRINGS &&
		    (f->kind != FIELD_STRING || f->def_text)) {
			(void)fputs(" [", out);
			print_value(f, &defaults, out);
			(void)fputs("]", out);
		}
		(void)fputs("\n", out);
	}
}

void config_print_default(FILE *out)
{
	struct config defaults = { 0 };

	field_defaults(fields, &defaults);
	(void)fputs("# predictd: every option with its default. Flags have the "
		    "same names\n# (--max-body), variables too "
		    "(PREDICTD_MAX_BODY); both are stronger.\n",
		    out);
	for (const struct field *f = fields; f->name; f++) {
		(void)fprintf(out, "\n# %s\n#%s: ", f->help, f->name);
		print_value(f, &defaults, out);
		(void)fputs("\n", out);
	}
}

void config_print(const struct config *config, FILE *out)
{
	for (const struct field *f = fields; f->name; f++) {
		(void)fprintf(out, "%s: ", f->name);
		print_value(f, config, out);
		(void)fputs("\n", out);
	}
}
