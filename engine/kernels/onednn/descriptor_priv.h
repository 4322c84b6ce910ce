/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Descriptors: how oneDNN is told of operands, and what it answers.
 *
 * Threads: pure, but for onednn_quiet().
 */
#ifndef ENGINE_KERNELS_ONEDNN_DESCRIPTOR_PRIV_H
#define ENGINE_KERNELS_ONEDNN_DESCRIPTOR_PRIV_H

#include <dnnl.h>

#include "engine/tensor.h"

/** Tells OpenMP, once a thread, that oneDNN gets one thread. */
void onednn_quiet(void);
/** ERR_UNSUPPORTED names oneDNN's status; ERR_NONE for success. */
MUST_USE enum err_code onednn_check(dnnl_status_t status, const char *what,
				    struct err *err);

/** A dense descriptor of floats; strides NULL: row-major. */
MUST_USE enum err_code onednn_desc(const struct shape *shape,
				   const int64_t *stride,
				   dnnl_memory_desc_t *ret, struct err *err);
MUST_USE enum err_code onednn_desc_of(dnnl_data_type_t type,
				      const struct shape *shape,
				      const int64_t *stride,
				      dnnl_memory_desc_t *ret, struct err *err);
/** One whose form the library chooses. */
MUST_USE enum err_code onednn_any(const struct shape *shape,
				  dnnl_memory_desc_t *ret, struct err *err);
MUST_USE enum err_code onednn_any_of(dnnl_data_type_t type,
				     const struct shape *shape,
				     dnnl_memory_desc_t *ret, struct err *err);

#endif
