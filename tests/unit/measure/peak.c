/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/peak.h"

#include <criterion/criterion.h>

Test(peak, is_what_a_machine_of_this_century_reaches)
{
	struct peak peak;

	cr_assert_eq(peak_measure(&peak, NULL), ERR_NONE);
	/* sanitizers slow it down; nothing makes it a hundred times better */
	cr_assert(peak.gflops > 0.01 && peak.gflops < 10000, "%g", peak.gflops);
	cr_assert(peak.read_gbytes > 0.01 && peak.read_gbytes < 10000, "%g",
		  peak.read_gbytes);
}
