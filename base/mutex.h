/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Mutex: one for a moment's work.
 *
 * Who finds it taken looks again for a moment before it sleeps: to sleep and be
 * woken takes a hundred times as long as most that is done under a lock.
 *
 * Ownership: pthread_mutex_destroy() ends it, and all else is pthread's.
 * Threads:   any.
 */
#ifndef BASE_MUTEX_H
#define BASE_MUTEX_H

#include <pthread.h>

void mutex_init(pthread_mutex_t *mutex);

#endif
