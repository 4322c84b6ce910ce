/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Codec CSV: rows of features from a table whose first line names them.
 *
 * Ownership: as codec_predict. Threads: as the request.
 * Limits:    100,000 lines, 4,096 columns.
 */
#ifndef SERVER_CODEC_CSV_H
#define SERVER_CODEC_CSV_H

#include "server/codec_predict.h"

MUST_USE enum err_code codec_read_csv(struct inference *inference,
				      const char *text, size_t len,
				      struct err *err);

#endif
