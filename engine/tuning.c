/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/tuning.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "engine/tuning_priv.h"

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "tuning: out of memory");
}

enum err_code tuning_create(const char *path, struct tuning **ret_tuning,
			    struct err *err)
{
	struct tuning *tuning = mem_zero(sizeof(*tuning));
	enum err_code rc = ERR_NONE;

	if (!tuning)
		return no_memory(err);
	(void)pthread_mutex_init(&tuning->lock, NULL);
	(void)pthread_mutex_init(&tuning->file_lock, NULL);
	if (path) {
		tuning->path = mem_strdup(path);
		rc = tuning->path ? tuning_read(tuning, err) : no_memory(err);
	}
	if (rc)
		tuning_destroy(tuning);
	else
		*ret_tuning = tuning;
	return rc;
}

void tuning_destroy(struct tuning *tuning)
{
	if (!tuning)
		return;
	for (size_t i = 0; i < tuning->n; i++)
		mem_free(tuning->answer[i]);
	mem_free(tuning->path);
	(void)pthread_mutex_destroy(&tuning->lock);
	(void)pthread_mutex_destroy(&tuning->file_lock);
	mem_free(tuning);
}

/* slots are twice as many as answers */
static size_t first_slot(const char *question)
{
	return hash_mix(HASH_BEGIN, question, strlen(question)) % TUNING_SLOTS;
}

/* The slot of a question, or the free one where it would be. */
static int32_t *slot_of(struct tuning *tuning, const char *question)
{
	size_t i = first_slot(question);

	while (tuning->slot[i] &&
	       strcmp(tuning->answer[tuning->slot[i] - 1]->question,
		      question) != 0)
		i = (i + 1) % TUNING_SLOTS;
	return &tuning->slot[i];
}

bool tuning_find(struct tuning *tuning, const char *question,
		 struct tuning_choice *ret)
{
	int32_t slot;

	(void)pthread_mutex_lock(&tuning->lock);
	slot = *slot_of(tuning, question);
	if (slot)
		*ret = tuning->answer[slot - 1]->choice;
	(void)pthread_mutex_unlock(&tuning->lock);
	return slot && ret->kernel[0];
}

/* Under the lock. Where there is no room or no memory the answer is lost, and
 * who comes next predicts the same. */
static struct answer *add(struct tuning *tuning, int32_t *slot,
			  const char *question)
{
	const size_t len = strlen(question);
	struct answer *answer;

	if (tuning->n == TUNING_CHOICES)
		return NULL;
	answer = mem_zero(sizeof(*answer) + len + 1);
	if (!answer)
		return NULL;
	memcpy(answer->question, question, len + 1);
	tuning->answer[tuning->n++] = answer;
	*slot = (int32_t)tuning->n;
	return answer;
}

void tuning_settle(struct tuning *tuning, const char *question,
		   const struct tuning_choice *choice,
		   struct tuning_choice *ret)
{
	struct answer *answer;
	int32_t *slot;

	*ret = *choice;
	(void)pthread_mutex_lock(&tuning->lock);
	slot = slot_of(tuning, question);
	answer =
	    *slot ? tuning->answer[*slot - 1] : add(tuning, slot, question);
	if (answer && !answer->choice.kernel[0]) {
		answer->choice = *choice;
		tuning->is_changed |= choice->us > 0;
	}
	if (answer)
		*ret = answer->choice;
	(void)pthread_mutex_unlock(&tuning->lock);
}

void tuning_forget(struct tuning *tuning, const char *question,
		   const char *kernel)
{
	int32_t slot;

	(void)pthread_mutex_lock(&tuning->lock);
	slot = *slot_of(tuning, question);
	if (slot && !strcmp(tuning->answer[slot - 1]->choice.kernel, kernel))
		tuning->answer[slot - 1]->choice = (struct tuning_choice){ 0 };
	(void)pthread_mutex_unlock(&tuning->lock);
}

size_t tuning_count(struct tuning *tuning)
{
	size_t n = 0;

	(void)pthread_mutex_lock(&tuning->lock);
	for (size_t i = 0; i < tuning->n; i++)
		n += tuning->answer[i]->choice.kernel[0] != '\0';
	(void)pthread_mutex_unlock(&tuning->lock);
	return n;
}
