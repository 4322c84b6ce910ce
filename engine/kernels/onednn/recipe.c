/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "engine/kernels/onednn/onednn.h"
#include "engine/kernels/onednn/recipe_priv.h"

enum { ALIGNMENT = 64 };

/* One slice of one instance: oneDNN's objects over its addresses. */
struct bound_slice {
	const struct recipe *recipe;
	unsigned number; /* among the recipe's own slices */
	dnnl_stream_t stream;
	dnnl_memory_t memory[RECIPE_SLOTS];
	dnnl_exec_arg_t arg[RECIPE_STEPS][RECIPE_ARGS];
	char *scratch; /* where the memory objects point now */
	char *spare;   /* for outputs nobody reads */
};

struct bound {
	unsigned n_slices;
	struct bound_slice slice[];
};

/* oneDNN's handles know no const. */
static void *handle(const void *bytes)
{
	const union {
		const void *in;
		void *out;
	} same = { .in = bytes };

	return same.out;
}

unsigned recipe_parts(int64_t n, int64_t unit, int64_t want, int64_t most)
{
	int64_t k = want > 2 ? want : 2;

	if (want < 2 || n % unit)
		return 1;
	n /= unit;
	most = most < n ? most : n;
	while (k <= most && n % k)
		k++;
	return k <= most ? (unsigned)k : 1;
}

enum err_code recipe_create(unsigned n_slices, struct recipe **ret_recipe,
			    struct err *err)
{
	struct recipe *recipe = mem_zero(sizeof(*recipe));
	enum err_code rc;

	onednn_quiet();
	if (!recipe)
		return err_set(err, ERR_NO_MEMORY, "oneDNN: out of memory");
	recipe->n_slices = n_slices;
	rc = onednn_check(dnnl_engine_create(&recipe->engine, dnnl_cpu, 0),
			  "an engine", err);
	if (rc) {
		recipe_destroy(recipe);
		return rc;
	}
	*ret_recipe = recipe;
	return ERR_NONE;
}

static void destroy_one(struct recipe *recipe)
{
	for (unsigned i = 0; i < recipe->n_steps; i++)
		if (recipe->step[i].primitive)
			(void)dnnl_primitive_destroy(recipe->step[i].primitive);
	if (recipe->engine)
		(void)dnnl_engine_destroy(recipe->engine);
	for (unsigned i = 0; i < recipe->n_slots; i++)
		pack_put(recipe->slot[i].pack);
	mem_free(recipe->memory);
	mem_free(recipe);
}

void recipe_destroy(struct recipe *recipe)
{
	while (recipe) {
		struct recipe *next = recipe->next;

		destroy_one(recipe);
		recipe = next;
	}
}

static size_t align(size_t n)
{
	return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static unsigned add_slot(struct recipe *recipe, const struct slot *slot)
{
	/* recipes are written here, none comes near the limit */
	if (recipe->n_slots == RECIPE_SLOTS)
		return RECIPE_SLOTS - 1;
	recipe->slot[recipe->n_slots] = *slot;
	return recipe->n_slots++;
}

unsigned recipe_bound(struct recipe *recipe, enum slot_place place,
		      unsigned index, const dnnl_memory_desc_t *md)
{
	return recipe_sliced(recipe, place, index, md, 0);
}

static size_t element_bytes(dnnl_data_type_t type)
{
	if (type == dnnl_u8 || type == dnnl_s8)
		return 1;
	return type == dnnl_bf16 ? 2 : sizeof(float);
}

unsigned recipe_sliced(struct recipe *recipe, enum slot_place place,
		       unsigned index, const dnnl_memory_desc_t *md,
		       int64_t step)
{
	return add_slot(recipe,
			&(struct slot){ .md = *md,
					.place = place,
					.index = index,
					.step = (size_t)step *
						element_bytes(md->data_type) });
}

unsigned recipe_scratch(struct recipe *recipe, const dnnl_memory_desc_t *md)
{
	const struct slot slot = { .md = *md,
				   .place = SLOT_SCRATCH,
				   .offset = recipe->scratch_bytes };

	recipe->scratch_bytes += align(dnnl_memory_desc_get_size(md));
	return add_slot(recipe, &slot);
}

static enum err_code scratchpad_attr(dnnl_primitive_attr_t *ret,
				     struct err *err)
{
	dnnl_status_t status = dnnl_primitive_attr_create(ret);

	if (!status)
		status = dnnl_primitive_attr_set_scratchpad_mode(
		    *ret, dnnl_scratchpad_mode_user);
	return onednn_check(status, "attributes", err);
}

static const char *implementation_of(const_dnnl_primitive_desc_t pd)
{
	const char *name = "";

	if (dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0,
				      (void *)&name))
		return "";
	return name;
}

