/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * `predictd worker`: how the supervisor starts the process of one job.
 *
 * Threads: one, at start.
 */
#ifndef MAIN_WORKER_COMMAND_H
#define MAIN_WORKER_COMMAND_H

/** argv from the word behind `worker` on; the exit status of the process. */
int worker_command(int argc, const char *const *argv);

#endif
