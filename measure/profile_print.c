/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/profile_print.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json_write.h"
#include "base/mem.h"

enum { SHAPES_MAX = 512, NAME_WIDTH = 28 };

/* A thousand millions a second. */
static double rate(double amount, double us)
{
	return us > 0 ? amount / us / 1e3 : 0;
}

static double share(double part, double whole)
{
	return whole > 0 ? 100 * part / whole : 0;
}

static double steps_us(const struct profile *profile)
{
	double us = 0;

	for (size_t i = 0; i < profile->n_rows; i++)
		us += profile->row[i].summary.min_us;
	return us;
}

/* The end of a name tells more than its begin. */
static const char *tail_of(const char *name)
{
	const size_t len = strlen(name);

	return len > NAME_WIDTH ? name + len - NAME_WIDTH : name;
}

/* " 12.3 GF/s  45 %" of what one thread reaches, or bytes. */
static void print_rate(const struct profile_view *view,
		       const struct step_work *work, double us, struct buf *buf)
{
	const bool is_flops = work->flops > 0;
	const double reached = rate(is_flops ? work->flops : work->bytes, us);
	const double peak =
	    is_flops ? view->peak.gflops : view->peak.read_gbytes;

	if (reached > 0)
		buf_printf(buf, " %7.1f %s %4.0f%%", reached,
			   is_flops ? "GF/s" : "GB/s", share(reached, peak));
	else
		buf_puts(buf, "              -     ");
}

static void print_row(const struct profile_view *view, size_t i,
		      struct buf *buf)
{
	const struct profile_row *row = &view->profile->row[i];
	char shapes[SHAPES_MAX];

	profile_shapes(row, shapes, sizeof(shapes));
	buf_printf(buf, "%4zu %9.1f %9.1f %5.1f%% %9.1f", i,
		   row->summary.min_us, row->summary.median_us,
		   share(row->summary.min_us, view->alone.min_us),
		   row->cost_us);
	print_rate(view, &row->work, row->summary.min_us, buf);
	buf_printf(buf, " %3u  %-*s  %s", row->n_slices, NAME_WIDTH,
		   tail_of(row->node), row->op);
	buf_printf(buf, "  %s%s%s  %s\n", row->kernel,
		   *row->implementation ? "/" : "", row->implementation,
		   shapes);
}

struct rank {
	double us;
	size_t row;
};

static int dearest_first(const void *x, const void *y)
{
	const struct rank *a = x, *b = y;

	if (a->us != b->us)
		return a->us < b->us ? 1 : -1;
	return (a->row > b->row) - (a->row < b->row);
}

static enum err_code print_rows(const struct profile_view *view,
				struct buf *buf, struct err *err)
{
	const struct profile *profile = view->profile;
	struct rank *rank = mem_array(profile->n_rows + 1, sizeof(*rank));

	if (!rank)
		return err_set(err, ERR_NO_MEMORY, "profile: out of memory");
	for (size_t i = 0; i < profile->n_rows; i++)
		rank[i] = (struct rank){ profile->row[i].summary.min_us, i };
	qsort(rank, profile->n_rows, sizeof(*rank), dearest_first);
	buf_printf(buf, "%4s %9s %9s %6s %9s %12s %5s %3s  %-*s  %s\n", "step",
		   "min us", "median", "share", "predicted", "rate", "peak",
		   "sl.", NAME_WIDTH, "node", "operator, kernel, operands");
	for (size_t i = 0; i < profile->n_rows && i < view->top; i++)
		print_row(view, rank[i].row, buf);
	mem_free(rank);
	return ERR_NONE;
}

static enum err_code print_groups(const struct profile_view *view,
				  bool by_kernel, struct buf *buf,
				  struct err *err)
{
	struct profile_group *group = NULL;
	size_t n = 0;
	enum err_code rc =
	    profile_group(view->profile, by_kernel, &group, &n, err);

	if (rc)
		return rc;
	buf_printf(buf, "\n%-28s %5s %9s %9s %6s %9s %12s %5s\n",
		   by_kernel ? "kernel" : "operator", "rows", "min us",
		   "median", "share", "predicted", "rate", "peak");
	for (size_t i = 0; i < n; i++) {
		const struct step_work work = { group[i].flops,
						group[i].bytes };

		buf_printf(buf, "%-28s %5zu %9.1f %9.1f %5.1f%% %9.1f",
			   group[i].name, group[i].n, group[i].min_us,
			   group[i].median_us,
			   share(group[i].min_us, view->alone.min_us),
			   group[i].cost_us);
		print_rate(view, &work, group[i].min_us, buf);
		buf_putc(buf, '\n');
	}
	mem_free(group);
	return ERR_NONE;
}

