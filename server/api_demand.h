/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Demand: models that requests ask for, whether they are loaded or not.
 *
 * A handler finds its model with api_find_model(). When that is parked it
 * gets an error, returns it as any other, and the route then loads the model on
 * another thread and calls the handler anew, from its beginning: it finds the
 * model then, however many others ask for models that push it out.
 *
 * Before the body of a request is read, api_admit_head() refuses what would be
 * refused later: a caller beyond its rate, a model whose queue is full.
 *
 * Ownership: what a request holds.
 * Threads:   as the request.
 */
#ifndef SERVER_API_DEMAND_H
#define SERVER_API_DEMAND_H

#include "server/api.h"

struct rate;
struct served_model;

/** name NULL: the only model. version: a number, a label, or NULL for the
 * default one. The caller unrefs the model. */
MUST_USE enum err_code api_find_model(struct api_request *request,
				      const char *name, const char *version,
				      struct served_model **ret_model,
				      struct err *err);
/** After a handler has failed: true when it failed for a model that is parked;
 * the request is suspended then. */
bool api_demand(struct api_request *request);
/** ERR_RATE beyond the rate; NULL: no limit. */
MUST_USE enum err_code api_take_rate(struct api_request *request,
				     struct rate *rate, const char *whose,
				     struct err *err);
/** Rate and queue of a model, once for a request. A model that is not there is
 * fine: the handler says so. */
MUST_USE enum err_code api_admit(struct api_request *request, const char *name,
				 const char *version, struct err *err);
/** The same when only the head of the request is known: for the model of its
 * path, or the only one that there is; otherwise the body will say. A client
 * that waits (Expect: 100-continue) hears of a model that is not there, too. */
MUST_USE enum err_code api_admit_head(struct api_request *request,
				      struct err *err);

/** What a route's part {version}, a number or a label, asks of a list of
 * versions: 0 where it is left out. ERR_NOT_FOUND. */
MUST_USE enum err_code api_version_wanted(const struct api_request *request,
					  int64_t *ret_version,
					  struct err *err);
/** ERR_NOT_FOUND: the list has none of that version. */
enum err_code api_no_version(const struct api_request *request,
			     struct err *err);

#endif
