/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/content.h"

#include <ctype.h>
#include <strings.h>

static const struct {
	const char *bytes;
	size_t at, len;
	const char *type;
} magics[] = {
	{ "\x89PNG\r\n\x1a\n", 0, 8, "image/png" },
	{ "\xff\xd8\xff", 0, 3, "image/jpeg" },
	{ "WAVE", 8, 4, "audio/wav" },
	{ "WEBP", 8, 4, "image/webp" },
	{ "GIF8", 0, 4, "image/gif" },
	{ "fLaC", 0, 4, "audio/flac" },
};

static const struct {
	const char *ending, *type;
} endings[] = {
	{ ".json", "application/json" }, { ".csv", "text/csv" },
	{ ".txt", "text/plain" },	 { ".png", "image/png" },
	{ ".jpg", "image/jpeg" },	 { ".jpeg", "image/jpeg" },
	{ ".wav", "audio/wav" },	 { ".yaml", "application/yaml" },
};

const char *content_type_of(const char *name, const void *bytes, size_t len)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
		if (len >= magics[i].at + magics[i].len &&
		    !memcmp((const char *)bytes + magics[i].at, magics[i].bytes,
			    magics[i].len))
			return magics[i].type;
	}
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		size_t m = strlen(endings[i].ending);

		if (n > m && !strcasecmp(name + n - m, endings[i].ending))
			return endings[i].type;
	}
	/* the bytes end with a NUL only when the caller read a file whole */
	return len && content_is_json(bytes) ? "application/json"
					     : "application/octet-stream";
}

bool content_is_json(const char *text)
{
	while (isspace((unsigned char)*text))
		text++;
	return *text == '{' || *text == '[';
}
