/* SPDX-License-Identifier: Apache-2.0 */
#include "training/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/field.h"
#include "base/file.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/str.h"

#define CHECKPOINT_MAX_BYTES ((size_t)64 << 30)

enum {
	PARTS = CHECKPOINT_PARTS,
	MAX_NAMES = 4096,
	STATE_MAX = 1 << 20,
	PIECE_MAX = 1 << 18,
	FORMAT = 2
};

static const char *const part_file[PARTS] = {
	"model.safetensors", "optim.safetensors", "best.safetensors",
	"average.safetensors", "history.safetensors"
};
static const char state_file[] = "state.json";
static const char manifest_file[] = "manifest.json";

/* clang-format off */
#define S(member) offsetof(struct checkpoint_state, member)
#define INT(member) { .name = #member, .kind = FIELD_INT, .offset = S(member) }
#define REAL(member) { .name = #member, .kind = FIELD_DOUBLE, .offset = S(member) }
#define SUMS(text, of)                                                         \
	{ .name = text "_n", .kind = FIELD_DOUBLE, .offset = S(of.n) },        \
	{ .name = text "_loss", .kind = FIELD_DOUBLE, .offset = S(of.loss) },  \
	{ .name = text "_hits", .kind = FIELD_DOUBLE, .offset = S(of.hits) },  \
	{ .name = text "_characters", .kind = FIELD_DOUBLE, .offset = S(of.characters) }, \
	{ .name = text "_absolute", .kind = FIELD_DOUBLE, .offset = S(of.absolute) }, \
	{ .name = text "_square", .kind = FIELD_DOUBLE, .offset = S(of.square) }, \
	{ .name = text "_target", .kind = FIELD_DOUBLE, .offset = S(of.target) }, \
	{ .name = text "_target_square", .kind = FIELD_DOUBLE, .offset = S(of.target_square) }
#define FLAG(member) { .name = #member, .kind = FIELD_BOOL, .offset = S(member) }
#define TEXT(member) { .name = #member, .kind = FIELD_STRING, .offset = S(member) }
static const struct field state_fields[] = {
	INT(epoch), INT(step), INT(batch_in_epoch),
	REAL(train_loss), REAL(train_weight),
	SUMS("sum", sum),
	FLAG(has_best), REAL(best_value), INT(best_step), INT(best_epoch),
	INT(wait), SUMS("best_sum", best_sum),
	INT(diagnosis.n), REAL(diagnosis.best_train), REAL(diagnosis.best_valid),
	REAL(diagnosis.train_then), INT(diagnosis.best_epoch),
	INT(diagnosis.n_above), REAL(diagnosis.landmark), INT(diagnosis.n_level),
	INT(diagnosis.name), REAL(diagnosis.gap),
	REAL(watch.reduction), FLAG(watch.has_best), REAL(watch.best),
	INT(phase), INT(batch), INT(judged_step), INT(n_averaged), INT(averaged_step),
	INT(n_rollbacks), REAL(rate_factor), REAL(found_rate),
	INT(watch.n_bad), INT(watch.n_cooldown),
	INT(samples), REAL(seconds), FLAG(is_epoch_over),
	TEXT(fingerprint), TEXT(spec_digest), TEXT(plan_digest), TEXT(version),
	{ 0 },
};
/* clang-format on */

/* A folder under way. */
struct folder {
	int dir;
	const struct checkpoint_write *what;
	struct json_writer manifest;
};

/* A file under way. */
struct under_way {
	struct digest digest;
	size_t len;
	const struct spill *spill;
};

/* What lies in a file of its own leaves memory again. */
static void count_piece(void *ctx, const struct file_piece *piece)
{
	struct under_way *file = ctx;
	const char *at = piece->data;

	digest_update(&file->digest, piece->data, piece->len);
	file->len += piece->len;
	if (file->spill && file->spill->data && at >= file->spill->data &&
	    at < file->spill->data + file->spill->bytes)
		spill_rest(file->spill, (size_t)(at - file->spill->data),
			   piece->len);
}

/* Writes one file of the folder and its line of the manifest. */
static enum err_code write_one(struct folder *folder, const char *name,
			       const struct file_piece *piece, size_t n,
			       struct err *err)
{
	struct json_writer *manifest = &folder->manifest;
	struct under_way file = { .spill = folder->what->spill };
	const struct file_pieces pieces = { piece, n, count_piece, &file };
	char hex[DIGEST_HEX_MAX];
	enum err_code rc;

