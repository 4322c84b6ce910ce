/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * IDX folders, as MNIST and its kin are shipped: train-images-*, train-labels-*
 * and, where there, t10k-images-*, t10k-labels-*, each gzipped or not.
 * Rows of train-* come first.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/reader.h"
#include "data/readers/gunzip.h"
#include "data/readers/idx_file.h"

#define IDX_MAX_BYTES ((size_t)4 << 30)

enum { COLUMN_IMAGE, COLUMN_LABEL };

struct idx_part {
	char *bytes[2];
	struct tensor_view view[2]; /* images, labels */
	int64_t n;
};

struct idx {
	struct idx_part part[2]; /* train, t10k */
};

static const char *const prefix[2] = { "train", "t10k" };
static const char *const stem[2] = { "images-idx3-ubyte", "labels-idx1-ubyte" };

static enum err_code open_beneath(const struct reader_source *source,
				  const char *file, int *ret_fd,
				  struct err *err)
{
	char path[4096];

	if (snprintf(path, sizeof(path), "%s/%s", source->path, file) >=
	    (int)sizeof(path))
		return err_set(err, ERR_INVALID, "'%s': the path is too long",
			       source->shown);
	return file_root_openat(source->root, path, 0, ret_fd, err);
}

/* Opens PREFIX-STEM or PREFIX-STEM.gz; ERR_NOT_FOUND names the folder. */
static enum err_code open_file(const struct reader_source *source, int part,
			       int kind, bool *ret_zipped, int *ret_fd,
			       struct err *err)
{
	char file[64];
	struct err first = { 0 };
	enum err_code rc;

	(void)snprintf(file, sizeof(file), "%s-%s", prefix[part], stem[kind]);
	*ret_zipped = false;
	rc = open_beneath(source, file, ret_fd, &first);
	if (rc != ERR_NOT_FOUND) {
		if (rc && err)
			*err = first;
		return rc;
	}
	(void)snprintf(file, sizeof(file), "%s-%s.gz", prefix[part],
		       stem[kind]);
	*ret_zipped = true;
	rc = open_beneath(source, file, ret_fd, &first);
	if (rc == ERR_NOT_FOUND)
		return err_set(err, rc, "'%s' has neither %s-%s nor %s-%s.gz",
			       source->shown, prefix[part], stem[kind],
			       prefix[part], stem[kind]);
	if (rc && err)
		*err = first;
	return rc;
}

static enum err_code read_file(const struct reader_source *source, int part,
			       int kind, struct idx_part *into, struct err *err)
{
	char name[64];
	size_t len;
	bool zipped;
	int fd = -1;
	enum err_code rc;

	rc = open_file(source, part, kind, &zipped, &fd, err);
	if (rc)
		return rc;
	(void)snprintf(name, sizeof(name), "%s-%s%s", prefix[part], stem[kind],
		       zipped ? ".gz" : "");
	rc =
	    gunzip_read(fd, name, IDX_MAX_BYTES, &into->bytes[kind], &len, err);
	if (rc)
		return rc;
	return idx_parse(into->bytes[kind], len, name, &into->view[kind], err);
}

static enum err_code read_part(const struct reader_source *source, int part,
			       struct idx_part *into, struct err *err)
{
	const struct shape *image = &into->view[COLUMN_IMAGE].shape;
	const struct shape *label = &into->view[COLUMN_LABEL].shape;
	enum err_code rc;

	for (int kind = 0; kind < 2; kind++) {
		rc = read_file(source, part, kind, into, err);
		if (rc)
			return rc;
	}
	if (image->rank < 2 || label->rank != 1 ||
	    image->dim[0] != label->dim[0])
		return err_set(err, ERR_INVALID,
			       "'%s': %s has %lld images and %lld labels",
			       source->shown, prefix[part],
			       (long long)image->dim[0],
			       (long long)label->dim[0]);
	into->n = image->dim[0];
	return ERR_NONE;
}

static void idx_close(void *state)
{
	struct idx *idx = state;

	if (!idx)
		return;
	for (int part = 0; part < 2; part++) {
		for (int kind = 0; kind < 2; kind++)
			mem_free(idx->part[part].bytes[kind]);
	}
	mem_free(idx);
}

static enum err_code idx_open(const struct reader_source *source,
			      void **ret_state, struct err *err)
{
	struct idx *idx = mem_zero(sizeof(*idx));
	struct err missing = { 0 };
	enum err_code rc;

	if (!idx)
		return err_set(err, ERR_NO_MEMORY, "'%s': out of memory",
			       source->shown);
	rc = read_part(source, 0, &idx->part[0], err);
	if (rc)
		goto out;
	rc = read_part(source, 1, &idx->part[1], &missing);
	if (rc == ERR_NOT_FOUND)
		rc = ERR_NONE; /* a folder may hold the training part only */
	if (rc) {
		if (err)
			*err = missing;
		goto out;
	}
	*ret_state = idx;
	idx = NULL;
out:
	idx_close(idx);
	return rc;
}

static bool idx_detects(const struct file_root *root, const char *path)
{
	const struct reader_source source = { .root = root,
					      .path = path,
					      .shown = path };
	bool zipped;
	int fd;

	if (open_file(&source, 0, COLUMN_IMAGE, &zipped, &fd, NULL))
		return false;
	(void)close(fd);
	return true;
}

static int64_t idx_n_rows(const void *state)
{
	const struct idx *idx = state;

	return idx->part[0].n + idx->part[1].n;
}

static int64_t idx_n_fixed_train(const void *state)
{
	const struct idx *idx = state;

	return idx->part[1].n > 0 ? idx->part[0].n : -1;
}

static enum err_code idx_column(const void *state, const char *feature,
				bool is_output, unsigned *ret_column,
				struct err *err)
{
	(void)state;
	(void)feature;
	(void)err;
	*ret_column = is_output ? COLUMN_LABEL : COLUMN_IMAGE;
	return ERR_NONE;
}

static enum err_code idx_value(const void *state, int64_t row, unsigned column,
			       struct raw_value *ret, struct err *err)
{
	const struct idx *idx = state;
	const struct idx_part *part = &idx->part[row >= idx->part[0].n];
	const struct tensor_view *view = &part->view[column];
	int64_t i = row - (part == &idx->part[1] ? idx->part[0].n : 0);
	size_t size = dtype_info(view->dtype)->size;
	size_t step = (size_t)shape_range(&view->shape, 1, view->shape.rank);

	(void)err;
	*ret = (struct raw_value){ .kind = RAW_TENSOR, .tensor = *view };
	ret->tensor.data = (char *)view->data + (size_t)i * step * size;
	ret->tensor.shape.rank--;
	for (unsigned d = 0; d < ret->tensor.shape.rank; d++)
		ret->tensor.shape.dim[d] = view->shape.dim[d + 1];
	if (column == COLUMN_LABEL) {
		double label = 0;

		dtype_convert(view->dtype, ret->tensor.data, DTYPE_F64, &label,
			      1, false);
		*ret =
		    (struct raw_value){ .kind = RAW_NUMBER, .number = label };
	}
	return ERR_NONE;
}

extern const struct reader reader_idx;
const struct reader reader_idx = {
	.name = "idx",
	.help = "folder of IDX files (.gz or not): train-images, train-labels, "
		"t10k-images, t10k-labels",
	.detects = idx_detects,
	.open = idx_open,
	.n_rows = idx_n_rows,
	.n_fixed_train = idx_n_fixed_train,
	.column = idx_column,
	.value = idx_value,
	.close = idx_close,
};
