/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/tiny_planes.h"

#include <stddef.h>

#include "engine/kernels/loops.h"
#include "engine/kernels/tiny_planes_priv.h"

const struct tiny_planes *tiny_planes_level(unsigned level)
{
#ifdef LOOPS_X86_LEVELS
	if (level)
		return level == 2 ? &tiny_planes_v4 : &tiny_planes_v3;
#endif
	(void)level;
	return &tiny_planes_base;
}

const struct tiny_planes *tiny_planes(void)
{
	return tiny_planes_level(loop_levels() - 1);
}

const struct tiny_plane *tiny_plane_find(const struct tiny_planes *planes,
					 int64_t side, int64_t stride)
{
	const struct tiny_plane *plane = planes->plane;

	while (plane->side && (plane->side != side || plane->stride != stride))
		plane++;
	return plane->side ? plane : NULL;
}
