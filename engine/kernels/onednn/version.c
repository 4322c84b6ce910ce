/* SPDX-License-Identifier: Apache-2.0 */
#include <dnnl.h>
#include <stdio.h>

#include "engine/kernels/onednn/onednn.h"

const char *onednn_version(char ret_text[ONEDNN_VERSION_MAX])
{
	const dnnl_version_t *v = dnnl_version();

	(void)snprintf(ret_text, ONEDNN_VERSION_MAX,
		       "oneDNN %d.%d.%d %.8s isa %x", v->major, v->minor,
		       v->patch, v->hash,
		       (unsigned)dnnl_get_effective_cpu_isa());
	return ret_text;
}
