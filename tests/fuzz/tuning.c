/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "engine/machine.h"
#include "engine/tuning.h"

enum { TEXT_MAX = TUNING_FILE_MAX };

/* A file of this machine, which the fuzzer need not guess. */
static void give_head(struct buf *buf, const uint8_t *data, size_t size)
{
	char machine[MACHINE_TEXT_MAX];

	buf_printf(buf, "predictd tuning 1\n%s\n", machine_text(machine));
	buf_put(buf, data, size);
}

/* What was accepted is written, and read back as the same. */
static void round_trip(struct tuning *tuning)
{
	struct tuning *again;
	struct buf first, second;

	if (tuning_create(NULL, &again, NULL))
		return;
	buf_init(&first, TEXT_MAX);
	buf_init(&second, TEXT_MAX);
	tuning_print(tuning, &first);
	tuning_parse(again, first.data, first.len);
	tuning_print(again, &second);
	assert(tuning_count(tuning) == tuning_count(again));
	assert(first.len == second.len &&
	       !memcmp(first.data, second.data, first.len));
	buf_finish(&first);
	buf_finish(&second);
	tuning_destroy(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tuning *tuning;
	struct buf buf;

	if (tuning_create(NULL, &tuning, NULL))
		return 0;
	buf_init(&buf, TEXT_MAX);
	tuning_parse(tuning, (const char *)data, size);
	give_head(&buf, data, size);
	if (!buf.fault)
		tuning_parse(tuning, buf.data, buf.len);
	round_trip(tuning);
	buf_finish(&buf);
	tuning_destroy(tuning);
	return 0;
}
