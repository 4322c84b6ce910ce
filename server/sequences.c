/* SPDX-License-Identifier: Apache-2.0 */
#include "server/sequences.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/field.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"

enum { BUCKETS = 1024, CONFIG_BYTES = 1 << 16 };

struct sequence {
	struct sequence *next;			   /* in its bucket */
	struct sequence *newer, *older;		   /* by use */
	struct tensor_view state[SEQUENCE_STATES]; /* data is its own */
	int64_t used_ns;
	bool is_busy;
	size_t len;
	char id[];
};

struct settings {
	const struct doc *state;
	double idle_timeout;
	int64_t max;
};

struct sequences {
	atomic_uint refs;
	char *name;
	unsigned n_states;
	struct sequence_port port[SEQUENCE_STATES];
	struct signature_port kind[SEQUENCE_STATES]; /* names are not kept */
	pthread_mutex_t lock; /* guards what follows, and who is busy */
	int64_t idle_ns;
	size_t max;
	struct sequence *bucket[BUCKETS];
	struct sequence *newest, *oldest;
	size_t n;
};

/* --- what the configuration says --- */

static const struct field fields[] = {
	{ .name = "state",
	  .help = "inputs, and the outputs they are in the next request",
	  .kind = FIELD_DOC,
	  .flags = FIELD_REQUIRED,
	  .offset = offsetof(struct settings, state) },
	{ .name = "idle_timeout",
	  .help = "a sequence ends when nobody asks so long",
	  .kind = FIELD_SECONDS,
	  .offset = offsetof(struct settings, idle_timeout),
	  .min = 0.001,
	  .max = 366 * 86400.,
	  .def = 60 },
	{ .name = "max",
	  .help = "sequences at once",
	  .kind = FIELD_INT,
	  .offset = offsetof(struct settings, max),
	  .min = 1,
	  .max = 1e6,
	  .def = 1024 },
	{ .name = NULL },
};

static int find_port(const struct signature_port *port, unsigned n,
		     const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (str_equal(port[i].name, name))
			return (int)i;
	return -1;
}

/* What an output gives must be what the input takes. */
static bool fits(const struct signature_port *in,
		 const struct signature_port *out)
{
	if (in->dtype != out->dtype || !in->has_rank ||
	    (out->has_rank && in->rank != out->rank))
		return false;
	for (unsigned d = 0; out->has_rank && d < in->rank; d++)
		if (in->dim[d].extent >= 0 && out->dim[d].extent >= 0 &&
		    in->dim[d].extent != out->dim[d].extent)
			return false;
	return true;
}

static enum err_code add_state(struct sequences *s,
			       const struct model_signature *signature,
			       const struct doc *row, struct err *err)
{
	const char *output = row->kind == DOC_STRING ? row->text : "";
	const int in =
	    find_port(signature->input, signature->n_inputs, row->key);
	const int out =
	    find_port(signature->output, signature->n_outputs, output);

	if (in < 0 || out < 0)
		return err_set(err, ERR_INVALID,
			       "config.yaml: sequence.state: the model has no "
			       "%s '%.64s'",
			       in < 0 ? "input" : "output",
			       in < 0 ? row->key : output);
	if (!fits(&signature->input[in], &signature->output[out]) ||
	    signature->input[in].dtype == DTYPE_STRING)
		return err_set(err, ERR_INVALID,
			       "config.yaml: sequence.state: output '%s' is "
			       "not what input '%s' takes",
			       output, row->key);
	if (s->n_states == SEQUENCE_STATES)
		return err_set(err, ERR_INVALID,
			       "config.yaml: sequence.state: more than %d "
			       "states",
			       SEQUENCE_STATES);
	s->kind[s->n_states] = signature->input[in];
	s->port[s->n_states++] =
	    (struct sequence_port){ (unsigned)in, (unsigned)out };
	return ERR_NONE;
}

static enum err_code configure(struct sequences *s,
			       const struct model_signature *signature,
			       const struct doc *config, struct arena *arena,
			       struct err *err)
{
	struct settings settings = { 0 };
	enum err_code rc;

	rc = field_read(fields, config, "config.yaml: sequence", NULL,
			&settings, arena, err);
	if (rc)
		return rc;
	if (settings.state->kind != DOC_MAP || !settings.state->n)
		return err_set(err, ERR_INVALID,
			       "config.yaml: sequence.state: expected a map of "
			       "inputs to outputs");
	for (const struct doc *row = settings.state->first; row && !rc;
	     row = row->next)
		rc = add_state(s, signature, row, err);
	s->idle_ns = (int64_t)(settings.idle_timeout * 1e9);
	s->max = (size_t)settings.max;
	return rc;
}

