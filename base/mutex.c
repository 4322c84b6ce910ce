/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mutex.h"

void mutex_init(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attr;

	/* none of these fails for a kind that glibc knows */
	(void)pthread_mutexattr_init(&attr);
	(void)pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
	(void)pthread_mutex_init(mutex, &attr);
	(void)pthread_mutexattr_destroy(&attr);
}
