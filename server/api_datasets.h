/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Uploads over HTTP: what begins before the body.
 *
 * Threads: the connection's; pieces are written on jobs_api.transfers.
 */
#ifndef SERVER_API_DATASETS_H
#define SERVER_API_DATASETS_H

#include "server/api.h"

/** For a request whose route takes an upload: checks name, digest and who reads
 * what it would replace, opens the file and sets request->sink. */
MUST_USE enum err_code api_datasets_open(struct api_request *request,
					 struct err *err);

#endif
