/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/tuner.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/attr.h"
#include "engine/kernel_trial.h"

enum {
	CANDIDATES = 8,
	RUNS = 5,
	FAR_BYTES = 1 << 20, /* of constants: other steps push them out */
	WASH_BYTES = 32 << 20,
	LINE = 64,
};
#define MARGIN 0.92	 /* another one must take less of the time than this */
#define LEAST_US 5.0	 /* predicted: less is not worth a measurement */
#define HOPELESS 4.0	 /* predicted: so many times the best */
#define PREPARE_NS 5e6	 /* what preparing one may take */
#define CANDIDATE_NS 3e7 /* runs of one end after about this */

/* The families where several kernels are at home. */
static const struct {
	const char *domain, *op;
} families[] = {
	{ "predictd", "ConvBlocked" },
	{ "", "Conv" },
	{ "", "MatMul" },
	{ "", "Gemm" },
};

void tuner_init(struct tuner *tuner, struct tuning *tuning, int64_t budget_ns)
{
	tuner->tuning = tuning;
	atomic_init(&tuner->left_ns, budget_ns);
}

void tuner_stop(struct tuner *tuner)
{
	atomic_store_explicit(&tuner->left_ns, 0, memory_order_relaxed);
}

/* --- the question --- */

struct text {
	char *at;
	size_t left;
	bool is_full;
};

static void put(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void put(struct text *text, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text->at, text->left, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= text->left) {
		text->is_full = true;
		return;
	}
	text->at += n;
	text->left -= (size_t)n;
}

static void put_attr(struct text *text, const struct op_attr *row,
		     const void *attrs)
{
	struct attr_value value;

	if (!op_attr_get(row, attrs, &value))
		return;
	put(text, "%s=", row->name);
	switch (value.kind) {
	case ATTR_INT:
		put(text, "%lld", (long long)value.i);
		break;
	case ATTR_FLOAT:
		put(text, "%.9g", value.f);
		break;
	case ATTR_STRING:
		put(text, "%.*s", (int)value.s.len, value.s.bytes);
		break;
	case ATTR_INTS:
		for (size_t i = 0; i < value.ints.n; i++)
			put(text, "%s%lld", i ? "," : "",
			    (long long)value.ints.v[i]);
		break;
	default: /* none of these families has another */
		text->is_full = true;
		break;
	}
	put(text, ";");
}

static void put_facts(struct text *text, const struct fact *fact, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		put(text, " %s", dtype_info(fact[i].type.elem)->name);
		for (unsigned d = 0; d < fact[i].shape.rank; d++)
			put(text, "%c%lld", d ? 'x' : '.',
			    (long long)fact[i].shape.dim[d]);
		if (fact[i].value)
			put(text, "!");
	}
}

static bool is_family(const struct op *op)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++)
		if (!strcmp(op->domain, families[i].domain) &&
		    !strcmp(op->name, families[i].op))
			return true;
	return false;
}

static unsigned threads_of(const struct kernel_query *query)
{
	return query->want_slices > 1 ? query->want_slices : 1;
}

