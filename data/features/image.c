/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Image: samples of 0 to 255, as a picture's bytes or a plain array, to
 * floats (channels, height, width).
 *
 *   y[c][i] = (x[c][i] / 255 - mean[c]) / std[c]
 *
 * `normalize: dataset` fits mean and std of each channel on the training
 * part; `imagenet` takes ImageNet's; `none` leaves 0 to 1. Pictures of
 * another size are resized; arrays must have the declared shape. Where none is
 * declared, it is that of the first array that is fitted.
 */
#include <assert.h>
#include <math.h>
#include <stddef.h>

#include "base/mem.h"
#include "data/feature.h"
#include "data/features/picture.h"

enum { CHANNELS_MAX = 3 };
enum { NORMALIZE_DATASET, NORMALIZE_IMAGENET, NORMALIZE_NONE };
static const char *const normalize_names[] = { "dataset", "imagenet", "none",
					       NULL };
static const char *const resize_names[] = { "squish", "crop", "pad", NULL };

struct image {
	struct field_ints
	    shape; /* channels, height, width; none before a fit */
	const struct doc *preprocessing;
	struct field_ints size; /* height, width: in place of shape */
	int normalize, resize;
	struct field_doubles mean, std;
	double count, *sum, *sum_of_squares; /* while fitting, by channel */
};

/* `preprocessing: {...}` of a job is read by these rows too; in a saved model
 * they stand beside shape. */
static const struct field preprocessing_fields[] = {
	{ .name = "size",
	  .help = "height and width of color pictures, in place of shape",
	  .kind = FIELD_INTS,
	  .offset = offsetof(struct image, size),
	  .min = 1,
	  .max = PICTURE_MAX_SIDE },
	{ .name = "normalize",
	  .help = "dataset: by the training part; imagenet; none: 0 to 1",
	  .kind = FIELD_ENUM,
	  .offset = offsetof(struct image, normalize),
	  .names = normalize_names },
	{ .name = "resize",
	  .help = "of pictures of another size: squish, crop or pad",
	  .kind = FIELD_ENUM,
	  .offset = offsetof(struct image, resize),
	  .names = resize_names },
	{ 0 },
};

static const struct field image_fields[] = {
	{ .name = "shape",
	  .help = "channels (1 or 3), height, width",
	  .kind = FIELD_INTS,
	  .offset = offsetof(struct image, shape),
	  .min = 1,
	  .max = PICTURE_MAX_SIDE },
	{ .name = "preprocessing",
	  .help = "map of normalize and resize",
	  .kind = FIELD_DOC,
	  .offset = offsetof(struct image, preprocessing) },
	{ .name = "mean",
	  .help = "fitted: mean of each channel, of samples from 0 to 1",
	  .kind = FIELD_DOUBLES,
	  .offset = offsetof(struct image, mean) },
	{ .name = "std",
	  .help = "fitted: deviation of each channel",
	  .kind = FIELD_DOUBLES,
	  .offset = offsetof(struct image, std) },
	{ 0 },
};

static size_t n_channels(const struct image *image)
{
	return (size_t)image->shape.v[0];
}

static size_t plane(const struct image *image)
{
	return (size_t)(image->shape.v[1] * image->shape.v[2]);
}

static enum err_code no_memory(const struct feature *feature, struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "feature '%s': out of memory",
		       feature->name);
}

static enum err_code set_statistics(struct feature *feature, const double *mean,
				    const double *std, struct err *err)
{
	struct image *image = feature->state;
	size_t n = n_channels(image);

	image->mean.v = arena_array(feature->arena, n, sizeof(double));
	image->std.v = arena_array(feature->arena, n, sizeof(double));
	if (!image->mean.v || !image->std.v)
		return no_memory(feature, err);
	assert(n <= CHANNELS_MAX); /* image_create() has seen to it */
	image->mean.n = image->std.n = n;
	for (size_t c = 0; c < n; c++) {
		image->mean.v[c] = mean[c];
		image->std.v[c] = std[c];
	}
	return ERR_NONE;
}

static enum err_code check_statistics(const struct feature *feature,
				      struct err *err)
{
	const struct image *image = feature->state;
	size_t n = n_channels(image);

	if (image->mean.n == 0 && image->std.n == 0)
		return ERR_NONE;
	if (image->mean.n != n || image->std.n != n)
		return err_set(err, ERR_INVALID,
			       "feature '%s': mean and std need %zu values "
			       "each, one a channel",
			       feature->name, n);
	for (size_t c = 0; c < n; c++) {
		if (!(image->std.v[c] > 0))
			return err_set(err, ERR_INVALID,
				       "feature '%s': std must be above 0",
				       feature->name);
	}
	return ERR_NONE;
}

