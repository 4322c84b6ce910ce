/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Augmentation: pictures of the training part as they might have been.
 *
 * What is drawn is a function of (seed, epoch, place in the epoch). Flip,
 * rotation, zoom and warp become one map of places, and each sample is
 * interpolated once, as PyTorch's grid_sample with align_corners does. Light
 * is changed in the logits of samples from 0 to 1.
 *
 * Ownership: plain data. Threads: pure functions.
 */
#ifndef DATA_AUGMENT_H
#define DATA_AUGMENT_H

#include "base/doc.h"
#include "base/rng.h"
#include "engine/tensor.h"

struct json_writer;

enum augment_pad { PAD_REFLECTION, PAD_ZEROS, PAD_BORDER };

/** Where a picture is, of all that are augmented. */
struct augment_place {
	struct rng rng; /**< by seed, input and epoch */
	uint64_t element;
};

/** The map `augmentation` of a job; what is left out is not done. */
struct augment_spec {
	bool is_on;
	double flip_lr, flip_vert; /**< probabilities */
	double max_rotate;	   /**< degrees */
	double max_zoom;	   /**< at least 1 */
	double max_warp, max_lighting;
	double p_affine, p_lighting; /**< of each of the others */
	int pad_mode;		     /**< enum augment_pad */
};

/** NULL: none. */
MUST_USE enum err_code augment_read(const struct doc *map,
				    struct augment_spec *ret,
				    struct arena *arena, struct err *err);
/** The members of its JSON Schema. */
void augment_schema(struct json_writer *writer);
/** The member "augmentation", where there is one. */
void augment_write(const struct augment_spec *spec, struct json_writer *writer);

/** Of the place (x, y, 1) in the result, -1 to 1 between the middles of corner
 * samples, the place in the source, over its third number. */
struct augment_map {
	double at[3][3];
};

/** What becomes of one picture. */
struct augment_draw {
	bool moves, lights;
	struct augment_map map;
	double brightness, contrast; /**< added to logits; times logits */
};

/** width and height: of the picture. */
struct augment_draw augment_draw(const struct augment_spec *spec,
				 const struct augment_place *place,
				 int64_t width, int64_t height);
/** A picture: channels, height, width. */
struct augment_picture {
	struct shape shape;
	const double *mean,
	    *std;	      /**< that samples were brought by, by channel */
	float *sample, *room; /**< room is as large */
};
void augment_apply(const struct augment_draw *draw, int pad_mode,
		   const struct augment_picture *picture);

#endif
