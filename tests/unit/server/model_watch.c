/* SPDX-License-Identifier: Apache-2.0 */
#include "server/model_watch.h"

#include <criterion/criterion.h>

#include "base/clock.h"
#include "tests/unit/models/scratch.h"

Test(model_watch, tells_of_changes_and_otherwise_waits)
{
	struct model_watch *watch;
	struct scratch scratch;
	struct err err;

	scratch_begin(&scratch);
	cr_assert_eq(model_watch_create(&watch, &err), ERR_NONE);
	model_watch_add(watch, scratch.path);
	model_watch_add(watch, "/nowhere/at/all");
	cr_assert_eq(model_watch_wait(watch, clock_deadline_ns(5)),
		     WATCH_TIMEOUT);
	scratch_file(&scratch, "a", "x", 1);
	scratch_file(&scratch, "b", "x", 1);
	cr_assert_eq(model_watch_wait(watch, CLOCK_FOREVER), WATCH_CHANGED);
	/* both were one change */
	cr_assert_eq(model_watch_wait(watch, clock_deadline_ns(5)),
		     WATCH_TIMEOUT);
	model_watch_stop(watch);
	cr_assert_eq(model_watch_wait(watch, CLOCK_FOREVER), WATCH_STOPPED);
	cr_assert_eq(model_watch_wait(watch, CLOCK_FOREVER), WATCH_STOPPED);
	model_watch_destroy(watch);
	scratch_end(&scratch);
}
