/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Parameters of a request that say how it is run.
 */
#include "server/inference.h"
#include "server/json_pull.h"

enum err_code inference_take_parameter(struct inference *inference,
				       struct str key, struct json_pull *pull,
				       struct err *err)
{
	if (json_pull_is(key, "priority"))
		return json_pull_uint(pull, &inference->priority, err);
	return json_pull_value(pull, NULL, err);
}