enum err_code profile_print(const struct profile_view *view, struct buf *buf,
			    struct err *err)
{
	const struct profile *profile = view->profile;
	const double inside = steps_us(profile);
	const double outside = view->alone.min_us - inside;
	enum err_code rc = print_rows(view, buf, err);

	if (!rc)
		rc = print_groups(view, false, buf, err);
	if (!rc)
		rc = print_groups(view, true, buf, err);
	if (rc)
		return rc;
	buf_printf(buf,
		   "\nrun             %10.1f us min, %.1f median\n"
		   "watched         %10.1f us min, %.1f median, %zu runs\n"
		   "in %4zu rows    %10.1f us\n"
		   "outside of them %10.1f us (%.1f%%)\n"
		   "one thread's peak: %.0f GFLOP/s, %.1f GB/s read from "
		   "memory\n",
		   view->alone.min_us, view->alone.median_us,
		   profile->whole.min_us, profile->whole.median_us,
		   profile->watched.n, profile->n_rows, inside,
		   outside > 0 ? outside : 0,
		   outside > 0 ? share(outside, view->alone.min_us) : 0,
		   view->peak.gflops, view->peak.read_gbytes);
	return buf_check(buf, "the profile", err);
}

static void write_row(const struct profile_view *view, size_t i,
		      struct json_writer *w)
{
	const struct profile_row *row = &view->profile->row[i];
	char shapes[SHAPES_MAX];

	profile_shapes(row, shapes, sizeof(shapes));
	json_write_object(w, NULL);
	json_write_uint(w, "step", i);
	json_write_string(w, "node", row->node);
	json_write_string(w, "operator", row->op);
	json_write_string(w, "kernel", row->kernel);
	json_write_string(w, "implementation", row->implementation);
	json_write_string(w, "operands", shapes);
	json_write_bool(w, "is_interpreted", row->interpreted != NULL);
	json_write_uint(w, "depth", row->depth);
	json_write_uint(w, "slices", row->n_slices);
	json_write_double(w, "min_us", row->summary.min_us);
	json_write_double(w, "median_us", row->summary.median_us);
	json_write_double(w, "predicted_us", row->cost_us);
	json_write_double(w, "flops", row->work.flops);
	json_write_double(w, "bytes", row->work.bytes);
	json_write_object_end(w);
}

static enum err_code write_groups(const struct profile_view *view,
				  bool by_kernel, struct json_writer *w,
				  struct err *err)
{
	struct profile_group *group = NULL;
	size_t n = 0;
	enum err_code rc =
	    profile_group(view->profile, by_kernel, &group, &n, err);

	if (rc)
		return rc;
	json_write_array(w, by_kernel ? "kernels" : "operators");
	for (size_t i = 0; i < n; i++) {
		json_write_object(w, NULL);
		json_write_string(w, "name", group[i].name);
		json_write_uint(w, "rows", group[i].n);
		json_write_double(w, "min_us", group[i].min_us);
		json_write_double(w, "median_us", group[i].median_us);
		json_write_double(w, "predicted_us", group[i].cost_us);
		json_write_double(w, "flops", group[i].flops);
		json_write_double(w, "bytes", group[i].bytes);
		json_write_object_end(w);
	}
	json_write_array_end(w);
	mem_free(group);
	return ERR_NONE;
}

enum err_code profile_write_json(const struct profile_view *view,
				 struct buf *buf, struct err *err)
{
	const struct profile *profile = view->profile;
	struct json_writer w;
	enum err_code rc;

	json_write_init(&w, buf);
	json_write_object(&w, NULL);
	json_write_double(&w, "min_us", view->alone.min_us);
	json_write_double(&w, "median_us", view->alone.median_us);
	json_write_double(&w, "watched_min_us", profile->whole.min_us);
	json_write_uint(&w, "watched_runs", profile->watched.n);
	json_write_double(&w, "in_steps_us", steps_us(profile));
	json_write_double(&w, "peak_gflops", view->peak.gflops);
	json_write_double(&w, "peak_read_gbytes", view->peak.read_gbytes);
	json_write_array(&w, "steps");
	for (size_t i = 0; i < profile->n_rows; i++)
		write_row(view, i, &w);
	json_write_array_end(&w);
	rc = write_groups(view, false, &w, err);
	if (!rc)
		rc = write_groups(view, true, &w, err);
	json_write_object_end(&w);
	return rc ? rc : buf_check(buf, "the profile", err);
}