/* Right, but up to 2,000 times slower: the caller has better. */
static enum err_code refuse_reference(const_dnnl_primitive_desc_t pd,
				      struct err *err)
{
	const char *name = implementation_of(pd);

	if (strncmp(name, "ref", 3) != 0 && !strstr(name, ":ref"))
		return ERR_NONE;
	return err_set(err, ERR_UNSUPPORTED,
		       "oneDNN offers only its reference implementation, '%s'",
		       name);
}

static enum err_code zero_point(dnnl_primitive_attr_t attr, int arg,
				const int32_t *zero, struct err *err)
{
	return onednn_check(
	    dnnl_primitive_attr_set_zero_points(attr, arg, 1, 0, zero),
	    "a zero point", err);
}

static enum err_code offer(const struct recipe *recipe, const void *op_desc,
			   const struct recipe_follow *follow,
			   const_dnnl_primitive_desc_t hint,
			   dnnl_primitive_desc_t *ret_pd, struct err *err)
{
	dnnl_primitive_attr_t attr = NULL;
	dnnl_primitive_desc_t pd = NULL;
	enum err_code rc = scratchpad_attr(&attr, err);

	if (!rc && follow && follow->ops)
		rc = onednn_check(
		    dnnl_primitive_attr_set_post_ops(attr, follow->ops),
		    "post-operations", err);
	if (!rc && follow && follow->n_scales)
		rc = onednn_check(dnnl_primitive_attr_set_output_scales(
				      attr, follow->n_scales,
				      follow->n_scales > 1 ? 1 << 1 : 0,
				      follow->scale),
				  "scales", err);
	if (!rc && follow && follow->x_zero)
		rc = zero_point(attr, DNNL_ARG_SRC, &follow->x_zero, err);
	if (!rc && follow && follow->y_zero)
		rc = zero_point(attr, DNNL_ARG_DST, &follow->y_zero, err);
	if (!rc)
		rc = onednn_check(dnnl_primitive_desc_create(
				      &pd, op_desc, attr, recipe->engine, hint),
				  "a primitive descriptor", err);
	if (!rc)
		rc = refuse_reference(pd, err);
	if (attr)
		(void)dnnl_primitive_attr_destroy(attr);
	if (rc && pd)
		(void)dnnl_primitive_desc_destroy(pd);
	else if (!rc)
		*ret_pd = pd;
	return rc;
}

enum err_code recipe_offer(const struct recipe *recipe, const void *op_desc,
			   const_dnnl_primitive_desc_t hint,
			   dnnl_primitive_desc_t *ret_pd, struct err *err)
{
	return offer(recipe, op_desc, NULL, hint, ret_pd, err);
}

enum err_code recipe_offer_with(const struct recipe *recipe,
				const void *op_desc,
				const struct recipe_follow *follow,
				dnnl_primitive_desc_t *ret_pd, struct err *err)
{
	return offer(recipe, op_desc, follow, NULL, ret_pd, err);
}

enum err_code recipe_add(struct recipe *recipe, const_dnnl_primitive_desc_t pd,
			 const struct recipe_arg *arg, unsigned n_args,
			 struct err *err)
{
	const dnnl_memory_desc_t *pad =
	    dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
	struct recipe_step *step;
	enum err_code rc;

