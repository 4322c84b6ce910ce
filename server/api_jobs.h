/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Jobs over HTTP: what its handlers work on.
 *
 * Ownership: borrowed by the server for its life; a member of api_context.
 * Threads:   any.
 */
#ifndef SERVER_API_JOBS_H
#define SERVER_API_JOBS_H

struct datasets;
struct event_hub;
struct run_pool;
struct store;
struct supervisor;

struct jobs_api {
	struct supervisor *supervisor;
	struct store *store;
	struct event_hub *hub;
	struct run_pool *background; /**< for dry runs, which take seconds */
	struct datasets *datasets;
	struct run_pool *transfers; /**< for uploads, which wait for the disk */
};

#endif