	digest_init(&file.digest);
	rc = file_write_pieces(folder->dir, name, &pieces, err);
	if (rc)
		return rc;
	digest_finish(&file.digest, hex);
	json_write_object(manifest, NULL);
	json_write_string(manifest, "name", name);
	json_write_uint(manifest, "size", file.len);
	json_write_string(manifest, "sha256", hex);
	json_write_object_end(manifest);
	return ERR_NONE;
}

static enum err_code write_state(struct folder *folder, struct err *err)
{
	struct file_piece piece;
	struct json_writer writer;
	struct buf buf;
	enum err_code rc;

	buf_init(&buf, STATE_MAX);
	json_write_init(&writer, &buf);
	json_write_object(&writer, NULL);
	field_write(state_fields, folder->what->state, &writer);
	json_write_object_end(&writer);
	rc = buf_check(&buf, state_file, err);
	piece = (struct file_piece){ buf.data, buf.len };
	if (!rc)
		rc = write_one(folder, state_file, &piece, 1, err);
	buf_finish(&buf);
	return rc;
}

static size_t bytes_of(const struct tensor_view *view)
{
	return tensor_bytes(view->dtype, &view->shape);
}

/* The tensors as they lie, in pieces: no second copy of them is made. */
static enum err_code write_part(struct folder *folder, const char *name,
				const struct safetensors *part, struct err *err)
{
	struct file_piece *piece;
	struct buf header;
	size_t n = 1;
	enum err_code rc;

	for (size_t i = 0; i < part->n; i++)
		n += 1 + bytes_of(&part->entry[i].view) / PIECE_MAX;
	piece = mem_array(n, sizeof(*piece));
	if (!piece)
		return err_set(err, ERR_NO_MEMORY, "checkpoint: out of memory");
	buf_init(&header, CHECKPOINT_MAX_BYTES);
	rc = safetensors_write_header(part, &header, err);
	piece[0] = (struct file_piece){ header.data, header.len };
	n = 1;
	for (size_t i = 0; i < part->n; i++) {
		const struct tensor_view *view = &part->entry[i].view;
		const char *at = view->data;
		size_t left = bytes_of(view);

		for (; left > PIECE_MAX; left -= PIECE_MAX, at += PIECE_MAX)
			piece[n++] = (struct file_piece){ at, PIECE_MAX };
		piece[n++] = (struct file_piece){ at, left };
	}
	if (!rc)
		rc = write_one(folder, name, piece, n, err);
	buf_finish(&header);
	mem_free(piece);
	return rc;
}

static enum err_code write_files(struct folder *folder, struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (int i = 0; i < PARTS && !rc; i++)
		if (folder->what->part[i])
			rc = write_part(folder, part_file[i],
					folder->what->part[i], err);
	return rc ? rc : write_state(folder, err);
}

static enum err_code write_folder(const char *path,
				  const struct checkpoint_write *what,
				  struct err *err)
{
	struct folder folder = { .what = what };
	struct json_writer *manifest = &folder.manifest;
	struct buf buf;
	enum err_code rc;

	folder.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder.dir < 0)
		return file_err(err, errno, "open", path);
	buf_init(&buf, STATE_MAX);
	json_write_init(manifest, &buf);
	json_write_object(manifest, NULL);
	json_write_int(manifest, "format", FORMAT);
	json_write_array(manifest, "files");
	rc = write_files(&folder, err);
	json_write_array_end(manifest);
	json_write_object_end(manifest);
	if (!rc)
		rc = buf_check(&buf, manifest_file, err);
	if (!rc)
		rc = file_write_durable(folder.dir, manifest_file, buf.data,
					buf.len, err);
	if (!rc)
		rc = file_sync_fd(folder.dir, path, err);
	(void)close(folder.dir);
	buf_finish(&buf);
	return rc;
}

enum err_code checkpoint_list(const char *job_dir, struct arena *arena,
			      const char ***ret_names, size_t *ret_n,
			      struct err *err)
{
	const char **names;
	size_t n, kept = 0;
	enum err_code rc;

	rc = file_list_dir(job_dir, MAX_NAMES, arena, &names, &n, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < n; i++) {
		if (str_starts_with(names[i], CHECKPOINT_PREFIX))
			names[kept++] = names[i];
	}
	*ret_names = names;
	*ret_n = kept;
	return ERR_NONE;
}

/* Leaves `newest` and those before it, `keep` in all. Later ones are broken:
 * the run fell back behind them. What cannot be removed is tried again after
 * the next checkpoint. */
static void prune(const char *job_dir, const char *newest, int64_t keep,
		  struct arena *arena)
{
	const char **names;
	size_t n, end = 0;

