/* SPDX-License-Identifier: Apache-2.0 */
#include "training/worker_link.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/str.h"

enum { LINE_MAX_BYTES = 16 << 20, WORD_MAX = 32 };

struct worker_link {
	int in_fd, out_fd, wake_fd, term_fd;
	pthread_t thread;
	bool has_thread;
	atomic_int order;      /* the gravest so far */
	atomic_int checkpoint; /* asked for once more */
	struct buf line;
	struct json_writer writer;
};

/* cancel outranks stop, which outranks pause */
static void raise_order(struct worker_link *link, enum trainer_order order)
{
	int now = atomic_load(&link->order);

	while (now < (int)order &&
	       !atomic_compare_exchange_weak(&link->order, &now, (int)order))
		;
}

static void obey_word(struct worker_link *link, const char *word)
{
	static const struct {
		const char *word;
		enum trainer_order order;
	} words[] = { { "pause", ORDER_PAUSE },
		      { "stop", ORDER_STOP },
		      { "cancel", ORDER_CANCEL } };

	if (str_equal(word, "checkpoint"))
		atomic_store(&link->checkpoint, 1);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (str_equal(word, words[i].word))
			raise_order(link, words[i].order);
	}
}

/* A word grows byte by byte; one that is too long is no order. */
struct word {
	char text[WORD_MAX];
	size_t n;
};

static void take_byte(struct worker_link *link, struct word *word, char byte)
{
	if (byte != '\n') {
		if (word->n < sizeof(word->text))
			word->text[word->n++] = byte;
		return;
	}
	if (word->n < sizeof(word->text)) {
		word->text[word->n] = '\0';
		obey_word(link, word->text);
	}
	word->n = 0;
}

/* One word a line, to the end of the input. */
static void read_orders(struct worker_link *link)
{
	struct word word = { .n = 0 };

	for (;;) {
		struct pollfd fd[] = { { link->in_fd, POLLIN, 0 },
				       { link->wake_fd, POLLIN, 0 },
				       { link->term_fd, POLLIN, 0 } };
		char byte;
		ssize_t got;

		if (poll(fd, 3, -1) < 0 && errno == EINTR)
			continue;
		if (fd[1].revents)
			return;
		if (fd[2].revents)
			break;
		got = read(link->in_fd, &byte, 1);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0)
			break;
		take_byte(link, &word, byte);
	}
	raise_order(link, ORDER_STOP);
}

static void *reader_main(void *arg)
{
	(void)pthread_setname_np(pthread_self(), "orders");
	read_orders(arg);
	return NULL;
}

/* SIGTERM is read, not obeyed. The supervisor starts workers with it blocked,
 * so that no thread of a library was born before it was. */
static enum err_code open_signals(struct worker_link *link, struct err *err)
{
	sigset_t term;

	(void)sigemptyset(&term);
	(void)sigaddset(&term, SIGTERM);
	(void)pthread_sigmask(SIG_BLOCK, &term, NULL);
	link->wake_fd = eventfd(0, EFD_CLOEXEC);
	link->term_fd = signalfd(-1, &term, SFD_CLOEXEC);
	if (link->wake_fd < 0 || link->term_fd < 0)
		return file_err(err, errno, "make", "an event descriptor");
	return ERR_NONE;
}

enum err_code worker_link_create(int in_fd, int out_fd,
				 struct worker_link **ret_link, struct err *err)
{
	struct worker_link *link = mem_zero(sizeof(*link));
	enum err_code rc;

	if (!link)
		return err_set(err, ERR_NO_MEMORY, "worker: out of memory");
	link->wake_fd = link->term_fd = -1;
	link->in_fd = in_fd;
	link->out_fd = out_fd;
	buf_init(&link->line, LINE_MAX_BYTES);
	rc = open_signals(link, err);
	if (rc)
		goto out;
	if (pthread_create(&link->thread, NULL, reader_main, link)) {
		rc = err_set(err, ERR_NO_MEMORY, "worker: no thread");
		goto out;
	}
	link->has_thread = true;
	*ret_link = link;
	link = NULL;
out:
	worker_link_destroy(link);
	return rc;
}

void worker_link_destroy(struct worker_link *link)
{
	uint64_t one = 1;

	if (!link)
		return;
	if (link->has_thread &&
	    write(link->wake_fd, &one, sizeof(one)) == sizeof(one))
		(void)pthread_join(link->thread, NULL);
	if (link->wake_fd >= 0)
		(void)close(link->wake_fd);
	if (link->term_fd >= 0)
		(void)close(link->term_fd);
	buf_finish(&link->line);
	mem_free(link);
}

enum trainer_order worker_link_order(struct worker_link *link)
{
	enum trainer_order order =
	    (enum trainer_order)atomic_load(&link->order);

	if (order == ORDER_NONE && atomic_exchange(&link->checkpoint, 0))
		return ORDER_CHECKPOINT;
	return order;
}

struct json_writer *worker_link_begin(struct worker_link *link,
				      const char *type)
{
	buf_reset(&link->line);
	json_write_init(&link->writer, &link->line);
	json_write_object(&link->writer, NULL);
	json_write_string(&link->writer, "type", type);
	return &link->writer;
}

void worker_link_end(struct worker_link *link)
{
	json_write_object_end(&link->writer);
	buf_putc(&link->line, '\n');
	if (buf_check(&link->line, "an event", NULL) ||
	    file_write_fd(link->out_fd, "the supervisor", link->line.data,
			  link->line.len, NULL))
		raise_order(link, ORDER_STOP);
}

void worker_link_state(struct worker_link *link, const char *state)
{
	struct json_writer *writer = worker_link_begin(link, "state");

	json_write_string(writer, "state", state);
	worker_link_end(link);
}

void worker_link_warning(struct worker_link *link, const char *code,
			 const char *message)
{
	struct json_writer *writer = worker_link_begin(link, "warning");

	json_write_string(writer, "code", code);
	json_write_string(writer, "message", message);
	worker_link_end(link);
}
