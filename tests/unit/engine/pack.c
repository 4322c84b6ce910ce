/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pack.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/build.h"
#include "engine/plan.h"

enum { ELEMENTS = 16 };

/* Two models of one store. */
struct bench {
	struct pack_store *store;
	float elements[2][ELEMENTS];
	struct packs *packs[2];
	unsigned n_made;
	enum err_code answer; /* of make() */
	struct err err;
};

static void begin(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	cr_assert_eq(pack_store_create(&b->store, &b->err), ERR_NONE);
	for (int i = 0; i < 2; i++) {
		for (int j = 0; j < ELEMENTS; j++)
			b->elements[i][j] = (float)j;
		cr_assert_eq(packs_create(b->store, &b->packs[i], &b->err),
			     ERR_NONE);
	}
}

static struct pack_stats stats(const struct bench *b)
{
	struct pack_stats stats;

	pack_store_stats(b->store, &stats);
	return stats;
}

static void end(struct bench *b)
{
	for (int i = 0; i < 2; i++)
		packs_destroy(b->packs[i]);
	cr_assert_eq(stats(b).n, 0);
	cr_assert_eq(stats(b).bytes, 0);
	pack_store_unref(b->store);
}

static enum err_code make(const void *data, const void *plain, void *to,
			  struct err *err)
{
	/* the bench counts: a wish has const data */
	struct bench *b = *(struct bench *const *)data;

	b->n_made++;
	memcpy(to, plain, sizeof(b->elements[0]));
	return b->answer ? err_set(err, b->answer, "made nothing") : ERR_NONE;
}

static enum err_code get(struct bench *b, struct packs *packs,
			 const float *plain, const char *form,
			 struct pack **ret)
{
	const struct pack_wish wish = { .plain = plain,
					.plain_bytes = sizeof(b->elements[0]),
					.form = form,
					.form_bytes = strlen(form),
					.bytes = sizeof(b->elements[0]),
					.make = make,
					.data = &b };

	*ret = NULL;
	return pack_get(packs, &wish, ret, &b->err);
}

Test(pack, is_shared_by_equal_elements_in_one_form)
{
	struct pack *pack[3];
	struct bench b;

	begin(&b);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(get(&b, b.packs[i], b.elements[i], "f", &pack[i]),
			     ERR_NONE);
	cr_assert_eq(get(&b, b.packs[0], b.elements[1], "f", &pack[2]),
		     ERR_NONE);
	cr_assert_eq(pack[0], pack[1]);
	cr_assert_eq(pack[0], pack[2]);
	cr_assert_eq(b.n_made, 1);
	cr_assert_eq((uintptr_t)pack_bytes(pack[0]) % 64, 0);
	cr_assert_eq(
	    memcmp(pack_bytes(pack[0]), b.elements[0], sizeof(b.elements[0])),
	    0);
	cr_assert_eq(stats(&b).n, 1);
	cr_assert_eq(stats(&b).n_shared, 2);
	for (int i = 0; i < 3; i++)
		pack_put(pack[i]);
	end(&b);
}

Test(pack, is_not_shared_by_other_elements_or_forms)
{
	static const char *const form[] = { "f", "g", "ff", "" };
	enum { FORMS = sizeof(form) / sizeof(form[0]) };
	struct pack *pack[FORMS + 2];
	struct bench b;

	begin(&b);
	for (int i = 0; i < FORMS; i++)
		cr_assert_eq(
		    get(&b, b.packs[0], b.elements[0], form[i], &pack[i]),
		    ERR_NONE);
	b.elements[1][ELEMENTS - 1] = -1;
	cr_assert_eq(get(&b, b.packs[1], b.elements[1], "f", &pack[FORMS]),
		     ERR_NONE);
	cr_assert_eq(get(&b, NULL, b.elements[0], "f", &pack[FORMS + 1]),
		     ERR_NONE);
	cr_assert_eq(b.n_made, FORMS + 2);
	cr_assert_eq(stats(&b).n, FORMS + 1);
	/* make() fills all forms with the same bytes: there is one of them */
	cr_assert_eq(stats(&b).bytes, 2 * sizeof(b.elements[0]));
	for (int i = 1; i < FORMS; i++)
		cr_assert_eq(pack_bytes(pack[i]), pack_bytes(pack[0]));
	for (int i = 0; i < FORMS + 2; i++)
		pack_put(pack[i]);
	end(&b);
}

