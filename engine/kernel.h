/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Kernels: how an operator is run.
 *
 * prepare() picks everything and may fail; ERR_UNSUPPORTED means that this
 * kernel cannot after all, and the row's next kernel that fits is asked
 * (kernel_prepare() does so). run() cannot fail, allocate, log or lock. A
 * kernel may cut its work into slices that any threads run in any order.
 * Addresses never change between bind() and unbind(). The last kernel of a row
 * is its plain reference: QUICK, one slice, and, where the operator is
 * arithmetic, float and double at least.
 *
 * A kernel that makes strings (KERNEL_TEXT) takes their bytes with
 * kernel_text() from a bounded heap of the run, engine/text_heap.h: they live
 * until the instance runs again. Strings that an input, a constant or an
 * attribute has already are borrowed: the element is copied, not its bytes.
 *
 * Ownership: `state` belongs to the plan, which calls finish(); `bound` to the
 *            instance, which calls unbind().
 * Threads:   a state is read only and shared by all instances; bound memory
 *            and scratch are one instance's, scratch one slice's.
 */
#ifndef ENGINE_KERNEL_H
#define ENGINE_KERNEL_H

#include "engine/numerics.h"
#include "engine/op.h"
#include "engine/text_heap.h"

enum kernel_flag {
	KERNEL_QUICK = 1,      /**< prepare neither allocates nor makes code */
	KERNEL_SLICE_FREE = 2, /**< the same bits for any number of slices */
	KERNEL_IN_PLACE = 4,   /**< out 0 may be in 0 (same bytes) */
	KERNEL_IN_PLACE_ALL = 8, /**< out i may be in i of equal size */
	KERNEL_TEXT = 16,	 /**< makes strings: call->heap is there */
	KERNEL_SHORTCUT = 32,	 /**< sums are others: not NUMERICS_STRICT */
	KERNEL_ROUNDS = 64,	 /**< to bfloat16: for PRODUCTS_BF16 alone */
};

struct packs; /* engine/pack.h */

struct kernel_query {
	const struct op *op;
	const void *attrs;
	const struct fact *in, *out; /**< all have shapes */
	unsigned n_in, n_out;	     /**< absent ones have elem DTYPE_NONE */
	unsigned want_slices;	     /**< a wish, weighed against the cost */
	enum numerics numerics;
	enum products products;
	bool any; /**< fits() is to say what can be, whatever it takes */
	struct packs *packs; /**< for pack_get(); may be NULL */
};

/** Prepare's answer; zeroed before the call but n_slices = 1. */
struct kernel_setup {
	void *state;
	size_t scratch_bytes; /**< of one slice; 64-byte aligned */
	size_t pack_bytes;    /**< pack_size() of what the state holds */
	unsigned n_slices;
};

/** One node of one instance. The query's facts stay as they were in prepare():
 * in particular values that infer() read (axes, pads, splits) stay readable,
 * and kernels go by them, not by the elements of such an input. */
struct kernel_call {
	const struct kernel_query *query;
	const void *state;
	void *bound;	       /**< objects over these addresses */
	const void *const *in; /**< NULL for an absent input */
	void *const *out;      /**< NULL for an output nobody reads */
	unsigned n_slices;
	int32_t *
	    fault; /**< set to 1 + element on a bad value, atomically relaxed */
	struct text_heap *heap; /**< NULL but for KERNEL_TEXT */
};

struct kernel {
	const char *name; /**< "conv.dnnl": in profiles and checkpoints */
	unsigned flags;
	bool (*fits)(const struct kernel_query *query); /**< NULL: always */
	/** Predicted us on one thread; NULL: 1 ns an output element. */
	double (*cost)(const struct kernel_query *query);
	enum err_code (*prepare)(const struct kernel_query *query,
				 struct kernel_setup *ret, struct err *err);
	enum err_code (*bind)(struct kernel_call *call, struct err *err);
	void (*run)(const struct kernel_call *call, unsigned slice,
		    void *scratch);
	void (*unbind)(void *bound);
	void (*finish)(void *state);
};

/** It fits, also the query's numerics and products, and is QUICK where that is
 * asked. */
bool kernel_takes(const struct kernel *kernel, const struct kernel_query *query,
		  bool quick);
/** The first of op's kernels that fits (only QUICK ones when quick); NULL
 * when none does. */
const struct kernel *kernel_choose(const struct kernel_query *query,
				   bool quick);
/** Does nothing. */
extern const struct kernel kernel_idle;
/** True where every result is empty. */
bool kernel_makes_nothing(const struct kernel_query *query);
/** Chooses and prepares: the first of op's kernels that fits and whose
 * prepare() does not give ERR_UNSUPPORTED. ret_setup is filled. Where every
 * result is empty, kernel_idle is it, whatever large extents stand beside a
 * 0. */
MUST_USE enum err_code kernel_prepare(const struct kernel_query *query,
				      bool quick,
				      const struct kernel **ret_kernel,
				      struct kernel_setup *ret_setup,
				      struct err *err);
double kernel_cost(const struct kernel *kernel,
		   const struct kernel_query *query);

/** As many slices as are wanted, `most` at most; 1 at least. */
unsigned kernel_slices(const struct kernel_query *query, double most);
/** Range [*first, *last) of n items that belongs to slice i of n_slices. */
static inline void kernel_slice(int64_t n, unsigned n_slices, unsigned i,
				int64_t *first, int64_t *last)
{
	*first = n * (int64_t)i / (int64_t)n_slices;
	*last = n * ((int64_t)i + 1) / (int64_t)n_slices;
}

/** Reports a bad value met at that element; any slice may, and one wins. */
static inline void kernel_fault(const struct kernel_call *call, int64_t element)
{
	const int32_t mark =
	    element < INT32_MAX - 1 ? (int32_t)element + 1 : INT32_MAX;

	__atomic_store_n(call->fault, mark, __ATOMIC_RELAXED);
}

/** Bytes of a string made for that element; NULL: there is no more room, and
 * the fault is reported. */
static inline char *kernel_text(const struct kernel_call *call, int64_t element,
				size_t len)
{
	char *bytes = text_heap_take(call->heap, len);

	if (!bytes)
		kernel_fault(call, element);
	return bytes;
}

#endif
