/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Package: one version of a model at rest, loaded.
 *
 * A folder MODEL/VERSION with model.onnx; optional model.yaml (signature,
 * labels, feature pipeline, lineage, metrics) and manifest.json (sha256 of
 * every file, checked when it is there).
 *
 * Ownership: counted and immutable after load; graph, pipeline and strings end
 *            with the last unref. Elements are copied out of the file, so
 *            that one who cuts it short cannot take the process with it;
 *            large constants are shared with other packages (engine/pack.h).
 * Threads:   read only.
 */
#ifndef MODELS_PACKAGE_H
#define MODELS_PACKAGE_H

#include "engine/passes/pass_switch.h"
#include "engine/precision/precision.h"
#include "models/signature.h"

struct calibration; /* models/calibration.h */
struct doc;
struct file_root;
struct pack_store; /* engine/pack.h */
struct packs;
struct pipeline; /* data/pipeline.h */

/** Where a version is. */
struct package_source {
	const struct file_root *root; /**< the repository's folder */
	const char *path;	      /**< MODEL/VERSION beneath it */
	const char *name;	      /**< of the model */
	int64_t version;
	/** Shared by packages whose plans may share packed constants; NULL:
	 * this one's plans only. */
	struct pack_store *packs;
};

struct package {
	const char *name; /**< of the model */
	int64_t version;
	struct graph *graph; /**< typed: ready for plans, which widen */
	struct packs *packs; /**< keeps its constants: for plan_options */
	struct model_signature signature;
	struct pipeline *pipeline; /**< NULL: a model without features */
	const struct doc *about;   /**< model.yaml, or NULL */
	/** A language model that hands a state from run to run
	 * (models/network.h), by these of its two inputs and outputs. */
	bool has_state;
	unsigned state_in, state_out;
	size_t bytes; /**< of its files */
	bool batches; /**< may_batch, and the check agreed */
	struct precision_report precision;
	bool is_calibrated; /**< by rows that somebody gave */
};

MUST_USE enum err_code package_load(const struct package_source *source,
				    struct package **ret_package,
				    struct err *err);
/** A lone file, for the measuring commands. */
MUST_USE enum err_code package_load_file(const char *path,
					 struct package **ret_package,
					 struct err *err);
/** Runs the LOAD passes over its graph (engine/passes/pass.h). Once, by who
 * is about to plan it and before anybody else holds it. */
MUST_USE enum err_code package_prepare(struct package *package,
				       struct pass_switch passes,
				       struct err *err);
/** What a model is to be computed in, and what is known of its inputs. */
struct package_precision {
	enum precision precision;
	const struct calibration *calibration; /**< NULL: random rows */
	struct plan_options plan; /**< of the plans that will serve */
};
/** Then this, where precision is not fp32: engine/precision/precision.h.
 * The report is left in package->precision. */
MUST_USE enum err_code package_narrow(struct package *package,
				      const struct package_precision *wish,
				      struct err *err);
struct package *package_ref(struct package *package);
void package_unref(struct package *package);

#endif
