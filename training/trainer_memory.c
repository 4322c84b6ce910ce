/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Trainer: how much memory the run will take, and how it does with less.
 *
 * Every plan of every phase is made once, which tells its block and, by what
 * the process has grown, its kernels. A job that would be above its limit then
 * saves in this order, as far as it has to: plans share one block and what has
 * served its turn is given back; steps compute values again; copies of the
 * weights lie in files of the job's folder; kernels that need scratch run on
 * one thread.
 */
#include "base/mem.h"
#include "training/stepper_thrift.h"
#include "training/trainer_priv.h"

enum { USES_MAX = 16, SLOTS = 4, THRIFTY_SLOTS = 2, TRIES = 6 };

/* A plan that the run needs, in the order of its first use. */
struct use {
	int64_t n;
	enum stepper_way way;
	size_t bytes;
	bool is_last; /* used at the end only */
};

/* What the plans of one phase take. */
struct need {
	struct use use[USES_MAX];
	size_t n;
	size_t together; /* the most that a stepper keeps at once */
	size_t largest, largest_step, gradients;
	size_t features;
	size_t n_recomputed;
	double recomputed;
};

static size_t list_bytes(const struct safetensors *list)
{
	size_t bytes = 0;

	for (size_t i = 0; i < list->n; i++)
		bytes += tensor_bytes(list->entry[i].view.dtype,
				      &list->entry[i].view.shape);
	return bytes;
}

