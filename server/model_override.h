/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Model override: the configuration that a load brings with it, laid over
 * config.yaml.
 *
 * Keys are those of config.yaml (server/model_config.h), or what Triton's
 * clients call the same: `dynamic_batching`, `instance_group`,
 * `version_policy` with maps in it, `response_cache` with `enable`, and the
 * like. So the answer of /v2/models/M/config may come back, changed. What the
 * file of the model says (`input`, `output`) is taken from there all the same;
 * what cannot be done here (GPUs, other formats) is refused.
 *
 * Ownership: the result lives in the arena, and shares nodes with `base`.
 * Threads:   pure.
 */
#ifndef SERVER_MODEL_OVERRIDE_H
#define SERVER_MODEL_OVERRIDE_H

#include "base/doc.h"

/** text: one JSON object. name: of the model. base NULL: there is no
 * config.yaml. Keys that neither has go through: model_config_read() names
 * them. */
MUST_USE enum err_code model_override_apply(const char *text, const char *name,
					    const struct doc *base,
					    struct arena *arena,
					    const struct doc **ret_doc,
					    struct err *err);

#endif
