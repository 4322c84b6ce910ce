/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * What stands around the run of an inference.
 *
 * Threads: as the request.
 */
#ifndef SERVER_INFERENCE_PRIV_H
#define SERVER_INFERENCE_PRIV_H

#include "server/inference.h"
#include "server/sequences.h"

/** True: the answer to these inputs is known, and is the call's. */
bool inference_find_answer(struct inference *inference);
/** After a run: for the next time. */
void inference_keep_answer(const struct inference *inference);
/** Gives the state of the request's sequence in, if it is of one. */
MUST_USE enum err_code inference_enter_sequence(struct inference *inference,
						struct err *err);
/** Keeps the state of a run; without one the sequence stays as it was. Twice
 * is fine. */
void inference_leave_sequence(struct inference *inference, bool has_run);

#endif
