/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Pictures of features: resizing. Decoding is the engine's.
 *
 * Ownership: pixels are the caller's (mem_free).
 * Threads:   pure.
 */
#ifndef DATA_FEATURES_PICTURE_H
#define DATA_FEATURES_PICTURE_H

#include "engine/kernels/picture.h"

enum resize { RESIZE_SQUISH, RESIZE_CROP, RESIZE_PAD };

/** To width x height: squish ignores the aspect, crop fills and cuts the
 * middle, pad fits and adds black. Separable triangle filter whose support
 * grows with the reduction, so that nothing is skipped. */
MUST_USE enum err_code picture_resize(const struct picture *from, int width,
				      int height, enum resize how,
				      struct picture *ret, struct err *err);

#endif
