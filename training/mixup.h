/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Mixup (Zhang, Cisse, Dauphin and Lopez-Paz 2018): each row of a batch mixed
 * with another one, and the loss with both targets.
 *
 * The share is drawn of Beta(alpha, alpha), once a batch, and is that of the
 * row itself, at least 1/2; the other rows are those of the batch in another
 * order. Both are functions of (seed, number of the batch).
 *
 * Ownership: plain data. Threads: pure functions.
 */
#ifndef TRAINING_MIXUP_H
#define TRAINING_MIXUP_H

#include <stdint.h>

struct mixup_spec {
	double alpha; /**< 0: none */
};

/** The number of Beta(alpha, alpha); alpha > 0. */
double mixup_beta(uint64_t seed, uint64_t draw, double alpha);
/** The share, and partner[n]: the row that each is mixed with. */
double mixup_draw(uint64_t seed, uint64_t draw, double alpha, int64_t n,
		  int64_t *partner);

#endif