enum err_code sequences_create(const struct model_signature *signature,
			       const struct doc *config, const char *name,
			       struct sequences **ret_sequences,
			       struct err *err)
{
	struct sequences *s = mem_zero(sizeof(*s));
	struct arena *arena = arena_create(CONFIG_BYTES);
	enum err_code rc = ERR_NONE;

	if (s) {
		atomic_init(&s->refs, 1);
		(void)pthread_mutex_init(&s->lock, NULL);
		s->name = mem_strdup(name);
	}
	if (!s || !arena || !s->name)
		rc = err_set(err, ERR_NO_MEMORY, "model '%s': out of memory",
			     name);
	else
		rc = configure(s, signature, config, arena, err);
	arena_destroy(arena);
	if (rc)
		sequences_unref(s);
	else
		*ret_sequences = s;
	return rc;
}

struct sequences *sequences_ref(struct sequences *sequences)
{
	atomic_fetch_add_explicit(&sequences->refs, 1, memory_order_relaxed);
	return sequences;
}

static void sequence_destroy(struct sequence *sequence)
{
	for (int k = 0; k < SEQUENCE_STATES; k++)
		mem_free(sequence->state[k].data);
	mem_free(sequence);
}

void sequences_unref(struct sequences *sequences)
{
	if (!sequences || atomic_fetch_sub_explicit(&sequences->refs, 1,
						    memory_order_acq_rel) != 1)
		return;
	while (sequences->oldest) {
		struct sequence *sequence = sequences->oldest;

		sequences->oldest = sequence->newer;
		sequence_destroy(sequence);
	}
	(void)pthread_mutex_destroy(&sequences->lock);
	mem_free(sequences->name);
	mem_free(sequences);
}

static bool same_kind(const struct signature_port *a,
		      const struct signature_port *b)
{
	bool same = a->dtype == b->dtype && a->rank == b->rank;

	for (unsigned d = 0; d < a->rank && same; d++)
		same = a->dim[d].extent == b->dim[d].extent;
	return same;
}

bool sequences_alike(const struct sequences *a, const struct sequences *b)
{
	bool alike = a->n_states == b->n_states;

	for (unsigned k = 0; k < a->n_states && alike; k++)
		alike = a->port[k].input == b->port[k].input &&
			a->port[k].output == b->port[k].output &&
			same_kind(&a->kind[k], &b->kind[k]);
	return alike;
}

unsigned sequences_n_states(const struct sequences *sequences)
{
	return sequences->n_states;
}

struct sequence_port sequences_port(const struct sequences *sequences,
				    unsigned k)
{
	return sequences->port[k];
}

int64_t sequences_idle_ns(struct sequences *sequences)
{
	int64_t idle_ns;

	(void)pthread_mutex_lock(&sequences->lock);
	idle_ns = sequences->idle_ns;
	(void)pthread_mutex_unlock(&sequences->lock);
	return idle_ns;
}

size_t sequences_max(struct sequences *sequences)
{
	size_t max;

	(void)pthread_mutex_lock(&sequences->lock);
	max = sequences->max;
	(void)pthread_mutex_unlock(&sequences->lock);
	return max;
}

void sequences_adopt(struct sequences *sequences, struct sequences *terms)
{
	const int64_t idle_ns = sequences_idle_ns(terms);
	const size_t max = sequences_max(terms);

	(void)pthread_mutex_lock(&sequences->lock);
	sequences->idle_ns = idle_ns;
	sequences->max = max;
	(void)pthread_mutex_unlock(&sequences->lock);
}

/* --- the table, under the lock --- */

static struct sequence **bucket_of(struct sequences *s, struct str id)
{
	return &s->bucket[hash_mix(HASH_BEGIN, id.bytes, id.len) % BUCKETS];
}

static struct sequence *find(struct sequences *s, struct str id)
{
	struct sequence *sequence = *bucket_of(s, id);

	while (sequence && (sequence->len != id.len ||
			    memcmp(sequence->id, id.bytes, id.len) != 0))
		sequence = sequence->next;
	return sequence;
}

static void take_out_of_age(struct sequences *s, struct sequence *sequence)
{
	*(sequence->newer ? &sequence->newer->older : &s->newest) =
	    sequence->older;
	*(sequence->older ? &sequence->older->newer : &s->oldest) =
	    sequence->newer;
}

static void put_newest(struct sequences *s, struct sequence *sequence)
{
	sequence->newer = NULL;
	sequence->older = s->newest;
	*(s->newest ? &s->newest->newer : &s->oldest) = sequence;
	s->newest = sequence;
}

static void forget(struct sequences *s, struct sequence *sequence)
{
	struct sequence **link =
	    bucket_of(s, (struct str){ sequence->id, sequence->len });

	while (*link != sequence)
		link = &(*link)->next;
	*link = sequence->next;
	take_out_of_age(s, sequence);
	s->n--;
	sequence_destroy(sequence);
}

