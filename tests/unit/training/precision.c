/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/unit/training/rig.h"

/* The way may be another, where it leads to may not. */
Test(precision, products_of_bfloat16_learn_as_much)
{
	static const char *const precision[] = { "fp32", "bf16" };
	double loss[2], first[2];
	char text[1024];

	for (int i = 0; i < 2; i++) {
		struct rig rig;

		(void)snprintf(text, sizeof(text),
			       NETWORK "trainer: {epochs: 8, batch_size: 16,"
				       " learning_rate: 0.01, precision: %s}\n",
			       precision[i]);
		rig_begin(&rig, text, 1);
		rig_run(&rig, NULL);
		first[i] = rig_figure(&rig.eval[0], "train_loss");
		loss[i] = rig_figure(&rig.eval[7], "train_loss");
		cr_expect_gt(rig_figure(&rig.result.last, "valid_accuracy"),
			     0.5);
		rig_end(&rig);
	}
	cr_expect_neq(first[0], first[1]);
	cr_expect_float_eq(first[0], first[1], 0.02 * first[0], "%g, %g",
			   first[0], first[1]);
	cr_expect_float_eq(loss[0], loss[1], 0.1 * loss[0], "%g, %g", loss[0],
			   loss[1]);
}