	if (recipe->n_steps == RECIPE_STEPS || n_args >= RECIPE_ARGS)
		return err_set(err, ERR_INTERNAL, "oneDNN: recipe too long");
	step = &recipe->step[recipe->n_steps];
	rc = onednn_check(dnnl_primitive_create(&step->primitive, pd),
			  "a primitive", err);
	if (rc)
		return rc;
	recipe->n_steps++;
	memcpy(step->arg, arg, n_args * sizeof(*arg));
	step->n_args = n_args;
	if (pad && dnnl_memory_desc_get_size(pad))
		step->arg[step->n_args++] =
		    (struct recipe_arg){ DNNL_ARG_SCRATCHPAD,
					 recipe_scratch(recipe, pad) };
	(void)snprintf(recipe->implementation, sizeof(recipe->implementation),
		       "%s", implementation_of(pd));
	return ERR_NONE;
}

enum err_code recipe_add_fill(struct recipe *recipe, recipe_fill *fill,
			      const void *data, unsigned from, unsigned to,
			      struct err *err)
{
	if (recipe->n_steps == RECIPE_STEPS)
		return err_set(err, ERR_INTERNAL, "oneDNN: recipe too long");
	recipe->step[recipe->n_steps++] = (struct recipe_step){
		.fill = fill,
		.data = data,
		.arg = { { DNNL_ARG_FROM, from }, { DNNL_ARG_TO, to } },
		.n_args = 2,
	};
	return ERR_NONE;
}

/* attr NULL: the library finds the reorder's scratchpad itself. */
static enum err_code reorder_offer(const struct recipe *recipe,
				   const dnnl_memory_desc_t *from,
				   const dnnl_memory_desc_t *to,
				   const_dnnl_primitive_attr_t attr,
				   dnnl_primitive_desc_t *ret, struct err *err)
{
	return onednn_check(
	    dnnl_reorder_primitive_desc_create(ret, from, recipe->engine, to,
					       recipe->engine, attr),
	    "a reorder", err);
}

/* What is there times `scale`. */
static enum err_code add_reorder(struct recipe *recipe, unsigned from,
				 unsigned to, float scale, struct err *err)
{
	const struct recipe_arg arg[] = { { DNNL_ARG_FROM, from },
					  { DNNL_ARG_TO, to } };
	char implementation[sizeof(recipe->implementation)];
	dnnl_primitive_attr_t attr = NULL;
	dnnl_primitive_desc_t pd = NULL;
	enum err_code rc = scratchpad_attr(&attr, err);

	if (!rc && scale != 1)
		rc = onednn_check(
		    dnnl_primitive_attr_set_output_scales(attr, 1, 0, &scale),
		    "scales", err);
	if (!rc)
		rc = reorder_offer(recipe, &recipe->slot[from].md,
				   &recipe->slot[to].md, attr, &pd, err);
	memcpy(implementation, recipe->implementation, sizeof(implementation));
	if (!rc)
		rc = recipe_add(recipe, pd, arg, 2, err);
	memcpy(recipe->implementation, implementation, sizeof(implementation));
	if (attr)
		(void)dnnl_primitive_attr_destroy(attr);
	if (pd)
		(void)dnnl_primitive_desc_destroy(pd);
	return rc;
}

enum err_code recipe_reorder_in(struct recipe *recipe, unsigned from,
				const dnnl_memory_desc_t *want,
				unsigned *ret_slot, struct err *err)
{
	*ret_slot = from;
	if (dnnl_memory_desc_equal(&recipe->slot[from].md, want))
		return ERR_NONE;
	*ret_slot = recipe_scratch(recipe, want);
	return add_reorder(recipe, from, *ret_slot, 1, err);
}

