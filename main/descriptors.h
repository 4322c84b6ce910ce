/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Descriptors: as many as the connections need, and some for files.
 *
 * Where connections take the last one, models cannot be read and checkpoints
 * cannot be written, though the server looks well.
 *
 * Threads: any; the limit is the process's.
 */
#ifndef MAIN_DESCRIPTORS_H
#define MAIN_DESCRIPTORS_H

/** Raises the process's limit as far as `connections` need it. Returns how many
 * there may be: fewer where the system allows no more, which is logged. */
unsigned descriptors_for(unsigned connections);

#endif
