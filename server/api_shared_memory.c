/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Shared memory between client and server is not offered: a region named by a
 * request would be a file of this machine named by a request. Clients that try
 * learn so from a status of its own, rather than from an unknown path.
 */
#include "server/api_handlers.h"

enum err_code api_shared_memory(struct api_request *request, struct err *err)
{
	(void)request;
	return err_set(err, ERR_NOT_OFFERED,
		       "shared memory is not offered: GET /v2 lists the "
		       "extensions that are");
}