bool tuner_question(const struct kernel_query *query,
		    char ret_text[TUNING_QUESTION_MAX])
{
	struct text text = { ret_text, TUNING_QUESTION_MAX, false };
	const struct op_attr *row = query->op->attrs;

	if (!is_family(query->op) || kernel_makes_nothing(query))
		return false;
	/* what is rounded before a node goes by what is predicted for it */
	if (query->products == PRODUCTS_BF16)
		return false;
	put(&text, "%s%s/%u ", query->op->name,
	    query->numerics == NUMERICS_STRICT ? "/strict" : "",
	    threads_of(query));
	for (; row && row->name; row++)
		put_attr(&text, row, query->attrs);
	put_facts(&text, query->in, query->n_in);
	put(&text, " ->");
	put_facts(&text, query->out, query->n_out);
	for (char *c = ret_text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return !text.is_full;
}

/* --- measuring --- */

struct candidate {
	const struct kernel *kernel;
	struct kernel_setup setup;
	double us;
};

struct contest {
	const struct kernel_query *query;
	struct candidate candidate[CANDIDATES];
	unsigned n; /* the first is the one predicted to be best */
};

static void give_up(const struct candidate *candidate)
{
	if (candidate->kernel->finish && candidate->setup.state)
		candidate->kernel->finish(candidate->setup.state);
}

/* False: this kernel cannot after all. */
static bool enter(struct contest *contest, const struct kernel *kernel)
{
	struct candidate *c = &contest->candidate[contest->n];

	*c = (struct candidate){ .kernel = kernel, .setup = { .n_slices = 1 } };
	if (kernel->prepare && kernel->prepare(contest->query, &c->setup, NULL))
		return false;
	contest->n++;
	return true;
}

/* Every other kernel that can and might; the row's last one is its plain
 * reference. */
static void enter_others(struct contest *contest, double best_us)
{
	struct kernel_query any = *contest->query;
	const struct kernel *const *kernel = any.op->kernels;

	any.any = true;
	for (; kernel[0] && kernel[1] && contest->n < CANDIDATES; kernel++)
		if (*kernel != contest->candidate[0].kernel &&
		    kernel_takes(*kernel, &any, false) &&
		    kernel_cost(*kernel, &any) < HOPELESS * best_us)
			(void)enter(contest, *kernel);
}

static size_t known_bytes(const struct kernel_query *query)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < query->n_in; i++)
		if (query->in[i].value)
			bytes += tensor_bytes(query->in[i].type.elem,
					      &query->in[i].shape);
	return bytes;
}

/* In a run of the model many weights are read since these were: caches hold
 * others. */
static void wash(const volatile char *bytes)
{
	for (size_t i = 0; bytes && i < WASH_BYTES; i += LINE)
		(void)bytes[i];
}

/* In turn, so that whatever else the machine does meets all alike. */
static enum err_code race(struct contest *contest, struct err *err)
{
	const int64_t deadline =
	    clock_monotonic_ns() + (int64_t)(CANDIDATE_NS * contest->n);
	const bool is_far = known_bytes(contest->query) > FAR_BYTES;
	struct kernel_trial *trial = NULL;
	char *others = is_far ? mem_large(WASH_BYTES) : NULL;
	enum err_code rc = kernel_trial_create(contest->query, &trial, err);

	if (others)
		memset(others, 1, WASH_BYTES);
	/* the first runs fill caches and pages */
	for (unsigned run = 0; run <= RUNS && !rc; run++) {
		if (run > 2 && clock_monotonic_ns() > deadline)
			break;
		for (unsigned i = 0; i < contest->n && !rc; i++) {
			struct candidate *c = &contest->candidate[i];
			int64_t ns = 0;

			wash(others);
			rc = kernel_trial_run(trial, c->kernel, &c->setup, &ns,
					      err);
			if (run == 1 || (run && (double)ns * 1e-3 < c->us))
				c->us = (double)ns * 1e-3;
		}
	}
	kernel_trial_destroy(trial);
	mem_free(others);
	return rc;
}

/* What threads that share the slices wait for: a race runs all on one. */
static double shared_us(const struct contest *contest, unsigned i)
{
	const struct candidate *c = &contest->candidate[i];
	const unsigned threads = threads_of(contest->query);
	const unsigned n = c->setup.n_slices > 1 ? c->setup.n_slices : 1;
	const unsigned most = (n + threads - 1) / threads;

	return c->us * most / n;
}

static unsigned winner(const struct contest *contest)
{
	unsigned best = 0;
	double least = shared_us(contest, 0) * MARGIN;

	for (unsigned i = 1; i < contest->n; i++) {
		const double us = shared_us(contest, i);

		if (us < least) {
			least = us;
			best = i;
		}
	}
	return best;
}

/* Takes what a measurement is predicted to take off the budget. */
static bool may_measure(struct tuner *tuner, double us)
{
	const double ns = 2 * (PREPARE_NS + us * 1e3 * RUNS);

	return us >= LEAST_US &&
	       (double)atomic_load_explicit(&tuner->left_ns,
					    memory_order_relaxed) > ns;
}

