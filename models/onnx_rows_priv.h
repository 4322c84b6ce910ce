/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Repeated fields of messages, read into lists: counted first, so that each
 * list is allocated once.
 *
 * Ownership: lists are in the reader's scratch arena.
 * Threads:   one reader a read.
 * Limits:    ONNX_LIST_MAX rows a list.
 */
#ifndef MODELS_ONNX_ROWS_PRIV_H
#define MODELS_ONNX_ROWS_PRIV_H

#include "models/onnx_priv.h"

enum { ONNX_LIST_MAX = 1 << 20 };

/** Reads one message of a repeated field into a zeroed row. */
typedef enum err_code onnx_parse_row(const struct onnx_reader *reader,
				     struct wire message, void *row,
				     struct err *err);

/** One repeated field of messages: where its rows go. */
struct onnx_rows {
	uint32_t field; /**< 0 ends a table */
	const char *what;
	size_t size; /**< of a row */
	onnx_parse_row *parse;
	void *row;
	int32_t n, cap;
};

/** The lists of one message. */
MUST_USE enum err_code onnx_parse_rows(const struct onnx_reader *reader,
				       struct wire message,
				       struct onnx_rows *all, struct err *err);
struct onnx_texts {
	const char **at;
	int32_t n;
};
/** All texts of a repeated field. */
MUST_USE enum err_code onnx_parse_texts(const struct onnx_reader *reader,
					struct wire message, uint32_t field,
					const char *what,
					struct onnx_texts *ret,
					struct err *err);

/* Rows of the lists that several messages have. */
onnx_parse_row onnx_parse_node;	  /**< struct onnx_node */
onnx_parse_row onnx_parse_import; /**< struct onnx_import */

#endif
