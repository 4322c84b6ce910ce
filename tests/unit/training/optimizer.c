/* SPDX-License-Identifier: Apache-2.0 */
#include "training/optimizer.h"

#include <criterion/criterion.h>
#include <math.h>

#include "base/buf.h"
#include "base/json_write.h"

static void read_spec(const char *yaml, struct optimizer *ret,
		      struct arena *arena)
{
	struct err err = { 0 };
	struct doc *map;

	cr_assert_eq(
	    doc_parse_yaml(yaml, strlen(yaml), "optimizer", arena, &map, &err),
	    ERR_NONE, "%s", err.msg);
	cr_assert_eq(optimizer_read(map, ret, arena, &err), ERR_NONE, "%s",
		     err.msg);
}

Test(optimizer, defaults_are_pytorch_s)
{
	struct arena *arena = arena_create(1 << 20);
	struct optimizer o;
	struct optimizer_setting s;

	cr_assert_eq(optimizer_read(NULL, &o, arena, NULL), ERR_NONE);
	cr_expect_str_eq(o.kind->name, "adam");
	s = optimizer_setting_at(&o, 0.5, (double)NAN);
	cr_expect_eq(s.rate, 0.5);
	cr_expect_eq(s.momentum, 0.9);
	cr_expect_eq(s.square, 0.999);
	cr_expect_eq(s.eps, 1e-8);
	cr_expect_eq(s.weight_decay, 0);
	read_spec("{type: adamw}", &o, arena);
	cr_expect(o.attrs.decoupled);
	cr_expect_eq(optimizer_setting_at(&o, 1, (double)NAN).weight_decay,
		     0.01);
	read_spec("{type: rmsprop}", &o, arena);
	s = optimizer_setting_at(&o, 1, (double)NAN);
	cr_expect_eq(s.square, 0.99);
	cr_expect_eq(s.momentum, 0);
	cr_expect_eq(s.eps, 1e-8);
	read_spec("{type: sgd}", &o, arena);
	s = optimizer_setting_at(&o, 1, (double)NAN);
	cr_expect_eq(s.momentum, 0);
	cr_expect_eq(s.dampening, 0);
	cr_expect_not(o.attrs.momentum);
	arena_destroy(arena);
}

Test(optimizer, a_schedule_s_momentum_goes_only_where_there_is_one)
{
	struct arena *arena = arena_create(1 << 20);
	struct optimizer o;

	read_spec("{type: adam, betas: [0.8, 0.99]}", &o, arena);
	cr_expect(optimizer_has_momentum(&o));
	cr_expect_eq(optimizer_setting_at(&o, 1, 0.95).momentum, 0.95);
	cr_expect_eq(optimizer_setting_at(&o, 1, (double)NAN).momentum, 0.8);
	read_spec("{type: sgd, momentum: 0.5}", &o, arena);
	cr_expect_eq(optimizer_setting_at(&o, 1, 0.95).momentum, 0.95);
	read_spec("{type: sgd}", &o, arena);
	cr_expect_not(optimizer_has_momentum(&o));
	cr_expect_eq(optimizer_setting_at(&o, 1, 0.95).momentum, 0);
	arena_destroy(arena);
}

