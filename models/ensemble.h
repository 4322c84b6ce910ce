/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Ensemble: several models of the repository as one.
 *
 * config.yaml of a folder without versions says which model reads what:
 *
 *	ensemble:
 *	  steps:
 *	    - {model: scale, inputs: {x: picture}, outputs: {y: scaled}}
 *	    - {model: digits, version: 3, inputs: {image: scaled},
 *	       outputs: {label: label}}
 *	  outputs: [label]       # or: what no step reads
 *
 * Names on the right are the ensemble's own: those that no step makes are its
 * inputs. The graphs become one graph, which is planned as any other: nothing
 * is copied between steps, and passes see across them. A step without a version
 * is the highest there is when the ensemble is loaded.
 *
 * Ownership: the package holds those of its steps, whose constants it reads.
 * Threads:   pure, but for what the repository does.
 * Limits:    64 steps; no ensemble in an ensemble; no features.
 */
#ifndef MODELS_ENSEMBLE_H
#define MODELS_ENSEMBLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct doc;
struct package;
struct repository;

/** Is config.yaml one of an ensemble? NULL is none. */
const struct doc *ensemble_of(const struct doc *config);

/** Is the model one of its steps? ensemble NULL: no. */
bool ensemble_has_step(const struct doc *ensemble, const char *model);

/** ERR_INVALID names the step and what is in the way. */
MUST_USE enum err_code ensemble_load(struct repository *repository,
				     const char *name,
				     const struct doc *ensemble,
				     struct package **ret_package,
				     struct err *err);
/** Another number when a step would be another version, or its files. */
MUST_USE enum err_code ensemble_stamp(struct repository *repository,
				      const struct doc *ensemble,
				      uint64_t *ret_stamp, struct err *err);

#endif
