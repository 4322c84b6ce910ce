/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The answer of a learning rate finder, for people: the curve as bars, and
 * what it suggests.
 *
 * Threads: one.
 */
#ifndef CLI_LR_FIND_H
#define CLI_LR_FIND_H

#include "cli/cmd.h"

/** result: `rate`, `loss` and `suggestions`, as POST /train?lr_find=1 has
 * them. ERR_FORMAT where it is none. */
MUST_USE enum err_code lr_find_print(struct cli *cli, const struct doc *result,
				     struct err *err);

#endif
