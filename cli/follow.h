/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Follow: shows a job until it is over, whatever happens to the connection.
 *
 * Events come as server-sent events; when the connection breaks (the daemon
 * restarts, say) it is made anew from the event that came last. On a terminal
 * there is a bar, redrawn in place; elsewhere one line an evaluation, and one
 * for progress at most every FOLLOW_LINE_MS. Ctrl-C ends the following only.
 *
 * Threads: one; SIGINT is taken by a descriptor meanwhile.
 * Limits:  gives up when nothing answers for FOLLOW_GIVE_UP_MS.
 */
#ifndef CLI_FOLLOW_H
#define CLI_FOLLOW_H

struct cli;

enum { FOLLOW_LINE_MS = 10000, FOLLOW_GIVE_UP_MS = 120000 };

/** The exit status: CLI_OK when the job succeeded, CLI_FAILED when it failed
 * or was cancelled, CLI_INTERRUPTED on Ctrl-C. The last word on the job is
 * printed to standard output (its JSON with --json). */
int follow_job(struct cli *cli, const char *id);
/** Prints events as lines of JSON until the job is over. */
int follow_events(struct cli *cli, const char *id);

#endif
