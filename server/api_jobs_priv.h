/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * What the handlers of jobs share.
 *
 * Threads: as the request.
 */
#ifndef SERVER_API_JOBS_PRIV_H
#define SERVER_API_JOBS_PRIV_H

#include "server/api_jobs.h"
#include "server/server_priv.h"

struct store_job;

/** ERR_NOT_FOUND where the server does not train. */
MUST_USE enum err_code jobs_api_check(const struct api_request *request,
				      struct err *err);

/** The job that the path names, in the request's arena. ERR_NOT_FOUND also
 * where the server does not train. */
MUST_USE enum err_code jobs_api_find(struct api_request *request,
				     struct store_job *ret_job,
				     struct err *err);

#endif
