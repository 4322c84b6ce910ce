/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Notify: what systemd is told (sd_notify(3)): one datagram to the socket that
 * NOTIFY_SOCKET names; nothing where there is none.
 *
 * Threads: one.
 */
#ifndef MAIN_NOTIFY_H
#define MAIN_NOTIFY_H

#include <stdint.h>

/** Such as "READY=1". What cannot be sent is not: nothing depends on it. */
void notify_send(const char *state);
/** How often WATCHDOG=1 is wanted (half of WATCHDOG_USEC), in ms; 0: never. */
int64_t notify_watchdog_ms(void);

#endif