static enum err_code set_shape(struct feature *feature, int64_t channels,
			       int64_t height, int64_t width, struct err *err)
{
	struct field_ints *shape = &((struct image *)feature->state)->shape;

	shape->v = arena_array(feature->arena, 3, sizeof(*shape->v));
	if (!shape->v)
		return no_memory(feature, err);
	shape->n = 3;
	shape->v[0] = channels;
	shape->v[1] = height;
	shape->v[2] = width;
	return ERR_NONE;
}

/* preprocessing.size stands for a shape of three channels, or agrees with the
 * one that is given. */
static enum err_code resolve_shape(struct feature *feature, struct err *err)
{
	const struct image *image = feature->state;
	const struct field_ints *shape = &image->shape, *size = &image->size;

	if (size->n && size->n != 2)
		return err_set(err, ERR_INVALID,
			       "feature '%s': preprocessing.size must be "
			       "[height, width]",
			       feature->name);
	if (size->n && shape->n == 3 &&
	    (size->v[0] != shape->v[1] || size->v[1] != shape->v[2]))
		return err_set(err, ERR_INVALID,
			       "feature '%s': preprocessing.size is not what "
			       "shape says",
			       feature->name);
	return size->n && !shape->n ? set_shape(feature, CHANNELS_MAX,
						size->v[0], size->v[1], err)
				    : ERR_NONE;
}

/* What follows from the shape. */
static enum err_code settle(struct feature *feature, struct err *err)
{
	/* of ImageNet's training pictures, as torchvision's models use them */
	static const double imagenet_mean[] = { 0.485, 0.456, 0.406 };
	static const double imagenet_std[] = { 0.229, 0.224, 0.225 };
	static const double zero[] = { 0, 0, 0 }, one[] = { 1, 1, 1 };
	const struct image *image = feature->state;
	const struct field_ints *shape = &image->shape;
	enum err_code rc;

	if (shape->n != 3 || (shape->v[0] != 1 && shape->v[0] != 3) ||
	    shape->v[1] * shape->v[2] > PICTURE_MAX_PIXELS)
		return err_set(err, ERR_INVALID,
			       "feature '%s': shape must be [channels, height, "
			       "width] with 1 or 3 channels, or preprocessing."
			       "size [height, width]",
			       feature->name);
	rc = check_statistics(feature, err);
	if (rc || image->mean.n)
		return rc;
	if (image->normalize == NORMALIZE_NONE)
		return set_statistics(feature, zero, one, err);
	if (image->normalize == NORMALIZE_IMAGENET && n_channels(image) == 3)
		return set_statistics(feature, imagenet_mean, imagenet_std,
				      err);
	if (image->normalize == NORMALIZE_IMAGENET)
		return err_set(err, ERR_INVALID,
			       "feature '%s': normalize: imagenet needs 3 "
			       "channels, the shape has 1",
			       feature->name);
	return ERR_NONE;
}

static enum err_code image_create(struct feature *feature, struct err *err)
{
	struct image *image = feature->state;
	char where[160];
	enum err_code rc;

	(void)snprintf(where, sizeof(where), "feature '%.100s'.preprocessing",
		       feature->name);
	rc = field_read(preprocessing_fields, image->preprocessing, where, NULL,
			image, feature->arena, err);
	if (!rc)
		rc = resolve_shape(feature, err);
	/* a model was fitted, and says its shape */
	if (!rc && (image->shape.n || image->mean.n || image->std.n))
		rc = settle(feature, err);
	return rc;
}

static void image_row(const struct feature *feature, enum dtype *ret_dtype,
		      struct shape *ret_row, int64_t *ret_width)
{
	const struct image *image = feature->state;

	*ret_dtype = DTYPE_F32;
	*ret_row = (struct shape){ .rank = 3 };
	for (size_t i = 0; i < image->shape.n; i++)
		ret_row->dim[i] = image->shape.v[i];
	*ret_width = 0;
}

/* Does an array of this shape hold one picture? [c,h,w], [h,w] with one
 * channel, or all samples in one row. */
