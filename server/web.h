/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The files of web/, as they are built into the binary.
 *
 * Threads: const.
 */
#ifndef SERVER_WEB_H
#define SERVER_WEB_H

#include <stddef.h>

extern const unsigned char web_dashboard[], web_docs[], web_schemas[];
extern const size_t web_dashboard_len, web_docs_len, web_schemas_len;

#endif