unsigned recipe_target(struct recipe *recipe, unsigned to,
		       const dnnl_memory_desc_t *made)
{
	if (dnnl_memory_desc_equal(&recipe->slot[to].md, made))
		return to;
	return recipe_scratch(recipe, made);
}

enum err_code recipe_reorder_out(struct recipe *recipe, unsigned from,
				 unsigned to, struct err *err)
{
	return from == to ? ERR_NONE : add_reorder(recipe, from, to, 1, err);
}

enum err_code recipe_reorder_scaled(struct recipe *recipe, unsigned from,
				    unsigned to, float scale, struct err *err)
{
	return add_reorder(recipe, from, to, scale, err);
}

/* One reorder, now. */
static enum err_code reorder_once(const struct recipe *recipe,
				  dnnl_primitive_t primitive,
				  const struct slot *from, const char *value,
				  const struct slot *to, char *packed)
{
	dnnl_memory_t x = NULL, y = NULL;
	dnnl_stream_t stream = NULL;
	dnnl_status_t status;

	status = dnnl_stream_create(&stream, recipe->engine,
				    dnnl_stream_default_flags);
	if (!status)
		status = dnnl_memory_create(&x, &from->md, recipe->engine,
					    handle(value));
	if (!status)
		status =
		    dnnl_memory_create(&y, &to->md, recipe->engine, packed);
	if (!status) {
		const dnnl_exec_arg_t arg[] = { { DNNL_ARG_FROM, x },
						{ DNNL_ARG_TO, y } };

		status = dnnl_primitive_execute(primitive, stream, 2, arg);
	}
	if (x)
		(void)dnnl_memory_destroy(x);
	if (y)
		(void)dnnl_memory_destroy(y);
	if (stream)
		(void)dnnl_stream_destroy(stream);
	return onednn_check(status, "a reorder", NULL);
}

/* What packed bytes depend on, but for the elements. */
struct packed_form {
	dnnl_memory_desc_t from, to;
	size_t step; /* between slices before */
	unsigned n;  /* slices that differ */
};

struct packing {
	const struct recipe *recipe;
	const struct slot *from, *to;
	struct packed_form form;
	size_t bytes; /* of a slice */
};

/* Fills the packed form of every slice that differs. */
static enum err_code pack_slices(const void *data, const void *plain, void *to,
				 struct err *err)
{
	const struct packing *p = data;
	dnnl_primitive_desc_t pd = NULL;
	dnnl_primitive_t primitive = NULL;
	enum err_code rc =
	    reorder_offer(p->recipe, &p->from->md, &p->to->md, NULL, &pd, err);

	if (!rc)
		rc = onednn_check(dnnl_primitive_create(&primitive, pd),
				  "a reorder", err);
	for (unsigned i = 0; !rc && i < p->form.n; i++)
		rc = reorder_once(p->recipe, primitive, p->from,
				  (const char *)plain + i * p->form.step, p->to,
				  (char *)to + i * p->bytes);
	if (primitive)
		(void)dnnl_primitive_destroy(primitive);
	if (pd)
		(void)dnnl_primitive_desc_destroy(pd);
	return rc;
}

/* Bytes from the first element to the end of the last. oneDNN's own size
 * counts whole rows, so for a slice of columns it ends behind the value. */
static size_t span_bytes(const dnnl_memory_desc_t *md)
{
	const dnnl_blocking_desc_t *by = &md->format_desc.blocking;
	int64_t last = 0;

	if (by->inner_nblks)
		return dnnl_memory_desc_get_size(md);
	for (int i = 0; i < md->ndims; i++) {
		if (md->dims[i] == 0)
			return 0;
		last += (md->dims[i] - 1) * by->strides[i];
	}
	return (size_t)(last + 1) * dnnl_data_type_size(md->data_type);
}

static enum err_code pack_slot(const struct recipe *recipe,
			       const struct slot *from, const void *value,
			       struct slot *to, struct err *err)
{
	struct packing p = { .recipe = recipe, .from = from, .to = to };
	const size_t plain = span_bytes(&from->md);
	struct pack_wish wish = { .plain = value,
				  .form = &p.form,
				  .form_bytes = sizeof(p.form),
				  .make = pack_slices,
				  .data = &p };

