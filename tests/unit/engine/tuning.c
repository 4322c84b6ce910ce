/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/tuning.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "engine/machine.h"

enum { TEXT_MAX = 1 << 20 };

static struct tuning *create(const char *path)
{
	struct tuning *tuning;
	struct err err;

	cr_assert_eq(tuning_create(path, &tuning, &err), ERR_NONE, "%s",
		     err.msg);
	return tuning;
}

static struct tuning_choice choice(const char *kernel, double us)
{
	struct tuning_choice ret = { .us = us };

	(void)snprintf(ret.kernel, sizeof(ret.kernel), "%s", kernel);
	return ret;
}

static void settle(struct tuning *tuning, const char *question,
		   const char *kernel, double us, const char *want)
{
	const struct tuning_choice mine = choice(kernel, us);
	struct tuning_choice now;

	tuning_settle(tuning, question, &mine, &now);
	cr_expect_str_eq(now.kernel, want, "%s", question);
}

static void expect(struct tuning *tuning, const char *question,
		   const char *want)
{
	struct tuning_choice now;

	cr_expect_eq(tuning_find(tuning, question, &now), want != NULL, "%s",
		     question);
	if (want)
		cr_expect_str_eq(now.kernel, want, "%s", question);
}

/* The head of a file of this machine. */
static void begin_file(struct buf *buf)
{
	char machine[MACHINE_TEXT_MAX];

	buf_init(buf, TEXT_MAX);
	buf_printf(buf, "predictd tuning 1\n%s\n", machine_text(machine));
}

Test(tuning, keeps_the_first_answer)
{
	struct tuning *tuning = create(NULL);

	expect(tuning, "q", NULL);
	settle(tuning, "q", "a", 2, "a");
	settle(tuning, "q", "b", 1, "a");
	settle(tuning, "another q", "b", 0, "b");
	expect(tuning, "q", "a");
	cr_expect_eq(tuning_count(tuning), 2);
	tuning_forget(tuning, "q", "b");
	expect(tuning, "q", "a");
	tuning_forget(tuning, "q", "a");
	expect(tuning, "q", NULL);
	cr_expect_eq(tuning_count(tuning), 1);
	settle(tuning, "q", "c", 1, "c");
	tuning_destroy(tuning);
}

Test(tuning, has_room_for_so_many_and_answers_on)
{
	struct tuning *tuning = create(NULL);
	char question[32];

	for (int i = 0; i < TUNING_CHOICES + 100; i++) {
		(void)snprintf(question, sizeof(question), "question %d", i);
		settle(tuning, question, "kernel", 1, "kernel");
	}
	cr_expect_eq(tuning_count(tuning), TUNING_CHOICES);
	expect(tuning, "question 0", "kernel");
	expect(tuning, question, NULL);
	tuning_destroy(tuning);
}

Test(tuning, survives_a_restart_by_its_file)
{
	char dir[] = "/tmp/predictd-tuning-XXXXXX", path[64];
	struct tuning *tuning;
	struct err err;

	cr_assert(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/kernels.txt", dir);
	tuning = create(path);
	settle(tuning, "a question", "measured", 12.5, "measured");
	settle(tuning, "b", "predicted", 0, "predicted");
	cr_assert_eq(tuning_save(tuning, &err), ERR_NONE, "%s", err.msg);
	tuning_destroy(tuning);

	tuning = create(path);
	expect(tuning, "a question", "measured");
	expect(tuning, "b", NULL);
	/* nothing new, nothing written */
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(tuning_save(tuning, &err), ERR_NONE);
	cr_expect_neq(access(path, F_OK), 0);
	tuning_destroy(tuning);
	cr_expect_eq(file_remove_tree(dir, &err), ERR_NONE);
}

Test(tuning, reads_what_is_left_of_a_damaged_file)
{
	static const char bad[] = "conv\n"
				  "conv 1.5\n"
				  "conv 1.5 \n"
				  "conv x q1\n"
				  "conv -1 q2\n"
				  "conv nan q3\n"
				  "conv inf q4\n"
				  "conv 0 q5\n"
				  "co\tnv 1 q6\n"
				  " 1 q7\n"
				  "\n"
				  "conv 1 q8\x01\n";
	struct tuning *tuning = create(NULL);
	struct buf buf;

	begin_file(&buf);
	buf_puts(&buf, bad);
	buf_puts(&buf, "conv 2 first one\n");
	for (int i = 0; i < 2 * TUNING_QUESTION_MAX; i++)
		buf_putc(&buf, 'x');
	buf_puts(&buf, "\nconv 3 last one");
	tuning_parse(tuning, buf.data, buf.len);
	cr_expect_eq(tuning_count(tuning), 2);
	expect(tuning, "first one", "conv");
	expect(tuning, "last one", "conv");
	buf_finish(&buf);
	tuning_destroy(tuning);
}

Test(tuning, takes_nothing_from_another_machine)
{
	static const char *const heads[] = {
		"",
		"predictd tuning 1",
		"predictd tuning 1\n",
		"predictd tuning 1\nan abacus\nconv 1 q\n",
		"predictd tuning 2\n",
	};
	struct tuning *tuning = create(NULL);
	struct buf buf;

	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++)
		tuning_parse(tuning, heads[i], strlen(heads[i]));
	begin_file(&buf);
	buf.data[0] = 'P';
	buf_puts(&buf, "conv 1 q\n");
	tuning_parse(tuning, buf.data, buf.len);
	cr_expect_eq(tuning_count(tuning), 0);
	buf_finish(&buf);
	tuning_destroy(tuning);
}
