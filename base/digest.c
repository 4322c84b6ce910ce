/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

#include <errno.h>
#include <nettle/memops.h>
#include <nettle/sha2.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/file.h"

enum { PIECE = 65536, HEX_MAX = 64 };

_Static_assert(sizeof(struct sha256_ctx) <= sizeof(struct digest),
	       "the library's state fits ours");
_Static_assert(_Alignof(struct sha256_ctx) <= _Alignof(struct digest),
	       "and its alignment");

static struct sha256_ctx *state_of(struct digest *digest)
{
	return (struct sha256_ctx *)(void *)digest->state;
}

static void to_hex(const uint8_t *bytes, size_t n_digits, char *ret_hex)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n_digits; i++)
		ret_hex[i] = digits[bytes[i / 2] >> (i % 2 ? 0 : 4) & 15];
	ret_hex[n_digits] = '\0';
}

void digest_init(struct digest *digest)
{
	sha256_init(state_of(digest));
}

void digest_update(struct digest *digest, const void *data, size_t len)
{
	if (len)
		sha256_update(state_of(digest), len, data);
}

void digest_finish(struct digest *digest, char ret_hex[DIGEST_HEX_MAX])
{
	uint8_t bytes[SHA256_DIGEST_SIZE];

	sha256_digest(state_of(digest), sizeof(bytes), bytes);
	to_hex(bytes, 2 * sizeof(bytes), ret_hex);
}

void digest_sha256(const void *data, size_t len, char ret_hex[DIGEST_HEX_MAX])
{
	struct digest digest = { 0 };

	digest_init(&digest);
	digest_update(&digest, data, len);
	digest_finish(&digest, ret_hex);
}

enum err_code digest_fd(int fd, const char *name, char ret_hex[DIGEST_HEX_MAX],
			struct err *err)
{
	unsigned char piece[PIECE];
	struct digest digest = { 0 };
	ssize_t n;

	digest_init(&digest);
	for (;;) {
		n = read(fd, piece, sizeof(piece));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		digest_update(&digest, piece, (size_t)n);
	}
	if (n < 0)
		return file_err(err, errno, "read", name);
	digest_finish(&digest, ret_hex);
	return ERR_NONE;
}

bool digest_equal(const void *a, const void *b, size_t len)
{
	return memeql_sec(a, b, len);
}

enum err_code digest_random(void *to, size_t len, struct err *err)
{
	unsigned char *at = to;

	while (len) {
		const ssize_t n = getrandom(at, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return file_err(err, errno, "read",
					"the kernel's random source");
		at += n;
		len -= (size_t)n;
	}
	return ERR_NONE;
}

enum err_code digest_random_hex(char *to, size_t n, struct err *err)
{
	uint8_t bytes[HEX_MAX / 2] = { 0 };
	enum err_code rc;

	if (n > HEX_MAX)
		return err_set(err, ERR_INVALID,
			       "random name: at most %d digits, not %zu",
			       HEX_MAX, n);
	rc = digest_random(bytes, (n + 1) / 2, err);
	if (!rc)
		to_hex(bytes, n, to);
	return rc;
}
