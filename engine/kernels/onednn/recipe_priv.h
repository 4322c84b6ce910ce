/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Recipe: what every oneDNN kernel is: some primitives, one after another,
 * over slots. A slot is a range of an input, of an output, of the slice's
 * scratch or of bytes packed at birth (engine/pack.h). All slices run the same
 * primitives on slots that lie a fixed step apart; where some need others, a
 * recipe has a next one, whose slices come behind its own. An output nobody
 * reads gets bytes of its own when a primitive must write it.
 *
 * prepare() builds a recipe, bind() makes memory objects over its slots, and
 * run() executes it: onednn_bind(), onednn_run(), onednn_unbind() and
 * onednn_finish() serve all kernels.
 *
 * Ownership: recipe_create/recipe_destroy; the recipe is the kernel's state.
 * Threads:   built by one thread; then read only.
 * Limits:    RECIPE_SLOTS slots, RECIPE_STEPS steps, RECIPE_ARGS arguments.
 */
#ifndef ENGINE_KERNELS_ONEDNN_RECIPE_PRIV_H
#define ENGINE_KERNELS_ONEDNN_RECIPE_PRIV_H

#include <dnnl.h>

#include "engine/kernel.h"
#include "engine/kernels/onednn/descriptor_priv.h"
#include "engine/pack.h"

enum { RECIPE_SLOTS = 20, RECIPE_STEPS = 8, RECIPE_ARGS = 10 };

enum slot_place { SLOT_IN, SLOT_OUT, SLOT_SCRATCH, SLOT_PACKED };

struct slot {
	dnnl_memory_desc_t md;
	enum slot_place place;
	unsigned index;	     /**< of the input or output */
	size_t offset, step; /**< bytes; step: from one slice to the next */
	struct pack *pack;   /**< SLOT_PACKED: slices one after the other */
};

struct recipe_arg {
	int arg; /**< DNNL_ARG_SRC ... */
	unsigned slot;
};

/** A step of our own: from the first argument's bytes to the second's. It is
 * left out where nobody reads the result. */
typedef void recipe_fill(const void *data, unsigned slice, const void *from,
			 void *to);

struct recipe_step {
	dnnl_primitive_t primitive; /**< NULL: fill */
	recipe_fill *fill;
	const void *data; /**< in the recipe's memory */
	struct recipe_arg arg[RECIPE_ARGS];
	unsigned n_args;
};

struct recipe {
	dnnl_engine_t engine;
	struct slot slot[RECIPE_SLOTS];
	struct recipe_step step[RECIPE_STEPS];
	unsigned n_slots, n_steps, n_slices;
	size_t scratch_bytes;
	struct packs *packs;	 /**< NULL: packed bytes are its own */
	struct recipe *next;	 /**< or NULL */
	void *memory;		 /**< of steps of our own */
	char implementation[64]; /**< of the main primitive */
};

/** Parts of equal size out of n items, each a multiple of `unit`: the fewest
 * that are `want` or more, at most `most`. 1: there is no such cut. */
unsigned recipe_parts(int64_t n, int64_t unit, int64_t want, int64_t most);

/** n_slices: all of the same size. */
MUST_USE enum err_code
recipe_create(unsigned n_slices, struct recipe **ret_recipe, struct err *err);
/** All that follow, too. NULL is fine. */
void recipe_destroy(struct recipe *recipe);
/** Packed bytes of the recipe are shared with others of the query's packs. */
void recipe_share(struct recipe *recipe, const struct kernel_query *query);

/** A range of input or output number `index`; returns the slot's number. */
unsigned recipe_bound(struct recipe *recipe, enum slot_place place,
		      unsigned index, const dnnl_memory_desc_t *md);
/** The same for a sliced operand: slice i begins i * step elements behind. */
unsigned recipe_sliced(struct recipe *recipe, enum slot_place place,
		       unsigned index, const dnnl_memory_desc_t *md,
		       int64_t step);
/** Room in the slice's scratch. */
unsigned recipe_scratch(struct recipe *recipe, const dnnl_memory_desc_t *md);

/** What oneDNN offers for a descriptor (op_desc of any kind), scratchpad by
 * us; refuses its reference implementations. The caller destroys it. */
MUST_USE enum err_code recipe_offer(const struct recipe *recipe,
				    const void *op_desc,
				    const_dnnl_primitive_desc_t hint,
				    dnnl_primitive_desc_t *ret_pd,
				    struct err *err);
/** What a primitive does with its sums. */
struct recipe_follow {
	const_dnnl_post_ops_t ops; /**< NULL: none */
	const float *scale;	   /**< of all, or by channel */
	int64_t n_scales;	   /**< 0: none */
	int32_t x_zero, y_zero;	   /**< zero points of source and result */
};
/** The same for a forward primitive, with what follows. */
MUST_USE enum err_code recipe_offer_with(const struct recipe *recipe,
					 const void *op_desc,
					 const struct recipe_follow *follow,
					 dnnl_primitive_desc_t *ret_pd,
					 struct err *err);
/** A step of that primitive over slots; its scratchpad is added. */
MUST_USE enum err_code recipe_add(struct recipe *recipe,
				  const_dnnl_primitive_desc_t pd,
				  const struct recipe_arg *arg, unsigned n_args,
				  struct err *err);
/** A step of our own from slot to slot. */
MUST_USE enum err_code recipe_add_fill(struct recipe *recipe, recipe_fill *fill,
				       const void *data, unsigned from,
				       unsigned to, struct err *err);
/** A slot of form `want` (the same slot where the forms agree) that holds what
 * `from` holds: adds a reorder. */
MUST_USE enum err_code recipe_reorder_in(struct recipe *recipe, unsigned from,
					 const dnnl_memory_desc_t *want,
					 unsigned *ret_slot, struct err *err);
/** The same at once, for an input whose value is known: its bytes are kept in
 * the wanted form (or borrowed where the forms agree). */
MUST_USE enum err_code recipe_pack(struct recipe *recipe, unsigned from,
				   const void *value,
				   const dnnl_memory_desc_t *want,
				   unsigned *ret_slot, struct err *err);
/** A slot of form `made` that recipe_reorder_out() will bring to `to`. */
unsigned recipe_target(struct recipe *recipe, unsigned to,
		       const dnnl_memory_desc_t *made);
MUST_USE enum err_code recipe_reorder_out(struct recipe *recipe, unsigned from,
					  unsigned to, struct err *err);
/** The elements of `from` times a number, as `to` has them. */
MUST_USE enum err_code recipe_reorder_scaled(struct recipe *recipe,
					     unsigned from, unsigned to,
					     float scale, struct err *err);

/** Hands the recipe over as the kernel's state. */
void recipe_setup(struct recipe *recipe, struct kernel_setup *ret);

/* What all kernels share. */
enum err_code onednn_bind(struct kernel_call *call, struct err *err);
void onednn_run(const struct kernel_call *call, unsigned slice, void *scratch);
void onednn_unbind(void *data);
void onednn_finish(void *state);

#endif
