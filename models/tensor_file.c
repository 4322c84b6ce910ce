/* SPDX-License-Identifier: Apache-2.0 */
#include "models/tensor_file.h"

#include <limits.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/str.h"
#include "models/npy.h"
#include "models/onnx.h"

#define FILE_BYTES_MAX ((size_t)4 << 30)

static enum err_code parse_npy(const struct file_map *map, const char *path,
			       struct arena *arena, struct tensor_view *ret,
			       struct err *err)
{
	return npy_parse(map->data, map->len, path, arena, ret, err);
}

static enum err_code parse_pb(const struct file_map *map, const char *path,
			      struct arena *arena, struct tensor_view *ret,
			      struct err *err)
{
	const char *name;
	struct tensor_view *copy;
	enum err_code rc =
	    onnx_read_tensor(map->data, map->len, path, arena, ret, &name, err);

	if (rc)
		return rc;
	/* the map ends before the tensor does */
	copy = tensor_copy(ret, arena);
	if (!copy)
		return err_set(err, ERR_NO_MEMORY, "%s: out of memory", path);
	*ret = *copy;
	return ERR_NONE;
}

static const struct {
	const char *ending;
	enum err_code (*parse)(const struct file_map *map, const char *path,
			       struct arena *arena, struct tensor_view *ret,
			       struct err *err);
} forms[] = { { "npy", parse_npy }, { "pb", parse_pb } };
enum { N_FORMS = sizeof(forms) / sizeof(forms[0]) };

/* A name that is one file of the folder and no way out of it. */
static bool is_file_name(const char *name)
{
	return name && *name && *name != '.' && !strchr(name, '/') &&
	       strlen(name) < 200;
}

static bool ends_in(const char *path, const char *ending)
{
	const char *dot = strrchr(path, '.');

	return dot && !strcmp(dot + 1, ending);
}

static enum err_code map_open(const struct file_root *root, const char *path,
			      struct file_map *ret, struct err *err)
{
	int fd;
	enum err_code rc;

	if (!root)
		return file_map_open(path, ret, err);
	rc = file_root_openat(root, path, 0, &fd, err);
	if (rc)
		return rc;
	rc = file_map_fd(fd, path, ret, err);
	(void)close(fd);
	return rc;
}

enum err_code tensor_file_load(const struct file_root *root, const char *path,
			       struct arena *arena,
			       struct tensor_view *ret_view, struct err *err)
{
	size_t form = 0;
	struct file_map map;
	enum err_code rc;

	while (form < N_FORMS && !ends_in(path, forms[form].ending))
		form++;
	if (form == N_FORMS)
		return err_set(err, ERR_INVALID,
			       "'%s': expected a file of tensors, .npy or .pb",
			       path);
	rc = map_open(root, path, &map, err);
	if (rc)
		return rc;
	rc = forms[form].parse(&map, path, arena, ret_view, err);
	file_map_close(&map);
	return rc;
}

/* ERR_NOT_FOUND when there is none under that stem. */
static enum err_code read_stem(const struct file_root *root, const char *dir,
			       const char *stem, struct arena *arena,
			       struct tensor_view *ret, struct err *err)
{
	enum err_code rc = ERR_NOT_FOUND;

	for (size_t i = 0; i < N_FORMS && rc == ERR_NOT_FOUND; i++) {
		char path[PATH_MAX];

		if (snprintf(path, sizeof(path), "%s/%s.%s", dir, stem,
			     forms[i].ending) >= (int)sizeof(path))
			return err_set(err, ERR_INVALID,
				       "'%s': the path is too long", dir);
		rc = tensor_file_load(root, path, arena, ret, err);
	}
	return rc;
}

enum err_code tensor_file_read(const struct file_root *root, const char *dir,
			       const struct tensor_name *name,
			       struct arena *arena,
			       struct tensor_view *ret_view, struct err *err)
{
	char place[64];
	enum err_code rc = ERR_NOT_FOUND;

	(void)snprintf(place, sizeof(place), "%s_%u", name->kind, name->place);
	if (is_file_name(name->name))
		rc = read_stem(root, dir, name->name, arena, ret_view, err);
	if (rc == ERR_NOT_FOUND)
		rc = read_stem(root, dir, place, arena, ret_view, err);
	if (rc != ERR_NOT_FOUND)
		return rc;
	return err_set(err, ERR_NOT_FOUND,
		       "%s '%s': neither %s.npy nor %s.pb nor %s.npy nor %s.pb "
		       "is in '%s'",
		       name->kind, name->name ? name->name : "",
		       name->name ? name->name : "",
		       name->name ? name->name : "", place, place, dir);
}

enum err_code tensor_file_write(const char *dir, const struct tensor_name *name,
				const struct tensor_view *view, struct err *err)
{
	char path[PATH_MAX], place[64];
	struct buf buf;
	enum err_code rc;

	(void)snprintf(place, sizeof(place), "%s_%u", name->kind, name->place);
	if (snprintf(path, sizeof(path), "%s/%s.npy", dir,
		     is_file_name(name->name) ? name->name : place) >=
	    (int)sizeof(path))
		return err_set(err, ERR_INVALID, "'%s': the path is too long",
			       dir);
	buf_init(&buf, FILE_BYTES_MAX);
	rc = npy_write(view, path, &buf, err);
	if (!rc)
		rc = file_write_atomic(path, buf.data, buf.len, err);
	buf_finish(&buf);
	return rc;
}