/* The first candidate stands; on return only the winner does. */
static enum err_code measure(struct contest *contest, struct candidate *ret,
			     struct err *err)
{
	const double predicted =
	    kernel_cost(contest->candidate[0].kernel, contest->query);
	unsigned best;
	enum err_code rc = ERR_NONE;

	enter_others(contest, predicted);
	if (contest->n > 1)
		rc = race(contest, err);
	if (rc)
		contest->candidate[0].us = 0; /* none is known */
	best = rc ? 0 : winner(contest);
	for (unsigned i = 0; i < contest->n; i++)
		if (i != best)
			give_up(&contest->candidate[i]);
	*ret = contest->candidate[best];
	/* what cannot be tried, such as huge operands, goes as predicted */
	return rc == ERR_NO_MEMORY ? rc : ERR_NONE;
}

/* --- choosing --- */

static const struct kernel *find_kernel(const struct kernel_query *query,
					const char *name)
{
	struct kernel_query any = *query;
	const struct kernel *const *kernel = query->op->kernels;

	any.any = true;
	for (; *kernel; kernel++)
		if (!strcmp((*kernel)->name, name))
			return kernel_takes(*kernel, &any, false) ? *kernel
								  : NULL;
	return NULL;
}

/* False: the answer cannot be followed. */
static bool follow(const struct kernel_query *query, const char *name,
		   struct candidate *ret)
{
	struct contest contest = { .query = query };
	const struct kernel *kernel = find_kernel(query, name);

	if (!kernel || !enter(&contest, kernel))
		return false;
	*ret = contest.candidate[0];
	return true;
}

static enum err_code predict(const struct kernel_query *query,
			     struct candidate *ret, struct err *err)
{
	*ret = (struct candidate){ 0 };
	return kernel_prepare(query, false, &ret->kernel, &ret->setup, err);
}

/* An answer of our own, which others may have given meanwhile. */
static enum err_code answer(struct tuner *tuner, const char *question,
			    const struct kernel_query *query,
			    struct candidate *ret, struct err *err)
{
	struct contest contest = { .query = query, .n = 1 };
	struct tuning_choice mine = { 0 }, now;
	const int64_t start = clock_monotonic_ns();
	enum err_code rc = predict(query, &contest.candidate[0], err);

	if (rc)
		return rc;
	*ret = contest.candidate[0];
	if (may_measure(tuner, kernel_cost(ret->kernel, query))) {
		rc = measure(&contest, ret, err);
		atomic_fetch_sub_explicit(&tuner->left_ns,
					  clock_monotonic_ns() - start,
					  memory_order_relaxed);
	}
	(void)snprintf(mine.kernel, sizeof(mine.kernel), "%s",
		       ret->kernel->name);
	mine.us = ret->us;
	if (!rc)
		tuning_settle(tuner->tuning, question, &mine, &now);
	if (!rc && !strcmp(now.kernel, mine.kernel))
		return ERR_NONE;
	give_up(ret);
	if (!rc && !follow(query, now.kernel, ret))
		rc = predict(query, ret, err);
	return rc;
}

enum err_code tuner_prepare(struct tuner *tuner,
			    const struct kernel_query *query,
			    const struct kernel **ret_kernel,
			    struct kernel_setup *ret_setup, struct err *err)
{
	char question[TUNING_QUESTION_MAX];
	struct tuning_choice choice;
	struct candidate chosen;
	bool is_known;
	enum err_code rc = ERR_NONE;

	if (!tuner || !tuner->tuning || !tuner_question(query, question))
		return kernel_prepare(query, false, ret_kernel, ret_setup, err);
	is_known = tuning_find(tuner->tuning, question, &choice);
	if (is_known && !follow(query, choice.kernel, &chosen)) {
		tuning_forget(tuner->tuning, question, choice.kernel);
		is_known = false;
	}
	if (!is_known)
		rc = answer(tuner, question, query, &chosen, err);
	if (rc)
		return rc;
	*ret_kernel = chosen.kernel;
	*ret_setup = chosen.setup;
	return ERR_NONE;
}
