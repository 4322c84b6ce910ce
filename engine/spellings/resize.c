/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Resize of opset 10 and Upsample: they count from the corner of the first
 * element, and nearest goes up where an axis shrinks, else down. Upsample had
 * its scales as an attribute up to opset 8.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "engine/spelling.h"

enum { TEXT_MAX = 512 };

struct resize_attrs {
	const char *mode;
	struct attr_floats scales;
	double height, width;
};

/* clang-format off */
#define AT(member) offsetof(struct resize_attrs, member)
#define MODE \
	{ .name = "mode", .help = "nearest, linear or bilinear", \
	  .offset = AT(mode), .kind = ATTR_STRING, .def_text = "nearest" }
static const struct op_attr attrs[] = { MODE, { 0 } };
static const struct op_attr attrs_7[] = {
	MODE,
	{ .name = "scales", .help = "of each axis", .offset = AT(scales),
	  .kind = ATTR_FLOATS, .flags = ATTR_REQUIRED },
	{ 0 },
};
static const struct op_attr attrs_1[] = {
	MODE,
	{ .name = "height_scale", .help = "of rows", .offset = AT(height),
	  .kind = ATTR_FLOAT, .flags = ATTR_REQUIRED },
	{ .name = "width_scale", .help = "of columns", .offset = AT(width),
	  .kind = ATTR_FLOAT, .flags = ATTR_REQUIRED },
	{ 0 },
};
/* clang-format on */

/* scales: the name of a value, or a constant */
static enum err_code lower_to(struct lower *lower, const char *scales,
			      struct err *err)
{
	const struct resize_attrs *own = lower->attrs;
	const char *mode = own->mode;
	char text[TEXT_MAX];

	if (!strcmp(mode, "bilinear"))
		mode = "linear";
	if (strcmp(mode, "linear") != 0 && strcmp(mode, "nearest") != 0)
		return err_set(err, ERR_INVALID,
			       "node '%s' (%s): attribute 'mode' must be "
			       "nearest or linear, not '%.40s'",
			       lower->node->node_name, lower->node->name, mode);
	(void)snprintf(text, sizeof(text),
		       "y0 = Resize<mode=\"%s\", nearest_mode=\"simple\", "
		       "coordinate_transformation_mode=\"asymmetric\">"
		       "(x0, , %s)",
		       mode, scales);
	return lower_text(lower, text, err);
}

static enum err_code lower_input(struct lower *lower, struct err *err)
{
	return lower_to(lower, "x1", err);
}

static enum err_code lower_list(struct lower *lower, struct err *err)
{
	const struct attr_floats *list =
	    &((const struct resize_attrs *)lower->attrs)->scales;
	char text[TEXT_MAX / 2];
	int n = snprintf(text, sizeof(text), "s:float[%zu]={", list->n);

	if (list->n > SHAPE_MAX_RANK)
		return err_set(err, ERR_INVALID,
			       "node '%s' (%s): attribute 'scales' must have "
			       "at most %d numbers, not %zu",
			       lower->node->node_name, lower->node->name,
			       SHAPE_MAX_RANK, list->n);
	for (size_t i = 0; i < list->n; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%.9g",
			      i ? "," : "", (double)list->v[i]);
	(void)snprintf(text + n, sizeof(text) - (size_t)n, "}");
	return lower_to(lower, text, err);
}

static enum err_code lower_pair(struct lower *lower, struct err *err)
{
	const struct resize_attrs *own = lower->attrs;
	char text[TEXT_MAX / 2];

	(void)snprintf(text, sizeof(text), "s:float[4]={1,1,%.9g,%.9g}",
		       own->height, own->width);
	return lower_to(lower, text, err);
}

/* clang-format off */
const struct spelling spellings_resize[] = {
	{ .domain = "", .name = "Resize", .from = 10, .to = 10, .lower = lower_input,
	  .attrs = attrs, .attrs_size = sizeof(struct resize_attrs) },
	{ .domain = "", .name = "Upsample", .from = 1, .to = 6, .lower = lower_pair,
	  .attrs = attrs_1, .attrs_size = sizeof(struct resize_attrs) },
	{ .domain = "", .name = "Upsample", .from = 7, .to = 8, .lower = lower_list,
	  .attrs = attrs_7, .attrs_size = sizeof(struct resize_attrs) },
	{ .domain = "", .name = "Upsample", .from = 9, .to = UINT16_MAX, .lower = lower_input,
	  .attrs = attrs, .attrs_size = sizeof(struct resize_attrs) },
	{ 0 },
};
/* clang-format on */
