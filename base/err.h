/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Errors: one code, one sentence, one place.
 *
 * A function that can fail returns `enum err_code` and takes `struct err *`
 * last. The place that finds the fault writes the sentence with err_set(),
 * which also returns the code; those above only pass it on. The row of a code
 * carries its HTTP status and its name on the wire, so no caller maps codes.
 *
 * Ownership: a struct err belongs to the caller and holds no memory.
 * Threads:   plain data, no globals.
 * Limits:    a message has at most ERR_MSG_MAX - 1 bytes; longer is cut at a
 *            character boundary and ends in "...".
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define MUST_USE __attribute__((warn_unused_result))

#define ERR_LIST(X)                                  \
	X(NONE, 200, "ok")                           \
	X(INVALID, 400, "invalid_argument")          \
	X(SHAPE, 400, "shape_mismatch")              \
	X(TIMEOUT, 408, "request_timeout")           \
	X(UNAUTHENTICATED, 401, "unauthenticated")   \
	X(FORBIDDEN, 403, "forbidden")               \
	X(NOT_FOUND, 404, "not_found")               \
	X(METHOD, 405, "method_not_allowed")         \
	X(CONFLICT, 409, "conflict")                 \
	X(TOO_LARGE, 413, "too_large")               \
	X(MEDIA_TYPE, 415, "unsupported_media_type") \
	X(UNSUPPORTED, 400, "unsupported")           \
	X(RATE, 429, "rate_limited")                 \
	X(FORMAT, 500, "corrupt_data")               \
	X(IO, 500, "io_error")                       \
	X(INTERNAL, 500, "internal")                 \
	X(NOT_OFFERED, 501, "not_offered")           \
	X(NOT_READY, 503, "not_ready")               \
	X(BUSY, 503, "queue_full")                   \
	X(NO_MEMORY, 503, "out_of_memory")           \
	X(CANCELLED, 503, "cancelled")               \
	X(DEADLINE, 504, "deadline_exceeded")        \
	X(NO_SPACE, 507, "no_space")

enum err_code {
#define ERR_ENUM(code, http, wire) ERR_##code,
	ERR_LIST(ERR_ENUM)
#undef ERR_ENUM
	    ERR_COUNT
};

enum { ERR_MSG_MAX = 1024 };

struct err {
	enum err_code code;
	int line; /**< where it was found */
	const char *file;
	char msg[ERR_MSG_MAX]; /**< names the input, what was expected, what
				  came */
};

/** HTTP status of a code. */
int err_http(enum err_code code);
/** Name of a code on the wire, such as "invalid_argument". */
const char *err_wire(enum err_code code);

/** Records code and sentence; err may be NULL. */
void err_set_at(struct err *err, enum err_code code, const char *file, int line,
		const char *format, ...) __attribute__((format(printf, 5, 6)));
/** The same, and its value is the code: an expression, so that compilers and
 * analyzers see that it is not ERR_NONE. */
#define err_set(err, code, ...)                                      \
	(err_set_at((err), (code), __FILE__, __LINE__, __VA_ARGS__), \
	 (enum err_code)(code))

/** Puts "context: " before the sentence that is there; returns its code. */
enum err_code err_prefix(struct err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