/* Those that are under way are not old. */
static void forget_idle(struct sequences *s, int64_t now)
{
	while (s->oldest && !s->oldest->is_busy &&
	       now - s->oldest->used_ns > s->idle_ns)
		forget(s, s->oldest);
}

static struct sequence *add(struct sequences *s, struct str id)
{
	struct sequence *sequence = mem_zero(sizeof(*sequence) + id.len);
	struct sequence **bucket = bucket_of(s, id);

	if (!sequence)
		return NULL;
	memcpy(sequence->id, id.bytes, id.len);
	sequence->len = id.len;
	sequence->next = *bucket;
	*bucket = sequence;
	put_newest(s, sequence);
	s->n++;
	return sequence;
}

static int shown(struct str id)
{
	return (int)(id.len < 64 ? id.len : 64);
}

static enum err_code start(struct sequences *s, struct str id,
			   struct sequence **ret, struct err *err)
{
	struct sequence *old = find(s, id);

	if (old)
		forget(s, old);
	if (s->n >= s->max)
		return err_set(
		    err, ERR_BUSY,
		    "model '%s': %zu sequences are under way, and no "
		    "more may be",
		    s->name, s->n);
	*ret = add(s, id);
	return *ret ? ERR_NONE
		    : err_set(err, ERR_NO_MEMORY, "model '%s': out of memory",
			      s->name);
}

static enum err_code go_on(struct sequences *s, struct str id,
			   struct sequence **ret, struct err *err)
{
	*ret = find(s, id);
	if (*ret)
		return ERR_NONE;
	return err_set(err, ERR_INVALID,
		       "model '%s': sequence '%.*s' was not started "
		       "(sequence_start), has ended, or was idle for %g s",
		       s->name, shown(id), id.bytes, (double)s->idle_ns / 1e9);
}

static enum err_code enter(struct sequences *s, struct str id, bool is_start,
			   struct sequence **ret, struct err *err)
{
	const struct sequence *other;

	forget_idle(s, clock_monotonic_ns());
	other = find(s, id);
	if (other && other->is_busy)
		return err_set(
		    err, ERR_CONFLICT,
		    "model '%s': sequence '%.*s' has a request under "
		    "way",
		    s->name, shown(id), id.bytes);
	return is_start ? start(s, id, ret, err) : go_on(s, id, ret, err);
}

enum err_code sequences_enter(struct sequences *sequences, struct str id,
			      bool is_start, struct sequence **ret_sequence,
			      struct err *err)
{
	struct sequence *sequence = NULL;
	enum err_code rc;

	if (!id.len || id.len > SEQUENCE_ID_MAX)
		return err_set(err, ERR_INVALID,
			       "a sequence_id has 1 to %d bytes",
			       SEQUENCE_ID_MAX);
	(void)pthread_mutex_lock(&sequences->lock);
	rc = enter(sequences, id, is_start, &sequence, err);
	if (!rc)
		sequence->is_busy = true;
	(void)pthread_mutex_unlock(&sequences->lock);
	if (!rc)
		*ret_sequence = sequence;
	return rc;
}

void sequences_leave(struct sequences *sequences, struct sequence *sequence,
		     bool is_end)
{
	(void)pthread_mutex_lock(&sequences->lock);
	sequence->is_busy = false;
	sequence->used_ns = clock_monotonic_ns();
	take_out_of_age(sequences, sequence);
	put_newest(sequences, sequence);
	if (is_end)
		forget(sequences, sequence);
	(void)pthread_mutex_unlock(&sequences->lock);
}

size_t sequences_count(struct sequences *sequences)
{
	size_t n;

	(void)pthread_mutex_lock(&sequences->lock);
	forget_idle(sequences, clock_monotonic_ns());
	n = sequences->n;
	(void)pthread_mutex_unlock(&sequences->lock);
	return n;
}

/* --- states: of the request that entered --- */

const struct tensor_view *sequence_state(const struct sequence *sequence,
					 unsigned k)
{
	return &sequence->state[k];
}

enum err_code sequence_keep(struct sequence *sequence, unsigned k,
			    const struct tensor_view *view, struct err *err)
{
	struct tensor_view *state = &sequence->state[k];
	const size_t bytes = tensor_bytes(view->dtype, &view->shape);
	void *data = state->data;

	if (!data || tensor_bytes(state->dtype, &state->shape) != bytes) {
		data = mem_aligned(bytes + 1);
		if (!data)
			return err_set(err, ERR_NO_MEMORY,
				       "a state of %zu bytes: out of memory",
				       bytes);
		mem_free(state->data);
	}
	if (bytes)
		memcpy(data, view->data, bytes);
	*state = *view;
	state->data = data;
	return ERR_NONE;
}
