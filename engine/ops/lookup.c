/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ops/lookup.h"

#include <math.h>

#include "base/hash.h"
#include "base/mem.h"
#include "engine/ops/text.h"

enum { KEY_BYTES = 16 };

struct lookup {
	enum dtype elem;
	size_t size; /* of an element */
	const char *keys;
	int64_t *slot; /* 1 + number of a key; 0: free */
	size_t mask;   /* slots - 1, a power of two less one */
};

/* What is hashed and compared: elements that are equal have equal bytes. */
static struct str key_bytes(enum dtype elem, const void *element,
			    char room[KEY_BYTES])
{
	const size_t size = dtype_info(elem)->size;
	float f;
	double d;

	if (elem == DTYPE_STRING)
		return *(const struct str *)element;
	memcpy(room, element, size);
	if (elem == DTYPE_F32) {
		memcpy(&f, element, sizeof(f));
		f = isnan(f) ? NAN : f == 0 ? 0 : f;
		memcpy(room, &f, sizeof(f));
	} else if (elem == DTYPE_F64) {
		memcpy(&d, element, sizeof(d));
		d = isnan(d) ? (double)NAN : d == 0 ? 0 : d;
		memcpy(room, &d, sizeof(d));
	}
	return (struct str){ room, size };
}

/* The low bits are stirred once more. */
static size_t hash(const struct str *key)
{
	const uint64_t h = hash_mix(HASH_BEGIN, key->bytes, key->len);

	return (size_t)(h ^ h >> 29);
}

enum err_code lookup_create(enum dtype elem, const void *keys, size_t n,
			    struct lookup **ret, struct err *err)
{
	struct lookup *lookup = mem_zero(sizeof(*lookup));
	size_t slots = 4;

	while (slots < 2 * n)
		slots *= 2;
	if (lookup)
		lookup->slot = mem_array(slots, sizeof(*lookup->slot));
	if (!lookup || !lookup->slot) {
		mem_free(lookup);
		return err_set(err, ERR_NO_MEMORY, "no memory for %zu keys", n);
	}
	lookup->elem = elem;
	lookup->size = dtype_info(elem)->size;
	lookup->keys = keys;
	lookup->mask = slots - 1;
	*ret = lookup;
	return ERR_NONE;
}

enum err_code lookup_create_full(enum dtype elem, const void *keys, size_t n,
				 struct lookup **ret, struct err *err)
{
	enum err_code rc = lookup_create(elem, keys, n, ret, err);

	for (size_t i = 0; i < n && !rc; i++)
		lookup_add(*ret, i);
	return rc;
}

/* The slot where that key is, or would be. */
static size_t find_slot(const struct lookup *lookup, const void *element)
{
	char room[KEY_BYTES], other[KEY_BYTES];
	const struct str key = key_bytes(lookup->elem, element, room);
	size_t at = hash(&key) & lookup->mask;

	for (; lookup->slot[at]; at = (at + 1) & lookup->mask) {
		const size_t i = (size_t)lookup->slot[at] - 1;
		const struct str there = key_bytes(
		    lookup->elem, lookup->keys + i * lookup->size, other);

		if (text_equal(&key, &there))
			break;
	}
	return at;
}

void lookup_add(struct lookup *lookup, size_t i)
{
	const size_t at = find_slot(lookup, lookup->keys + i * lookup->size);

	lookup->slot[at] = (int64_t)i + 1;
}

int64_t lookup_find(const struct lookup *lookup, const void *element)
{
	return lookup->slot[find_slot(lookup, element)] - 1;
}

void lookup_destroy(struct lookup *lookup)
{
	if (!lookup)
		return;
	mem_free(lookup->slot);
	mem_free(lookup);
}