	/* forms are compared byte by byte */
	memset(&p.form, 0, sizeof(p.form));
	p.form.from = from->md;
	p.form.to = to->md;
	p.form.step = from->step;
	p.form.n = from->step ? recipe->n_slices : 1;
	p.bytes = align(dnnl_memory_desc_get_size(&to->md));
	to->step = from->step ? p.bytes : 0;
	wish.plain_bytes = (p.form.n - 1) * from->step + plain;
	wish.bytes = p.form.n * p.bytes;
	return pack_get(recipe->packs, &wish, &to->pack, err);
}

enum err_code recipe_pack(struct recipe *recipe, unsigned from,
			  const void *value, const dnnl_memory_desc_t *want,
			  unsigned *ret_slot, struct err *err)
{
	const struct slot slot = { .md = *want, .place = SLOT_PACKED };

	*ret_slot = from;
	if (dnnl_memory_desc_equal(&recipe->slot[from].md, want))
		return ERR_NONE;
	*ret_slot = add_slot(recipe, &slot);
	return pack_slot(recipe, &recipe->slot[from], value,
			 &recipe->slot[*ret_slot], err);
}

void recipe_share(struct recipe *recipe, const struct kernel_query *query)
{
	recipe->packs = query->packs;
}

void recipe_setup(struct recipe *recipe, struct kernel_setup *ret)
{
	for (unsigned i = 0; i < recipe->n_slots; i++)
		ret->pack_bytes += pack_size(recipe->slot[i].pack);
	ret->state = recipe;
	ret->scratch_bytes = 0;
	ret->n_slices = 0;
	for (; recipe; recipe = recipe->next) {
		ret->n_slices += recipe->n_slices;
		if (recipe->scratch_bytes > ret->scratch_bytes)
			ret->scratch_bytes = recipe->scratch_bytes;
	}
}

const char *onednn_implementation(const struct kernel *kernel,
				  const void *state)
{
	if (kernel->finish != onednn_finish || !state)
		return "";
	return ((const struct recipe *)state)->implementation;
}

/* Bound instances */

static char *slot_address(const struct kernel_call *call,
			  const struct slot *slot, unsigned slice)
{
	char *base = NULL;

	if (slot->place == SLOT_IN)
		base = handle(call->in[slot->index]);
	else if (slot->place == SLOT_OUT)
		base = call->out[slot->index];
	else if (slot->place == SLOT_PACKED)
		base = handle(pack_bytes(slot->pack));
	return base ? base + slot->offset + slice * slot->step : NULL;
}

/* Bytes for the largest output that nobody reads; one serves all. */
static bool needs_spare(const struct kernel_call *call,
			const struct recipe *recipe, size_t *ret_bytes)
{
	*ret_bytes = 0;
	for (unsigned i = 0; i < recipe->n_slots; i++) {
		const struct slot *slot = &recipe->slot[i];
		const size_t bytes = dnnl_memory_desc_get_size(&slot->md);

		if (slot->place == SLOT_OUT && !call->out[slot->index] &&
		    bytes > *ret_bytes)
			*ret_bytes = bytes;
	}
	return *ret_bytes > 0;
}

static enum err_code bind_slice(struct kernel_call *call,
				struct bound_slice *bound, struct err *err)
{
	const struct recipe *recipe = bound->recipe;
	dnnl_status_t status = dnnl_stream_create(
	    &bound->stream, recipe->engine, dnnl_stream_default_flags);
	size_t spare;

