/* SPDX-License-Identifier: Apache-2.0 */
#include "server/gathering.h"

static struct gathered *find(struct gathering *gathering,
			     const struct batcher *batcher)
{
	for (unsigned i = 0; i < gathering->n; i++)
		if (gathering->model[i].batcher == batcher)
			return &gathering->model[i];
	return NULL;
}

bool gathering_add(struct gathering *gathering, struct batcher *batcher,
		   struct infer_call *call)
{
	struct gathered *model = find(gathering, batcher);

	if (model)
		return batcher_gather(batcher, call, &model->calls,
				      gathering->n_expected);
	if (gathering->n == GATHERING_MODELS)
		return false;
	model = &gathering->model[gathering->n];
	model->batcher = batcher;
	batch_queue_init(&model->calls);
	if (!batcher_gather(batcher, call, &model->calls,
			    gathering->n_expected))
		return false;
	gathering->n++;
	return true;
}

void gathering_run(struct gathering *gathering)
{
	for (unsigned i = 0; i < gathering->n; i++)
		batcher_run_gathered(gathering->model[i].batcher,
				     &gathering->model[i].calls);
	gathering->n = 0;
}