	if (checkpoint_list(job_dir, arena, &names, &n, NULL))
		return;
	while (end < n && strcmp(names[end], newest) <= 0)
		end++;
	for (size_t i = 0; i < n; i++) {
		char *path;

		if (i < end && i + (size_t)keep >= end)
			continue;
		path = arena_printf(arena, "%s/%s", job_dir, names[i]);
		if (path && file_remove_tree(path, NULL))
			continue;
	}
}

/* A step is saved again at its epoch's end, with more to say: then the two
 * change places, so that at every moment there is one. */
static enum err_code put_in_place(const char *tmp, const char *path,
				  struct err *err)
{
	enum err_code rc = file_rename_noreplace(tmp, path, err);

	if (rc != ERR_CONFLICT)
		return rc;
	if (renameat2(AT_FDCWD, tmp, AT_FDCWD, path, RENAME_EXCHANGE))
		return file_err(err, errno, "replace", path);
	return file_remove_tree(tmp, err);
}

enum err_code checkpoint_save(const char *job_dir,
			      const struct checkpoint_write *what,
			      struct arena *arena, const char **ret_name,
			      struct err *err)
{
	char *tmp = arena_printf(arena, "%s/.tmp-ckpt", job_dir);
	char *name = arena_printf(arena, CHECKPOINT_PREFIX "%012lld",
				  (long long)what->state->step);
	char *path = name ? arena_printf(arena, "%s/%s", job_dir, name) : NULL;
	enum err_code rc;

	if (!tmp || !path)
		return err_set(err, ERR_NO_MEMORY, "checkpoint: out of memory");
	/* a lost folder is not made again: what belongs there is lost too */
	if (access(job_dir, W_OK | X_OK))
		return err_set(err, ERR_IO,
			       "the job's folder '%s' is lost or closed",
			       job_dir);
	rc = file_remove_tree(tmp, err);
	if (!rc)
		rc = file_make_dirs(tmp, err);
	if (!rc)
		rc = write_folder(tmp, what, err);
	if (!rc)
		rc = put_in_place(tmp, path, err);
	if (!rc)
		rc = file_sync_dir(job_dir, err);
	if (rc) {
		if (file_remove_tree(tmp, NULL))
			(void)err_prefix(err, "%s is left behind", tmp);
		return rc;
	}
	prune(job_dir, name, what->keep, arena);
	*ret_name = name;
	return ERR_NONE;
}

/* Reads a file of the manifest's list and checks size and hash. */
static enum err_code read_listed(const char *path, const struct doc *entry,
				 struct checkpoint *into, char **ret_state,
				 size_t *ret_len, struct err *err)
{
	const struct doc *name = doc_find(entry, "name");
	const struct doc *sha = doc_find(entry, "sha256");
	const struct doc *size = doc_find(entry, "size");
	char hex[DIGEST_HEX_MAX], *data, *full;
	size_t len;
	int slot = PARTS;
	enum err_code rc;

	if (!name || !sha || name->kind != DOC_STRING ||
	    sha->kind != DOC_STRING || strchr(name->text, '/'))
		return err_set(err, ERR_FORMAT, "'%s/%s' is broken", path,
			       manifest_file);
	for (int i = 0; i < PARTS; i++) {
		if (str_equal(name->text, part_file[i]))
			slot = i;
	}
	full = arena_printf(into->arena, "%s/%s", path, name->text);
	if (!full)
		return err_set(err, ERR_NO_MEMORY, "checkpoint: out of memory");
	rc = file_read_all(full, CHECKPOINT_MAX_BYTES, &data, &len, err);
	if (rc)
		return rc;
	digest_sha256(data, len, hex);
	if (!size || size->integer != (int64_t)len ||
	    !str_equal(hex, sha->text)) {
		mem_free(data);
		return err_set(err, ERR_FORMAT,
			       "'%s' is not what its manifest says", full);
	}
	if (slot < PARTS && !into->bytes[slot]) {
		struct safetensors *part[PARTS] = { &into->model, &into->optim,
						    &into->best, &into->average,
						    &into->history };

		into->bytes[slot] = data;
		return safetensors_parse(data, len, full, into->arena,
					 part[slot], err);
	}
	if (!str_equal(name->text, state_file) || *ret_state) {
		mem_free(data);
		return ERR_NONE;
	}
	*ret_state = data;
	*ret_len = len;
	return ERR_NONE;
}

static enum err_code read_files(const char *path, const struct doc *files,
				struct checkpoint *into, struct err *err)
{
	char *state = NULL;
	struct doc *doc;
	size_t len = 0;
	enum err_code rc = ERR_NONE;

