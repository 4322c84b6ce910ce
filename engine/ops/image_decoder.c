/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * ImageDecoder: the bytes of a picture to [height, width, channels].
 *
 * What cannot be decoded (broken, larger than engine/kernels/picture.h allows,
 * or of a format that is not read there: WebP, JPEG 2000) becomes a
 * picture without rows, [0, 0, channels], as the operator's document says.
 * Gray is made of red, green and blue.
 */
#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "engine/evaluate.h"
#include "engine/kernels/picture.h"

struct image_attrs {
	const char *pixel_format;
};

static const struct op_attr image_attrs[] = {
	{ .name = "pixel_format",
	  .help = "RGB, BGR or Grayscale",
	  .offset = offsetof(struct image_attrs, pixel_format),
	  .kind = ATTR_STRING,
	  .def_text = "RGB" },
	{ 0 },
};

static enum err_code image_type(const struct graph_node *node,
				const struct type *in, struct type *out,
				unsigned n_out, struct err *err)
{
	const struct image_attrs *a = node->attrs;

	(void)in;
	(void)n_out;
	if (strcmp(a->pixel_format, "RGB") != 0 &&
	    strcmp(a->pixel_format, "BGR") != 0 &&
	    strcmp(a->pixel_format, "Grayscale") != 0)
		return err_set(err, ERR_INVALID,
			       "attribute 'pixel_format': expected RGB, BGR or "
			       "Grayscale, got '%.32s'",
			       a->pixel_format);
	out[0] = (struct type){ .elem = DTYPE_U8 };
	return ERR_NONE;
}

static void write_gray(const unsigned char *from, unsigned char *to, int64_t n)
{
	for (int64_t i = 0; i < n; i++, from += 3)
		to[i] = picture_gray(from[0], from[1], from[2]);
}

static void write_colours(const unsigned char *from, unsigned char *to,
			  int64_t n, bool is_turned)
{
	for (int64_t i = 0; i < n; i++, from += 3, to += 3) {
		to[0] = from[is_turned ? 2 : 0];
		to[1] = from[1];
		to[2] = from[is_turned ? 0 : 2];
	}
}

static enum err_code image_evaluate(struct evaluate *call, struct err *err)
{
	const struct image_attrs *a = call->node->attrs;
	const struct fact *bytes = &call->in[0].fact;
	const bool is_gray = !strcmp(a->pixel_format, "Grayscale");
	struct picture picture = { 0 };
	struct item *y = &call->out[0];
	int64_t n;
	enum err_code rc;

	if (bytes->shape.rank != 1)
		return err_set(
		    err, ERR_SHAPE,
		    "input 'encoded_stream': expected rank 1, got %u",
		    bytes->shape.rank);
	rc = picture_decode(bytes->value, (size_t)shape_count(&bytes->shape), 3,
			    &picture, err);
	if (rc == ERR_NO_MEMORY)
		return rc;
	n = (int64_t)picture.width * picture.height;
	y->fact.shape = (struct shape){
		3, { picture.height, picture.width, is_gray ? 1 : 3 }
	};
	y->fact.has_shape = true;
	rc = item_alloc(call->heap, y, err);
	if (!rc && is_gray)
		write_gray(picture.pixel, item_data(y), n);
	else if (!rc)
		write_colours(picture.pixel, item_data(y), n,
			      *a->pixel_format == 'B');
	mem_free(picture.pixel);
	return rc;
}

static const struct port image_in[] = { { "encoded_stream", "uint8", 0 },
					{ 0 } };
static const struct port image_out[] = { { "image", "uint8", 0 }, { 0 } };

/* P6, two pixels: 1 2 3 and 200 100 50 */
#define PNM "x:uint8[17]={80,54,10,50,32,49,10,50,53,53,10,1,2,3,200,100,50}"

static const struct op_case image_cases[] = {
	{ .name = "colours", .graph = "y = ImageDecoder(" PNM ")" },
	{ .name = "turned",
	  .graph = "y = ImageDecoder<pixel_format=\"BGR\">(" PNM ")" },
	{ .name = "gray",
	  .graph = "y = ImageDecoder<pixel_format=\"Grayscale\">(" PNM ")" },
	{ .name = "no picture", .graph = "y = ImageDecoder(x:uint8[5])" },
	{ .name = "no bytes", .graph = "y = ImageDecoder(x:uint8[0])" },
	{ .name = "another format",
	  .graph = "y = ImageDecoder<pixel_format=\"YUV\">(" PNM ")",
	  .want = ERR_INVALID },
	{ .name = "rank 2",
	  .graph = "y = ImageDecoder(x:uint8[1,5])",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_image_decoder;
const struct op op_image_decoder = {
	.domain = "",
	.name = "ImageDecoder",
	.help = "The samples of a picture: PNG, JPEG, JPEG 2000, WebP, BMP, "
		"PNM or TIFF.",
	.since = 20,
	.flags = OP_DYNAMIC | OP_ANY_TYPE | OP_NO_GRADIENT,
	.in = image_in,
	.out = image_out,
	.attrs = image_attrs,
	.attrs_size = sizeof(struct image_attrs),
	.evaluate = image_evaluate,
	.type = image_type,
	.cases = image_cases,
};
