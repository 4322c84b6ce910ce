/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* FIPS 180-4's examples and the empty message */
static const struct {
	const char *text, *hex;
} cases[] = {
	{ "", "e3b0c44298fc1c149afbf4c8996fb924"
	      "27ae41e4649b934ca495991b7852b855" },
	{ "abc", "ba7816bf8f01cfea414140de5dae2223"
		 "b00361a396177a9cb410ff61f20015ad" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	  "248d6a61d20638b8e5c026930c3e6039"
	  "a33ce45964ff2167f6ecedd419db06c1" },
};

Test(digest, agrees_with_the_standard)
{
	char hex[DIGEST_HEX_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		digest_sha256(cases[i].text, strlen(cases[i].text), hex);
		cr_assert_str_eq(hex, cases[i].hex);
	}
}

Test(digest, in_pieces_is_the_same_and_starts_anew)
{
	const char *text = cases[2].text;
	char hex[DIGEST_HEX_MAX];
	struct digest digest;

	digest_init(&digest);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < strlen(text); i++)
			digest_update(&digest, text + i, 1);
		digest_finish(&digest, hex);
		cr_assert_str_eq(hex, cases[2].hex);
	}
}

Test(digest, reads_a_descriptor)
{
	const int fd = memfd_create("digest", MFD_CLOEXEC);
	char hex[DIGEST_HEX_MAX];
	struct err err;

	cr_assert_eq(write(fd, "abc", 3), 3);
	cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
	cr_assert_eq(digest_fd(fd, "abc", hex, &err), ERR_NONE);
	cr_assert_str_eq(hex, cases[1].hex);
	close(fd);
	cr_assert_eq(digest_fd(-1, "gone", hex, &err), ERR_IO);
	cr_assert_str_eq(err.msg, "cannot read 'gone': Bad file descriptor");
}

Test(digest, compares_secrets)
{
	cr_assert(digest_equal("abc", "abc", 3));
	cr_assert(!digest_equal("abc", "abd", 3));
	cr_assert(digest_equal("a", "b", 0));
}

Test(digest, makes_names_that_differ)
{
	char a[65], b[65];
	struct err err;

	cr_assert_eq(digest_random_hex(a, 33, &err), ERR_NONE);
	cr_assert_eq(digest_random_hex(b, 33, &err), ERR_NONE);
	cr_assert_eq(strlen(a), 33);
	cr_assert_eq(strspn(a, "0123456789abcdef"), 33);
	cr_assert_str_neq(a, b);
	cr_assert_eq(digest_random_hex(a, 65, &err), ERR_INVALID);
}