	if (!status && needs_spare(call, recipe, &spare)) {
		bound->spare = mem_aligned(spare);
		if (!bound->spare)
			status = dnnl_out_of_memory;
	}
	for (unsigned i = 0; !status && i < recipe->n_slots; i++) {
		const struct slot *slot = &recipe->slot[i];
		char *at = slot_address(call, slot, bound->number);

		status = dnnl_memory_create(&bound->memory[i], &slot->md,
					    recipe->engine, DNNL_MEMORY_NONE);
		if (!status && slot->place != SLOT_SCRATCH)
			status = dnnl_memory_set_data_handle(
			    bound->memory[i], at ? at : bound->spare);
	}
	for (unsigned i = 0; !status && i < recipe->n_steps; i++) {
		const struct recipe_step *step = &recipe->step[i];

		for (unsigned k = 0; k < step->n_args; k++)
			bound->arg[i][k] = (dnnl_exec_arg_t){
				step->arg[k].arg,
				bound->memory[step->arg[k].slot]
			};
	}
	return onednn_check(status, "memory objects", err);
}

enum err_code onednn_bind(struct kernel_call *call, struct err *err)
{
	const struct recipe *first = call->state;
	struct bound *bound;
	unsigned n = 0;
	enum err_code rc = ERR_NONE;

	onednn_quiet();
	for (const struct recipe *r = first; r; r = r->next)
		n += r->n_slices;
	bound = mem_zero(sizeof(*bound) + n * sizeof(bound->slice[0]));
	if (!bound)
		return err_set(err, ERR_NO_MEMORY, "oneDNN: out of memory");
	for (const struct recipe *r = first; r && !rc; r = r->next)
		for (unsigned i = 0; !rc && i < r->n_slices; i++) {
			struct bound_slice *slice =
			    &bound->slice[bound->n_slices++];

			slice->recipe = r;
			slice->number = i;
			rc = bind_slice(call, slice, err);
		}
	if (rc) {
		onednn_unbind(bound);
		return rc;
	}
	call->bound = bound;
	return ERR_NONE;
}

void onednn_unbind(void *data)
{
	struct bound *bound = data;

	if (!bound)
		return;
	for (unsigned i = 0; i < bound->n_slices; i++) {
		struct bound_slice *slice = &bound->slice[i];

		for (unsigned k = 0; k < RECIPE_SLOTS; k++)
			if (slice->memory[k])
				(void)dnnl_memory_destroy(slice->memory[k]);
		if (slice->stream)
			(void)dnnl_stream_destroy(slice->stream);
		mem_free(slice->spare);
	}
	mem_free(bound);
}

static void point_at_scratch(struct bound_slice *bound, char *scratch)
{
	const struct recipe *recipe = bound->recipe;

	if (bound->scratch == scratch)
		return;
	for (unsigned i = 0; i < recipe->n_slots; i++)
		if (recipe->slot[i].place == SLOT_SCRATCH)
			(void)dnnl_memory_set_data_handle(
			    bound->memory[i], scratch + recipe->slot[i].offset);
	bound->scratch = scratch;
}

static bool run_step(const struct recipe_step *step,
		     const struct bound_slice *own, unsigned i)
{
	void *from = NULL, *to = NULL;

	if (step->primitive)
		return !dnnl_primitive_execute(step->primitive, own->stream,
					       (int)step->n_args, own->arg[i]);
	if (dnnl_memory_get_data_handle(own->arg[i][0].memory, &from) ||
	    dnnl_memory_get_data_handle(own->arg[i][1].memory, &to))
		return false;
	if (to && to != own->spare)
		step->fill(step->data, own->number, from, to);
	return true;
}

void onednn_run(const struct kernel_call *call, unsigned slice, void *scratch)
{
	struct bound *bound = call->bound;
	struct bound_slice *own = &bound->slice[slice];

	onednn_quiet();
	point_at_scratch(own, scratch);
	for (unsigned i = 0; i < own->recipe->n_steps; i++)
		if (!run_step(&own->recipe->step[i], own, i) && call->fault)
			__atomic_store_n(call->fault, 1, __ATOMIC_RELAXED);
}

void onednn_finish(void *state)
{
	recipe_destroy(state);
}