	for (const struct doc *f = files ? files->first : NULL; f && !rc;
	     f = f->next)
		rc = read_listed(path, f, into, &state, &len, err);
	if (!rc && (!state || !into->bytes[0] || !into->bytes[1]))
		rc = err_set(err, ERR_FORMAT, "'%s' is not whole", path);
	if (!rc)
		rc = doc_parse_json(state, len, path, into->arena, &doc, err);
	if (!rc)
		rc = field_read(state_fields, doc, state_file, NULL,
				&into->state, into->arena, err);
	mem_free(state);
	return rc;
}

/* ERR_CONFLICT: a number that another version writes. */
static enum err_code check_format(const struct doc *format, const char *path,
				  struct err *err)
{
	if (!format || format->kind != DOC_INT)
		return err_set(err, ERR_FORMAT, "'%s/%s' is broken", path,
			       manifest_file);
	if (format->integer == FORMAT)
		return ERR_NONE;
	return err_set(
	    err, ERR_CONFLICT,
	    "'%s' is a checkpoint of format %lld, this version reads "
	    "format %d",
	    path, (long long)format->integer, (int)FORMAT);
}

static enum err_code read_folder(const char *path, struct checkpoint **ret,
				 struct err *err)
{
	struct checkpoint *checkpoint = mem_zero(sizeof(*checkpoint));
	char manifest[4096], *text = NULL;
	struct doc *doc;
	size_t len;
	enum err_code rc;

	if (checkpoint)
		checkpoint->arena = arena_create((size_t)1 << 30);
	if (!checkpoint || !checkpoint->arena) {
		rc = err_set(err, ERR_NO_MEMORY, "checkpoint: out of memory");
		goto out;
	}
	if (snprintf(manifest, sizeof(manifest), "%s/%s", path,
		     manifest_file) >= (int)sizeof(manifest)) {
		rc = err_set(err, ERR_INVALID, "'%s': the path is too long",
			     path);
		goto out;
	}
	rc = file_read_all(manifest, STATE_MAX, &text, &len, err);
	if (!rc)
		rc = doc_parse_json(text, len, manifest, checkpoint->arena,
				    &doc, err);
	if (!rc)
		rc = check_format(doc_find(doc, "format"), path, err);
	if (!rc)
		rc = read_files(path, doc_find(doc, "files"), checkpoint, err);
	if (rc)
		goto out;
	*ret = checkpoint;
	checkpoint = NULL;
out:
	mem_free(text);
	checkpoint_destroy(checkpoint);
	return rc;
}

/* One that does not verify falls back to the one before. */
static enum err_code load_or_skip(const char *job_dir, const char *name,
				  struct checkpoint **ret,
				  struct checkpoint_skipped *skipped,
				  struct err *err)
{
	char path[4096];
	struct err why = { 0 };
	enum err_code rc;

	if (snprintf(path, sizeof(path), "%s/%s", job_dir, name) >=
	    (int)sizeof(path))
		return err_set(err, ERR_INVALID, "'%s': the path is too long",
			       job_dir);
	rc = read_folder(path, ret, &why);
	if (rc == ERR_NO_MEMORY)
		return err_set(err, rc, "'%s': no memory to load it", path);
	if (!rc)
		return ERR_NONE;
	if (!skipped->n++) {
		(void)str_copy(skipped->name, sizeof(skipped->name), name);
		skipped->why = why;
	}
	skipped->is_foreign = skipped->is_foreign || rc == ERR_CONFLICT;
	return ERR_NONE;
}

enum err_code checkpoint_load(const char *job_dir, struct checkpoint **ret,
			      struct checkpoint_skipped *ret_skipped,
			      struct err *err)
{
	struct arena *arena = arena_create(1 << 24);
	struct checkpoint_skipped skipped = { 0 };
	const char **names;
	size_t n = 0;
	enum err_code rc;

	if (!arena)
		return err_set(err, ERR_NO_MEMORY, "checkpoint: out of memory");
	*ret = NULL;
	rc = checkpoint_list(job_dir, arena, &names, &n, err);
	for (size_t i = n; !rc && i-- > 0 && !*ret;)
		rc = load_or_skip(job_dir, names[i], ret, &skipped, err);
	if (!rc && !*ret && skipped.is_foreign)
		rc = err_set(err, ERR_CONFLICT,
			     "%s; end the job with the version that began it, "
			     "or submit it again",
			     skipped.why.msg);
	if (ret_skipped)
		*ret_skipped = skipped;
	arena_destroy(arena);
	return rc;
}

void checkpoint_destroy(struct checkpoint *checkpoint)
{
	if (!checkpoint)
		return;
	for (int i = 0; i < PARTS; i++)
		mem_free(checkpoint->bytes[i]);
	arena_destroy(checkpoint->arena);
	mem_free(checkpoint);
}
