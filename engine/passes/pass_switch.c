/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/passes/pass_switch.h"

#include <string.h>

#include "base/field.h"
#include "base/str.h"
#include "engine/passes/pass.h"

enum { NAME_MAX_LEN = 64 };

static enum err_code unknown(const char *name, struct err *err)
{
	const char *names[PASS_MAX + 1] = { NULL };
	const char *near;

	for (unsigned i = 0; pass_at(i); i++)
		names[i] = pass_at(i)->name;
	near = field_nearest(name, names);
	if (near)
		return err_set(err, ERR_INVALID,
			       "there is no pass '%s': did you mean '%s'?",
			       name, near);
	return err_set(err, ERR_INVALID, "there is no pass '%s'", name);
}

/* The bit of a pass, or of all; 0: there is none. */
static uint64_t bits_of(const char *name)
{
	if (str_equal(name, "all"))
		return ~(uint64_t)0;
	for (unsigned i = 0; pass_at(i); i++)
		if (str_equal(pass_at(i)->name, name))
			return (uint64_t)1 << i;
	return 0;
}

static enum err_code parse_word(const char *word, size_t len,
				struct pass_switch *into, struct err *err)
{
	const bool is_off = len && word[0] == '-';
	char name[NAME_MAX_LEN];
	uint64_t bits;

	word += is_off;
	len -= is_off;
	if (!len || len >= sizeof(name))
		return err_set(err, ERR_INVALID,
			       "'%.*s': expected -NAME or NAME of a pass",
			       (int)(len + is_off), word - is_off);
	memcpy(name, word, len);
	name[len] = '\0';
	bits = bits_of(name);
	if (!bits)
		return unknown(name, err);
	into->off = is_off ? into->off | bits : into->off & ~bits;
	into->on = is_off ? into->on & ~bits : into->on | bits;
	return ERR_NONE;
}

enum err_code pass_switch_parse(const char *list, struct pass_switch *into,
				struct err *err)
{
	struct pass_switch passes = *into;
	enum err_code rc = ERR_NONE;

	for (bool more = *list != '\0'; more && !rc;) {
		const size_t space = strspn(list, " ");
		const size_t len = strcspn(list + space, ", ");
		const char *end = list + space + len;

		rc = parse_word(list + space, len, &passes, err);
		end += strspn(end, " ");
		if (!rc && *end && *end != ',')
			rc = err_set(err, ERR_INVALID, "'%s': expected a comma",
				     end);
		more = *end == ',';
		list = end + more;
	}
	if (!rc)
		*into = passes;
	return rc;
}