static bool shape_fits(const struct image *image, const struct shape *shape)
{
	const int64_t *want = image->shape.v;

	if (shape->rank == 3)
		return shape->dim[0] == want[0] && shape->dim[1] == want[1] &&
		       shape->dim[2] == want[2];
	if (shape->rank == 2)
		return want[0] == 1 && shape->dim[0] == want[1] &&
		       shape->dim[1] == want[2];
	return shape->rank == 1 && shape->dim[0] == want[0] * want[1] * want[2];
}

static enum err_code check_array(const struct feature *feature,
				 const struct raw_value *value, struct err *err)
{
	const struct image *image = feature->state;
	char text[160];

	if (value->kind == RAW_TENSOR && value->tensor.dtype != DTYPE_STRING &&
	    shape_fits(image, &value->tensor.shape))
		return ERR_NONE;
	return err_set(
	    err, ERR_SHAPE,
	    "feature '%s': expected a picture (PNG, JPEG, WebP, ...) or an "
	    "array of shape [%lld,%lld,%lld], got %s",
	    feature->name, (long long)image->shape.v[0],
	    (long long)image->shape.v[1], (long long)image->shape.v[2],
	    raw_value_text(value, text, sizeof(text)));
}

/* The picture as samples of the declared size; *ret_owned is to be freed. */
static enum err_code decode_picture(const struct feature *feature,
				    const struct raw_value *value,
				    struct picture *ret, struct err *err)
{
	const struct image *image = feature->state;
	int h = (int)image->shape.v[1], w = (int)image->shape.v[2];
	struct picture raw = { 0 };
	enum err_code rc;

	rc = picture_decode(value->bytes, value->len, (int)image->shape.v[0],
			    &raw, err);
	if (rc) {
		(void)err_prefix(err, "feature '%s'", feature->name);
		return rc;
	}
	if (raw.width == w && raw.height == h) {
		*ret = raw;
		return ERR_NONE;
	}
	rc = picture_resize(&raw, w, h, (enum resize)image->resize, ret, err);
	mem_free(raw.pixel);
	return rc;
}

/* Samples to floats, through a table of the 256 values of a channel. */
static void encode_bytes(const struct image *image, const unsigned char *from,
			 size_t pixel_step, size_t channel_step, float *out)
{
	size_t n = plane(image);

	for (size_t c = 0; c < n_channels(image); c++) {
		float table[256];

		for (int v = 0; v < 256; v++)
			table[v] =
			    (float)(((double)v / 255 - image->mean.v[c]) /
				    image->std.v[c]);
		for (size_t i = 0; i < n; i++)
			out[c * n + i] =
			    table[from[i * pixel_step + c * channel_step]];
	}
}

static enum err_code encode_array(const struct feature *feature,
				  const struct raw_value *value, float *out,
				  struct err *err)
{
	const struct image *image = feature->state;
	const struct tensor_view *view = &value->tensor;
	size_t n = plane(image);
	enum err_code rc = check_array(feature, value, err);

	if (rc)
		return rc;
	if (view->dtype == DTYPE_U8) {
		encode_bytes(image, view->data, 1, n, out);
		return ERR_NONE;
	}
	dtype_convert(view->dtype, view->data, DTYPE_F32, out,
		      n * n_channels(image), false);
	for (size_t c = 0; c < n_channels(image); c++) {
		double mean = image->mean.v[c], std = image->std.v[c];

		for (size_t i = c * n; i < (c + 1) * n; i++)
			out[i] = (float)(((double)out[i] / 255 - mean) / std);
	}
	return ERR_NONE;
}

static enum err_code image_encode(const struct feature *feature,
				  const struct raw_value *value, void *out,
				  struct err *err)
{
	const struct image *image = feature->state;
	struct picture picture;
	enum err_code rc;

	if (image->mean.n == 0)
		return err_set(err, ERR_INTERNAL, "feature '%s' was not fitted",
			       feature->name);
	if (value->kind != RAW_BYTES)
		return encode_array(feature, value, out, err);
	rc = decode_picture(feature, value, &picture, err);
	if (rc)
		return rc;
	encode_bytes(image, picture.pixel, (size_t)picture.channels, 1, out);
	mem_free(picture.pixel);
	return ERR_NONE;
}

static enum err_code image_fit_begin(struct feature *feature, struct err *err)
{
	const size_t n = CHANNELS_MAX;
	struct image *image = feature->state;

	image->count = 0;
	image->sum = arena_array(feature->arena, n, sizeof(double));
	image->sum_of_squares = arena_array(feature->arena, n, sizeof(double));
	if (!image->sum || !image->sum_of_squares)
		return no_memory(feature, err);
	return ERR_NONE;
}