static size_t most(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* --- plans --- */

static void add_use(struct need *need, int64_t n, enum stepper_way way,
		    bool is_last)
{
	for (size_t i = 0; i < need->n; i++)
		if (need->use[i].n == n && need->use[i].way == way)
			return;
	if (n > 0 && need->n < USES_MAX)
		need->use[need->n++] =
		    (struct use){ .n = n, .way = way, .is_last = is_last };
}

/* Full batches of n rows, and the rest. */
static void add_part(struct need *need, int64_t n, int64_t batch, bool is_last)
{
	add_use(need, n < batch ? n : batch, STEPPER_EVALUATES, is_last);
	add_use(need, n % batch, STEPPER_EVALUATES, is_last);
}

static void list_uses(const struct trainer *trainer, struct need *need)
{
	const struct trainer_spec *t = &trainer->spec->trainer;
	const struct dataset *dataset = trainer->options.dataset;
	const int64_t n = trainer->n_epoch, batch = t->batch_size;

	if (t->gradient_accumulation_steps > 1 && n > batch)
		add_use(need, batch, STEPPER_ADDS, false);
	add_use(need, n < batch ? n : batch, STEPPER_TRAINS, false);
	add_use(need, n % batch, STEPPER_TRAINS, false);
	add_part(need, dataset_n(dataset, PART_VALID), t->eval_batch_size,
		 false);
	add_part(need, dataset_n(dataset, PART_TEST), t->eval_batch_size, true);
}

/* One number of rows whose plans a stepper keeps, and when it used them. */
struct kept {
	int64_t n;
	size_t bytes, used;
};

/* What a stepper keeps, while it is simulated. */
struct keeper {
	const struct need *need;
	struct kept kept[STEPPER_PLANS];
	bool is_made[USES_MAX];
	size_t clock, peak;
};

/* The place of a number of rows; the oldest one gives way to it. */
static struct kept *find_kept(struct keeper *k, int64_t n)
{
	struct kept *oldest = &k->kept[0];

	for (int i = 0; i < STEPPER_PLANS; i++) {
		if (k->kept[i].n == n)
			return &k->kept[i];
		if (k->kept[i].used < oldest->used)
			oldest = &k->kept[i];
	}
	for (size_t i = 0; i < k->need->n; i++)
		if (k->need->use[i].n == oldest->n)
			k->is_made[i] = false;
	*oldest = (struct kept){ .n = n };
	return oldest;
}

static void run_use(struct keeper *k, size_t i)
{
	const struct use *use = &k->need->use[i];
	struct kept *at = find_kept(k, use->n);
	size_t sum = 0;

	at->used = ++k->clock;
	at->bytes += k->is_made[i] ? 0 : use->bytes;
	k->is_made[i] = true;
	for (int j = 0; j < STEPPER_PLANS; j++)
		sum += k->kept[j].bytes;
	k->peak = most(k->peak, sum);
}

/* A stepper keeps the plans of the last numbers of rows that it met: the most
 * that they take together on two epochs and the end. */
static size_t simulate(const struct need *need)
{
	struct keeper keeper = { .need = need };

	for (int turn = 0; turn < 3; turn++)
		for (size_t i = 0; i < need->n; i++)
			if (need->use[i].is_last == (turn == 2))
				run_use(&keeper, i);
	return keeper.peak;
}

static enum err_code plan_uses(struct trainer *trainer, struct need *need,
			       struct err *err)
{
	enum err_code rc = ERR_NONE;

	list_uses(trainer, need);
	for (size_t i = 0; i < need->n && !rc; i++) {
		struct use *use = &need->use[i];
		struct plan_report report;

		rc = stepper_prepare(trainer->stepper, use->n, use->way,
				     &report, err);
		if (rc)
			break;
		use->bytes = report.arena;
		need->largest = most(need->largest, use->bytes);
		if (use->way == STEPPER_EVALUATES)
			continue;
		need->largest_step = most(need->largest_step, use->bytes);
		if (report.n_recomputed > need->n_recomputed) {
			need->n_recomputed = report.n_recomputed;
			need->recomputed =
			    report.recomputed_us / report.cost_us;
		}
	}
	need->together = simulate(need);
	if (trainer->features) {
		const size_t body = features_block_bytes(trainer->features);

		need->together += body;
		need->largest += body;
		need->features = trainer_feature_bytes(trainer);
	}
	return rc;
}

/* The smallest evaluation there is, once. */
static enum err_code try_one(struct trainer *trainer, const struct need *need,
			     struct err *err)
{
	const struct use *least = NULL;

	for (size_t i = 0; i < need->n; i++)
		if (need->use[i].way == STEPPER_EVALUATES &&
		    (!least || need->use[i].n < least->n))
			least = &need->use[i];
	return least ? stepper_try(trainer->stepper, least->n, err) : ERR_NONE;
}

/* Floats that are trained, gaps and all: the flat gradient. */
static size_t gradient_bytes(const struct trainer *trainer, bool is_frozen)
{
	const struct graph *graph = trainer->options.graph;
	size_t bytes = 0;

	for (int32_t v = 0; v < graph->n_variable; v++) {
		const struct variable *variable = &graph->variable[v];

		if (variable->role == ROLE_PARAM &&
		    !(is_frozen && trainer->frozen[v]))
			bytes += tensor_bytes(variable->view.dtype,
					      &variable->view.shape);
	}
	return bytes;
}

/* Every phase, the first one last, which is then the current one. */
static enum err_code plan_phases(struct trainer *trainer, struct need *ret,
				 struct err *err)
{
	const struct phases *phases = &trainer->spec->phases;
	struct need need = { 0 };
	enum err_code rc = ERR_NONE;

	for (size_t i = phases->n; i-- > 0 && !rc;) {
		struct need one = { 0 };

		if (i != trainer->phase)
			rc = trainer_begin_phase(trainer, i, err);
		if (!rc)
			rc = plan_uses(trainer, &one, err);
		if (!rc && i == 0 && !trainer->memory.is_thrifty)
			rc = try_one(trainer, &one, err);
		one.gradients = gradient_bytes(
		    trainer, freeze_is_any(&phases->phase[i].freeze));
		need.together = most(need.together, one.together);
		need.largest = most(need.largest, one.largest);
		need.largest_step = most(need.largest_step, one.largest_step);
		need.features = most(need.features, one.features);
		need.gradients = most(need.gradients, one.gradients);
		if (one.n_recomputed > need.n_recomputed) {
			need.n_recomputed = one.n_recomputed;
			need.recomputed = one.recomputed;
		}
	}
	*ret = need;
	return rc;
}

/* --- the rest --- */

static bool finds_rate(const struct trainer *trainer)
{
	const struct phases *phases = &trainer->spec->phases;

	for (size_t i = 0; i < phases->n; i++)
		if (phases->phase[i].rates.is_auto)
			return true;
	return false;
}

/* Slots that the loader fills ahead, with the rows of the fullest batch. */
static size_t batch_bytes(const struct trainer *trainer)
{
	const struct pipeline *p = trainer->options.pipeline;
	const struct trainer_spec *t = &trainer->spec->trainer;
	const struct dataset *dataset = trainer->options.dataset;
	size_t row = sizeof(int64_t), rows = 0;
	enum dtype dtype;
	struct shape shape;
	int64_t width;

	for (unsigned i = 0; i < pipeline_n_inputs(p); i++) {
		pipeline_input_row(p, i, &dtype, &shape);
		row += tensor_bytes(dtype, &shape);
	}
	pipeline_target_row(p, 0, &dtype, &shape, &width);
	row += tensor_bytes(dtype, &shape);
	for (int part = 0; part < PART_COUNT; part++) {
		const int64_t n =
		    part == PART_TRAIN
			? trainer->n_train
			: dataset_n(dataset, (enum dataset_part)part);
		const int64_t batch =
		    part == PART_TRAIN ? t->batch_size : t->eval_batch_size;
		const int64_t slots =
		    (trainer->memory.is_thrifty ? THRIFTY_SLOTS : SLOTS) *
		    batch;

		rows = most(rows, (size_t)(n < slots ? n : slots));
	}
	return rows * row;
}

static size_t evaluation_bytes(const struct trainer *trainer)
{
	const struct evaluation *e = &trainer->evaluation;
	const size_t n = (size_t)e->cap, width = (size_t)e->width;

	return n * (width * sizeof(*e->output) +
		    (e->is_category ? 1 : width) * sizeof(*e->target) +
		    sizeof(*e->loss) + sizeof(*e->room));
}

/* Their sum; at the end the model is written while plans are still there, but
 * for a thrifty run. */
static void add_up(struct job_memory *m)
{
	const size_t rest = m->process + m->parameters + m->optimizer +
			    m->copies + m->kernels + m->batches +
			    m->evaluation + m->features;

	m->peak = m->is_thrifty ? rest + most(m->block, m->artifacts)
				: rest + m->block + m->artifacts;
}

static void note_plans(struct job_memory *m, const struct need *need)
{
	m->block = m->is_thrifty ? need->largest : need->together;
	m->gradients = need->gradients;
	m->features = 0;
	m->n_recomputed = need->n_recomputed;
	m->recomputed = need->recomputed;
}

/* What the process has grown by but for what is known: plans, code that was
 * made, packed weights. What planning freed is given back first. */
static void measure_kernels(struct job_memory *m)
{
	const size_t known = m->process + m->parameters + m->optimizer;
	size_t now;

	mem_trim();
	now = mem_resident();
	m->kernels = now > known ? now - known : 0;
	/* the way back has not been tried: code that it touches first. Where
	 * there is no limit to keep, memory that was freed has room for it */
	if (m->is_thrifty)
		m->kernels += m->kernels / 3;
}

static void measure(struct trainer *trainer, const struct need *need)
{
	struct job_memory *m = &trainer->memory;
	const struct train_memory *memory = stepper_memory(trainer->stepper);
	const size_t model = list_bytes(&trainer->model);

	m->parameters = model;
	m->optimizer = (memory->n_moments + (memory->sum != NULL)) * memory->n *
		       sizeof(float);
	m->copies = model;
	if (trainer->spec->averaging.type != AVERAGE_NONE)
		m->copies += 2 * model;
	measure_kernels(m);
	if (finds_rate(trainer))
		m->copies += model + list_bytes(&trainer->moments);
	m->batches = batch_bytes(trainer);
	m->evaluation = evaluation_bytes(trainer);
	m->artifacts = model;
	note_plans(m, need);
	add_up(m);
	/* beside a limit the cache takes what is left, or a file */
	if (!m->limit && trainer_keeps_features(trainer, need->features))
		m->features = need->features;
	add_up(m);
}

/* --- saving --- */

/* What the network was built with, now that its weights lie elsewhere; how
 * much that is. */
static size_t forget_built(struct trainer *trainer)
{
	size_t bytes = 0;

	for (size_t i = 0; i < trainer->n_built; i++) {
		const struct tensor_view *view = &trainer->built[i];

		mem_forget(view->data, tensor_bytes(view->dtype, &view->shape));
		bytes += tensor_bytes(view->dtype, &view->shape);
	}
	trainer->n_built = 0;
	return bytes < trainer->memory.process ? bytes : 0;
}

static enum err_code plan_again(struct trainer *trainer, size_t goal,
				struct err *err)
{
	const struct stepper_thrift thrift = { .shares_block = true,
					       .arena_goal = goal,
					       .one_scratch =
						   trainer->memory.is_alone };
	struct need need;
	enum err_code rc;

	stepper_save_memory(trainer->stepper, &thrift);
	rc = plan_phases(trainer, &need, err);
	if (rc)
		return rc;
	note_plans(&trainer->memory, &need);
	measure_kernels(&trainer->memory);
	add_up(&trainer->memory);
	return trainer_describe(trainer, err);
}

/* The block that the limit leaves room for; 0: none. */
static size_t room(const struct job_memory *m)
{
	const size_t rest =
	    m->peak - (m->block > m->artifacts ? m->block : m->artifacts);

	return m->limit > rest ? m->limit - rest : 0;
}

/* Goals are of values; what kernels work in comes on top, so that a goal may
 * have to be lower than the room there is. */
static enum err_code recompute(struct trainer *trainer, struct err *err)
{
	struct job_memory *m = &trainer->memory;
	size_t goal = room(m);
	enum err_code rc = ERR_NONE;

	for (int i = 0; i < TRIES && goal && m->peak > m->limit && !rc; i++) {
		const size_t before = m->block, over = m->peak - m->limit;

		if (i > 0)
			goal = goal > over ? goal - over : 1;
		rc = plan_again(trainer, goal, err);
		if (i > 0 && m->block >= before)
			break;
	}
	return rc;
}

/* The best weights, and what a rate finder keeps, lie in files. */
static void spill(struct trainer *trainer)
{
	struct job_memory *m = &trainer->memory;
	const size_t model = list_bytes(&trainer->model);

	if (!trainer->options.spill_dir)
		return;
	m->copies -= model;
	if (finds_rate(trainer))
		m->copies -= model + list_bytes(&trainer->moments);
	m->spills = true;
	add_up(m);
}

/* As little as there can be, for the sentence that refuses. */
static enum err_code reach_least(struct trainer *trainer, struct err *err)
{
	enum err_code rc = plan_again(trainer, 1, err);

	trainer->memory.least = trainer->memory.peak;
	return rc;
}

static enum err_code save(struct trainer *trainer, struct err *err)
{
	struct job_memory *m = &trainer->memory;
	enum err_code rc;

	m->is_thrifty = true;
	m->batches = batch_bytes(trainer);
	rc = plan_again(trainer, 0, err);
	if (!rc && m->peak > m->limit)
		rc = recompute(trainer, err);
	if (!rc && m->peak > m->limit)
		spill(trainer);
	if (!rc && m->peak > m->limit)
		rc = recompute(trainer, err);
	if (!rc && m->peak > m->limit && trainer->options.threads > 1) {
		m->is_alone = true;
		rc = recompute(trainer, err);
	}
	if (!rc && m->peak > m->limit)
		rc = reach_least(trainer, err);
	return rc;
}

enum err_code trainer_plan_memory(struct trainer *trainer, struct err *err)
{
	struct job_memory *m = &trainer->memory;
	size_t built = 0;
	struct need need;
	enum err_code rc;

	m->limit = (size_t)trainer->spec->resources.memory_limit;
	if (m->limit)
		built = forget_built(trainer);
	m->process -= built;
	rc = plan_phases(trainer, &need, err);
	if (rc)
		return rc;
	measure(trainer, &need);
	m->unlimited = m->peak + built;
	if (m->limit && m->peak > m->limit)
		rc = save(trainer, err);
	return rc ? rc : job_memory_check(m, err);
}

void trainer_limit_batches(struct trainer *trainer)
{
	if (trainer->memory.is_thrifty)
		loader_set_depth(trainer->loader, THRIFTY_SLOTS);
}

const struct job_memory *trainer_memory(const struct trainer *trainer)
{
	return &trainer->memory;
}
