/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/doc.h"
#include "base/mem.h"
#include "models/package_priv.h"

enum { MANIFEST_MAX = 1 << 20, MANIFEST_FORMAT = 1 };

static const char *const manifest_name = "manifest.json";

static enum err_code read_entry(const struct doc *map,
				struct manifest_file *file, struct err *err)
{
	const struct doc *name = doc_find(map, "name");
	const struct doc *size = doc_find(map, "size");
	const struct doc *sha256 = doc_find(map, "sha256");

	if (!name || name->kind != DOC_STRING || !size ||
	    size->kind != DOC_INT || size->integer < 0 || !sha256 ||
	    sha256->kind != DOC_STRING)
		return err_set(err, ERR_FORMAT,
			       "%s: every file needs a name, a size and a "
			       "sha256",
			       manifest_name);
	if (strchr(name->text, '/'))
		return err_set(err, ERR_FORMAT,
			       "%s: '%s' is not the name of a file beside it",
			       manifest_name, name->text);
	file->name = name->text;
	file->size = size->integer;
	file->sha256 = sha256->text;
	return ERR_NONE;
}

static enum err_code read_manifest(const struct doc *doc, struct arena *arena,
				   struct manifest *ret, struct err *err)
{
	const struct doc *format = doc_find(doc, "format");
	const struct doc *files = doc_find(doc, "files");
	struct manifest_file *file;
	size_t n = 0;
	enum err_code rc = ERR_NONE;

	if (!format || format->kind != DOC_INT ||
	    format->integer != MANIFEST_FORMAT)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: its format is not %d, the one there is",
			       manifest_name, MANIFEST_FORMAT);
	if (!files || files->kind != DOC_LIST)
		return err_set(err, ERR_FORMAT, "%s: it needs a list 'files'",
			       manifest_name);
	file = arena_array(arena, files->n + 1, sizeof(*file));
	if (!file)
		return err_set(err, ERR_NO_MEMORY, "%s: out of memory",
			       manifest_name);
	for (const struct doc *d = files->first; d && !rc; d = d->next)
		rc = read_entry(d, &file[n++], err);
	if (!rc)
		*ret = (struct manifest){ true, n, file };
	return rc;
}

enum err_code manifest_read(const struct file_root *folder, struct arena *arena,
			    struct manifest *ret, struct err *err)
{
	struct doc *doc;
	char *text = NULL;
	size_t len;
	int fd;
	enum err_code rc;

	*ret = (struct manifest){ 0 };
	rc = file_root_openat(folder, manifest_name, 0, &fd, err);
	if (rc == ERR_NOT_FOUND)
		return ERR_NONE;
	if (rc)
		return rc;
	rc = file_read_fd(fd, manifest_name, MANIFEST_MAX, &text, &len, err);
	(void)close(fd);
	if (!rc)
		rc = doc_parse_json(text, len, manifest_name, arena, &doc, err);
	mem_free(text);
	if (!rc)
		rc = read_manifest(doc, arena, ret, err);
	return rc;
}

static enum err_code check_file(const struct manifest_file *file, int64_t size,
				const char *sha256, struct err *err)
{
	if (file->size != size)
		return err_set(err, ERR_FORMAT,
			       "%s has %lld bytes; %s says %lld", file->name,
			       (long long)size, manifest_name,
			       (long long)file->size);
	if (strcmp(file->sha256, sha256) != 0)
		return err_set(err, ERR_FORMAT,
			       "%s has the sha256 %s; %s says %.64s",
			       file->name, sha256, manifest_name, file->sha256);
	return ERR_NONE;
}

enum err_code manifest_check(const struct manifest *manifest, const char *name,
			     const void *bytes, size_t len, struct err *err)
{
	char hex[DIGEST_HEX_MAX];

	if (!manifest->is_there)
		return ERR_NONE;
	for (size_t i = 0; i < manifest->n; i++) {
		if (strcmp(manifest->file[i].name, name) != 0)
			continue;
		digest_sha256(bytes, len, hex);
		return check_file(&manifest->file[i], (int64_t)len, hex, err);
	}
	return err_set(err, ERR_FORMAT, "%s does not list %s", manifest_name,
		       name);
}

static bool is_listed(const char *const *list, const char *name)
{
	for (; *list; list++) {
		if (!strcmp(*list, name))
			return true;
	}
	return false;
}

static enum err_code check_on_disk(const struct manifest_file *file,
				   const struct file_root *folder,
				   struct err *err)
{
	char hex[DIGEST_HEX_MAX];
	struct stat st;
	int fd;
	enum err_code rc;

	rc = file_root_openat(folder, file->name, 0, &fd, err);
	if (rc)
		return rc;
	if (fstat(fd, &st) < 0)
		rc = file_err(err, errno, "look at", file->name);
	if (!rc)
		rc = digest_fd(fd, file->name, hex, err);
	(void)close(fd);
	return rc ? rc : check_file(file, (int64_t)st.st_size, hex, err);
}

enum err_code manifest_check_rest(const struct manifest *manifest,
				  const struct file_root *folder,
				  const char *const *done, size_t *ret_bytes,
				  struct err *err)
{
	size_t bytes = 0;
	enum err_code rc = ERR_NONE;

	for (size_t i = 0; i < manifest->n && !rc; i++) {
		bytes += (size_t)manifest->file[i].size;
		if (!is_listed(done, manifest->file[i].name))
			rc = check_on_disk(&manifest->file[i], folder, err);
	}
	if (!rc)
		*ret_bytes = bytes;
	return rc;
}