static enum err_code make_other(const void *data, const void *plain, void *to,
				struct err *err)
{
	return make(data, plain, to, err);
}

Test(pack, is_not_shared_by_makers)
{
	struct pack *pack[2];
	struct bench b;
	struct bench *self = &b;
	struct pack_wish wish = { .form = "f",
				  .form_bytes = 1,
				  .plain_bytes = sizeof(b.elements[0]),
				  .bytes = sizeof(b.elements[0]),
				  .data = &self };

	begin(&b);
	wish.plain = b.elements[0];
	for (int i = 0; i < 2; i++) {
		wish.make = i ? make_other : make;
		cr_assert_eq(pack_get(b.packs[0], &wish, &pack[i], &b.err),
			     ERR_NONE);
	}
	cr_assert_neq(pack[0], pack[1]);
	pack_put(pack[0]);
	pack_put(pack[1]);
	end(&b);
}

static enum err_code make_negative(const void *data, const void *plain,
				   void *to, struct err *err)
{
	float *y = to;

	for (int i = 0; i < ELEMENTS; i++)
		y[i] = -((const float *)plain)[i];
	return make(data, y, to, err);
}

Test(pack, has_bytes_of_its_own_where_they_differ)
{
	struct pack *pack[2];
	struct bench b;
	struct bench *self = &b;
	struct pack_wish wish = { .plain_bytes = sizeof(b.elements[0]),
				  .bytes = sizeof(b.elements[0]),
				  .data = &self };

	begin(&b);
	wish.plain = b.elements[0];
	for (int i = 0; i < 2; i++) {
		wish.make = i ? make_negative : make;
		cr_assert_eq(pack_get(b.packs[0], &wish, &pack[i], &b.err),
			     ERR_NONE);
	}
	cr_assert_eq(stats(&b).bytes, 2 * sizeof(b.elements[0]));
	cr_assert_eq(((const float *)pack_bytes(pack[1]))[3], -3.0f);
	pack_put(pack[0]);
	pack_put(pack[1]);
	end(&b);
}

Test(pack, outlives_the_form_that_its_bytes_come_from)
{
	struct pack *pack[2];
	struct bench b;

	begin(&b);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(
		    get(&b, b.packs[0], b.elements[0], i ? "g" : "f", &pack[i]),
		    ERR_NONE);
	pack_put(pack[0]);
	cr_assert_eq(((const float *)pack_bytes(pack[1]))[3], 3.0f);
	cr_assert_eq(stats(&b).bytes, sizeof(b.elements[0]));
	pack_put(pack[1]);
	end(&b);
}

Test(pack, ends_with_the_last_who_has_it)
{
	struct pack *pack[2];
	struct bench b;

	begin(&b);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(get(&b, b.packs[i], b.elements[i], "f", &pack[i]),
			     ERR_NONE);
	pack_put(pack[0]);
	packs_destroy(b.packs[0]);
	b.packs[0] = NULL;
	cr_assert_eq(stats(&b).n, 1);
	cr_assert_eq(
	    memcmp(pack_bytes(pack[1]), b.elements[1], sizeof(b.elements[1])),
	    0);
	pack_put(pack[1]);
	cr_assert_eq(stats(&b).n, 0);
	cr_assert_eq(get(&b, b.packs[1], b.elements[1], "f", &pack[0]),
		     ERR_NONE);
	cr_assert_eq(b.n_made, 2);
	pack_put(pack[0]);
	end(&b);
}

Test(pack, that_could_not_be_made_is_made_by_the_next)
{
	struct pack *pack;
	struct bench b;

	begin(&b);
	b.answer = ERR_UNSUPPORTED;
	cr_assert_eq(get(&b, b.packs[0], b.elements[0], "f", &pack),
		     ERR_UNSUPPORTED);
	cr_assert_str_eq(b.err.msg, "made nothing");
	cr_assert_eq(get(&b, NULL, b.elements[0], "f", &pack), ERR_UNSUPPORTED);
	b.answer = ERR_NONE;
	cr_assert_eq(get(&b, b.packs[1], b.elements[1], "f", &pack), ERR_NONE);
	pack_put(pack);
	end(&b);
}

