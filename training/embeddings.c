/* SPDX-License-Identifier: Apache-2.0 */
#include "training/embeddings.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "engine/train_tables.h"
#include "models/npy.h"

enum { HEADER_MAX = 1 << 12 };

static enum err_code save(const struct tensor_view *view, int n,
			  const char *dir, struct err *err)
{
	char path[4096], number[16] = "";
	struct buf buf;
	enum err_code rc;

	if (n > 1)
		(void)snprintf(number, sizeof(number), "-%d", n);
	if (snprintf(path, sizeof(path), "%s/embeddings%s.npy", dir, number) >=
	    (int)sizeof(path))
		return err_set(err, ERR_INVALID, "'%s': the path is too long",
			       dir);
	buf_init(&buf, tensor_bytes(view->dtype, &view->shape) + HEADER_MAX);
	rc = npy_write(view, "embeddings.npy", &buf, err);
	if (!rc)
		rc = file_write_atomic(path, buf.data, buf.len, err);
	buf_finish(&buf);
	return rc;
}

enum err_code embeddings_save(const struct graph *graph, const char *dir,
			      struct err *err)
{
	int64_t *width =
	    mem_array((size_t)graph->n_variable + 1, sizeof(*width));
	enum err_code rc = ERR_NONE;
	int n = 0;

	if (!width)
		return err_set(err, ERR_NO_MEMORY, "embeddings: out of memory");
	train_tables(graph, width);
	for (int32_t v = 0; v < graph->n_variable && !rc; v++) {
		if (width[v])
			rc = save(&graph->variable[v].view, ++n, dir, err);
	}
	mem_free(width);
	return rc;
}