static void add_samples(struct image *image, const unsigned char *from,
			size_t pixel_step, size_t channel_step)
{
	size_t n = plane(image);

	for (size_t c = 0; c < n_channels(image); c++) {
		uint64_t sum = 0, squares = 0; /* exact: at most 2^26 x 2^16 */

		for (size_t i = 0; i < n; i++) {
			uint64_t v = from[i * pixel_step + c * channel_step];

			sum += v;
			squares += v * v;
		}
		image->sum[c] += (double)sum;
		image->sum_of_squares[c] += (double)squares;
	}
	image->count += (double)n;
}

static void add_numbers(struct image *image, const struct tensor_view *view)
{
	size_t n = plane(image);

	for (size_t i = 0; i < n * n_channels(image); i++) {
		double v = raw_value_element(view, (int64_t)i);

		image->sum[i / n] += v;
		image->sum_of_squares[i / n] += v * v;
	}
	image->count += (double)n;
}

/* Pictures have any size, and are no measure of what is wanted. */
static enum err_code take_shape(struct feature *feature,
				const struct raw_value *value, struct err *err)
{
	const struct shape *shape = &value->tensor.shape;
	const int64_t *dim = shape->dim;
	char text[160];
	enum err_code rc;

	if (value->kind != RAW_TENSOR || shape->rank < 2 || shape->rank > 3 ||
	    shape_count(shape) < 1)
		return err_set(err, ERR_INVALID,
			       "feature '%s': shape [channels, height, width] "
			       "is needed where rows are not arrays that have "
			       "it, got %s",
			       feature->name,
			       raw_value_text(value, text, sizeof(text)));
	rc = shape->rank == 2 ? set_shape(feature, 1, dim[0], dim[1], err)
			      : set_shape(feature, dim[0], dim[1], dim[2], err);
	return rc ? rc : settle(feature, err);
}

static enum err_code image_fit_value(struct feature *feature,
				     const struct raw_value *value,
				     struct err *err)
{
	struct image *image = feature->state;
	struct picture picture;
	enum err_code rc =
	    image->shape.n ? ERR_NONE : take_shape(feature, value, err);

	if (rc || image->mean.n)
		return rc;
	if (value->kind == RAW_BYTES) {
		rc = decode_picture(feature, value, &picture, err);
		if (rc)
			return rc;
		add_samples(image, picture.pixel, (size_t)picture.channels, 1);
		mem_free(picture.pixel);
		return ERR_NONE;
	}
	rc = check_array(feature, value, err);
	if (rc)
		return rc;
	if (value->tensor.dtype == DTYPE_U8)
		add_samples(image, value->tensor.data, 1, plane(image));
	else
		add_numbers(image, &value->tensor);
	return ERR_NONE;
}

static enum err_code image_fit_end(struct feature *feature, struct err *err)
{
	struct image *image = feature->state;
	double mean[3] = { 0 }, std[3] = { 1, 1, 1 };

	if (image->mean.n)
		return ERR_NONE;
	if (!image->shape.n)
		return settle(feature, err);
	for (size_t c = 0; image->count > 0 && c < n_channels(image); c++) {
		double m = image->sum[c] / image->count;
		double v = image->sum_of_squares[c] / image->count - m * m;

		mean[c] = m / 255;
		std[c] = v > 0 ? sqrt(v) / 255 : 1;
	}
	return set_statistics(feature, mean, std, err);
}

static void image_augment(const struct feature *feature,
			  const struct augment_spec *spec,
			  const struct augment_place *place, void *row,
			  void *room)
{
	const struct image *image = feature->state;
	const int64_t *dim = image->shape.v;
	const struct augment_picture picture = {
		.shape = { 3, { dim[0], dim[1], dim[2] } },
		.mean = image->mean.v,
		.std = image->std.v,
		.sample = row,
		.room = room,
	};
	const struct augment_draw draw =
	    augment_draw(spec, place, dim[2], dim[1]);

	augment_apply(&draw, spec->pad_mode, &picture);
}

extern const struct feature_kind feature_image;
const struct feature_kind feature_image = {
	.name = "image",
	.help = "a picture (PNG, JPEG, JPEG 2000, WebP, BMP, PNM or TIFF), or "
		"an array of samples 0 to 255",
	.fields = image_fields,
	.size = sizeof(struct image),
	.create = image_create,
	.row = image_row,
	.fit_begin = image_fit_begin,
	.fit_value = image_fit_value,
	.fit_end = image_fit_end,
	.encode = image_encode,
	.augment = image_augment,
};
