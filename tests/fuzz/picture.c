/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>

#include "base/mem.h"
#include "engine/kernels/picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int channels = 1; channels <= 3; channels += 2) {
		struct picture picture;
		struct err err;

		if (picture_decode(data, size, channels, &picture, &err))
			continue;
		assert(picture.channels == channels);
		assert(picture.width >= 1 && picture.height >= 1);
		mem_free(picture.pixel);
	}
	return 0;
}