Test(pack, keeps_equal_elements_once)
{
	const void *kept[2];
	struct bench b;

	begin(&b);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(packs_keep(b.packs[i], b.elements[i],
					sizeof(b.elements[i]), &kept[i],
					&b.err),
			     ERR_NONE);
	cr_assert_eq(kept[0], kept[1]);
	cr_assert_eq((uintptr_t)kept[0] % 64, 0);
	packs_destroy(b.packs[0]);
	b.packs[0] = NULL;
	for (int j = 0; j < ELEMENTS; j++)
		cr_assert_eq(((const float *)kept[1])[j], (float)j);
	end(&b);
}

Test(pack, drops_what_is_kept)
{
	const void *kept[3];
	struct bench b;

	begin(&b);
	for (int i = 0; i < 3; i++) {
		/* the third one is the second one's */
		b.elements[0][0] = (float)(i ? 1 : 0);
		cr_assert_eq(packs_keep(b.packs[0], b.elements[0],
					sizeof(b.elements[0]), &kept[i],
					&b.err),
			     ERR_NONE);
	}
	cr_assert_eq(kept[1], kept[2]);
	packs_drop(b.packs[0], b.elements);
	cr_assert_eq(stats(&b).n, 2);
	packs_drop(b.packs[0], kept[0]);
	cr_assert_not(packs_has(b.packs[0], kept[0]));
	cr_assert_eq(stats(&b).n, 1);
	packs_drop(b.packs[0], kept[1]);
	cr_assert(packs_has(b.packs[0], kept[2]));
	cr_assert_eq(stats(&b).n, 1);
	packs_drop(b.packs[0], kept[2]);
	cr_assert_eq(stats(&b).n, 0);
	end(&b);
}

/* Its fingerprint is taken once: a second one would see that the elements are
 * others now. */
Test(pack, looks_at_what_is_kept_once)
{
	union {
		const void *kept;
		float *element;
	} some = { NULL };
	const void *more;
	struct pack *pack[2];
	struct bench b;

	begin(&b);
	cr_assert_eq(packs_keep(b.packs[0], b.elements[0],
				sizeof(b.elements[0]), &some.kept, &b.err),
		     ERR_NONE);
	for (int i = 0; i < 200; i++) {
		const float x[] = { (float)i, 0 };

		cr_assert_eq(
		    packs_keep(b.packs[0], x, sizeof(x), &more, &b.err),
		    ERR_NONE);
	}
	some.element[0] = -1;
	cr_assert_eq(get(&b, b.packs[0], some.element, "f", &pack[0]),
		     ERR_NONE);
	cr_assert_eq(get(&b, b.packs[1], b.elements[1], "f", &pack[1]),
		     ERR_NONE);
	cr_assert_eq(pack[0], pack[1]);
	pack_put(pack[0]);
	pack_put(pack[1]);
	end(&b);
}

/* --- plans --- */

static struct plan *plan_for(struct graph *graph, struct packs *packs,
			     int64_t rows)
{
	const struct plan_options options = { .packs = packs };
	const struct fact x = { .type = { .elem = DTYPE_F32 },
				.shape = { 4, { rows, 32, 16, 16 } },
				.has_shape = true };
	const struct signature signature = { 1, &x };
	struct plan *plan = NULL;
	struct err err;

	cr_assert_eq(plan_create(graph, &signature, &options, &plan, &err),
		     ERR_NONE, "%s", err.msg);
	return plan;
}

/* y = Conv(x, w) with a constant w of its own. */
static struct graph *convolution(void)
{
	const struct tensor_view w = { .dtype = DTYPE_F32,
				       .shape = { 4, { 32, 32, 3, 3 } },
				       .data = mem_array((size_t)32 * 32 * 9,
							 sizeof(float)) };
	struct graph *graph = NULL;
	struct build build;
	struct err err;
	int32_t in[2];

	cr_assert_eq(graph_create(1 << 20, &graph, &err), ERR_NONE);
	cr_assert_eq(graph_add_input(graph, "x",
				     (struct type){ .elem = DTYPE_F32 }, &in[0],
				     &err),
		     ERR_NONE);
	cr_assert_eq(graph_copy_constant(graph, "w", &w, &in[1], &err),
		     ERR_NONE);
	mem_free(w.data);
	build_init(&build, graph, NULL);
	cr_assert_eq(graph_add_output(
			 graph, build_2(&build, "Conv", in[0], in[1]), &err),
		     ERR_NONE);
	cr_assert_eq(build_check(&build, &err), ERR_NONE);
	cr_assert_eq(facts_type_graph(graph, &err), ERR_NONE);
	return graph;
}