Test(optimizer, what_is_written_reads_back)
{
	static const char *const specs[] = {
		"{type: sgd, momentum: 0.9, nesterov: true, weight_decay: 0.1}",
		"{type: rmsprop, centered: true, alpha: 0.5}",
		"{type: adam, amsgrad: true, betas: [0.1, 0.2]}",
		"{type: adamw, exclude: [bias, norm], eps: 1.0e-5}",
		"{type: adadelta, rho: 0.8}",
		"{type: adagrad, lr_decay: 0.1, initial_accumulator_value: 1}",
		"{type: adamax}",
		"{type: lamb, l1: 0.1}",
		"{type: lars, trust_coefficient: 0.01}",
		"{type: lion}",
		"{type: nadam, momentum_decay: 0.01, decoupled_weight_decay: "
		"true}",
		"{type: radam}",
		"{type: rprop, etas: [0.4, 1.5]}",
		"{type: sgd, momentum: 0.9, ewma: true}",
	};

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		struct arena *arena = arena_create(1 << 20);
		struct buf once, twice;
		struct json_writer writer;
		struct optimizer o;
		struct doc *doc;

		read_spec(specs[i], &o, arena);
		buf_init(&once, 4096);
		json_write_init(&writer, &once);
		json_write_object(&writer, NULL);
		optimizer_write(&o, &writer);
		json_write_object_end(&writer);
		cr_assert_eq(doc_parse_json(once.data, once.len, "once", arena,
					    &doc, NULL),
			     ERR_NONE);
		cr_assert_eq(
		    optimizer_read(doc_find(doc, "optimizer"), &o, arena, NULL),
		    ERR_NONE);
		buf_init(&twice, 4096);
		json_write_init(&writer, &twice);
		json_write_object(&writer, NULL);
		optimizer_write(&o, &writer);
		json_write_object_end(&writer);
		cr_expect_str_eq(once.data, twice.data);
		buf_finish(&once);
		buf_finish(&twice);
		arena_destroy(arena);
	}
}

Test(optimizer, defaults_beyond_adam_are_pytorch_s_too)
{
	struct arena *arena = arena_create(1 << 20);
	struct optimizer o;
	struct optimizer_setting s;

	read_spec("{type: rprop}", &o, arena);
	s = optimizer_setting_at(&o, 1, (double)NAN);
	cr_expect(s.etas[0] == 0.5 && s.etas[1] == 1.2);
	cr_expect(s.sizes[0] == 1e-6 && s.sizes[1] == 50);
	read_spec("{type: nadam}", &o, arena);
	s = optimizer_setting_at(&o, 1, (double)NAN);
	cr_expect(s.momentum_decay == 4e-3 && s.momentum == 0.9);
	read_spec("{type: lion}", &o, arena);
	cr_expect(o.attrs.decoupled);
	cr_expect_eq(optimizer_setting_at(&o, 1, (double)NAN).square, 0.99);
	read_spec("{type: adadelta}", &o, arena);
	cr_expect_eq(optimizer_setting_at(&o, 1, (double)NAN).square, 0.9);
	arena_destroy(arena);
}

Test(optimizer, what_is_excluded_is_not_pulled_towards_zero)
{
	struct arena *arena = arena_create(1 << 20);
	struct optimizer o;
	struct optimizer_setting s;

	read_spec("{type: lamb, l1: 0.5}", &o, arena);
	s = optimizer_setting_at(&o, 1, (double)NAN);
	cr_expect(s.weight_decay > 0 && s.l1 == 0.5 && !s.is_unscaled);
	optimizer_setting_exclude(&s);
	cr_expect(s.weight_decay == 0 && s.l1 == 0 && s.is_unscaled);
	arena_destroy(arena);
}

Test(optimizer, what_makes_no_sense_is_refused)
{
	static const char *const specs[] = {
		"{type: sgd, ewma: true}",
		"{type: sgd, ewma: true, momentum: 0.9, nesterov: true}",
		"{type: nadam, betas: [0.99999, 0.9]}",
		"{type: rprop, etas: [0.5]}",
		"{type: rprop, weight_decay: 0.1}",
		"{type: adam, rho: 0.1}",
	};
	struct arena *arena = arena_create(1 << 20);

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		struct err err = { 0 };
		struct optimizer o;
		struct doc *map;

		cr_assert_eq(doc_parse_yaml(specs[i], strlen(specs[i]), "o",
					    arena, &map, &err),
			     ERR_NONE);
		cr_expect_eq(optimizer_read(map, &o, arena, &err), ERR_INVALID,
			     "%s", specs[i]);
		cr_expect(strstr(err.msg, "trainer.optimizer"), "%s", err.msg);
	}
	arena_destroy(arena);
}
