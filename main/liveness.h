/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Liveness: asks the daemon's own socket whether it still answers, which is
 * what the watchdog of systemd is told.
 *
 * Threads: any.
 */
#ifndef MAIN_LIVENESS_H
#define MAIN_LIVENESS_H

#include <stdbool.h>
#include <stdint.h>

/** GET /v2/health/live gives 200 within a second. */
bool liveness_check(const char *host, uint16_t port);

#endif