Test(pack, of_a_convolution_is_one_for_all_plans)
{
	struct plan *plan[3] = { NULL };
	struct pack_store *store;
	struct pack_stats stats;
	struct graph *graph[2];
	struct packs *packs[2];
	struct err err;

	cr_assert_eq(pack_store_create(&store, &err), ERR_NONE);
	for (int i = 0; i < 2; i++) {
		graph[i] = convolution();
		cr_assert_eq(packs_create(store, &packs[i], &err), ERR_NONE);
	}
	for (int i = 0; i < 3; i++)
		plan[i] = plan_for(graph[i / 2], packs[i / 2], 1 + i % 2);
	pack_store_stats(store, &stats);
	cr_assert_eq(stats.n, 1);
	cr_assert_eq(stats.n_made, 1);
	cr_assert_eq(stats.n_shared, 2);
	for (int i = 0; i < 3; i++)
		plan_unref(plan[i]);
	pack_store_stats(store, &stats);
	cr_assert_eq(stats.n, 0);
	for (int i = 0; i < 2; i++) {
		packs_destroy(packs[i]);
		graph_destroy(graph[i]);
	}
	pack_store_unref(store);
}

/* `bytes` of zeros at the end of a page, behind which none can be read. */
static void *at_an_edge(size_t bytes, void **ret_block, size_t *ret_size)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const size_t size = (bytes + page - 1) / page * page;
	char *block = mmap(NULL, size + page, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(block, MAP_FAILED);
	cr_assert_eq(mprotect(block + size, page, PROT_NONE), 0);
	*ret_block = block;
	*ret_size = size + page;
	return block + size - bytes;
}

/* y = MatMul(x, w), whose w lies there. */
static struct graph *product_of(const struct tensor_view *w)
{
	struct graph *graph = NULL;
	struct build build;
	struct err err;
	int32_t in[2];

	cr_assert_eq(graph_create(1 << 20, &graph, &err), ERR_NONE);
	cr_assert_eq(graph_add_input(graph, "x",
				     (struct type){ .elem = DTYPE_F32 }, &in[0],
				     &err),
		     ERR_NONE);
	cr_assert_eq(graph_add_constant(graph, "w", w, &in[1], &err), ERR_NONE);
	build_init(&build, graph, NULL);
	cr_assert_eq(graph_add_output(
			 graph, build_2(&build, "MatMul", in[0], in[1]), &err),
		     ERR_NONE);
	cr_assert_eq(build_check(&build, &err), ERR_NONE);
	cr_assert_eq(facts_type_graph(graph, &err), ERR_NONE);
	return graph;
}

/* A slice of columns begins in the first row and ends in the last one. */
Test(pack, of_slices_of_columns_keeps_to_the_weights)
{
	struct tensor_view w = { .dtype = DTYPE_F32,
				 .shape = { 2, { 384, 1536 } } };
	const struct fact x = { .type = { .elem = DTYPE_F32 },
				.shape = { 2, { 32, 384 } },
				.has_shape = true };
	const struct signature signature = { 1, &x };
	struct plan_options options = { .numerics = NUMERICS_REPEATABLE };
	struct plan *plan = NULL;
	struct graph *graph;
	struct pack_store *store;
	struct packs *packs;
	struct err err;
	void *block;
	size_t size;

	w.data = at_an_edge((size_t)384 * 1536 * sizeof(float), &block, &size);
	graph = product_of(&w);
	cr_assert_eq(pack_store_create(&store, &err), ERR_NONE);
	cr_assert_eq(packs_create(store, &packs, &err), ERR_NONE);
	options.packs = packs;
	cr_assert_eq(plan_create(graph, &signature, &options, &plan, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_gt(plan_step_info(plan, 0).n_slices, 1);
	plan_unref(plan);
	packs_destroy(packs);
	pack_store_unref(store);
	graph_destroy(graph);
	munmap(block, size);
}
