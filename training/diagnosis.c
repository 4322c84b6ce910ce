/* SPDX-License-Identifier: Apache-2.0 */
#include "training/diagnosis.h"

#include <math.h>
#include <stddef.h>

static const struct {
	const char *name, *text;
} rows[] = {
	[DIAGNOSIS_OK] = { "ok", NULL },
	[DIAGNOSIS_UNDERFITTING] = { "underfitting",
				     "the training loss is hardly below that "
				     "of "
				     "a predictor that knows no inputs: a "
				     "larger network, another learning rate or "
				     "more epochs may help" },
	[DIAGNOSIS_OVERFITTING] = { "overfitting",
				    "the validation loss rises while the "
				    "training loss falls: more data, weight "
				    "decay, dropout, augmentation or early "
				    "stopping may help" },
	[DIAGNOSIS_DIVERGING] = { "diverging",
				  "the loss grows beyond bounds: a lower "
				  "learning rate or gradient_clipping may "
				  "help" },
	[DIAGNOSIS_PLATEAU] = { "plateau",
				"the validation loss stands still: a lower "
				"learning rate may help, or the run is "
				"done" },
};

const char *diagnosis_name(enum diagnosis diagnosis)
{
	return rows[diagnosis].name;
}

const char *diagnosis_text(enum diagnosis diagnosis)
{
	return rows[diagnosis].text;
}

static void remember(struct diagnosis_watch *w,
		     const struct diagnosis_figures *f)
{
	if (!(f->train_loss >= w->best_train))
		w->best_train = f->train_loss;
	w->gap = f->valid_loss - f->train_loss;
	if (isnan(f->valid_loss)) {
		w->n++;
		return;
	}
	if (w->n == 0 || f->valid_loss < w->best_valid) {
		w->best_valid = f->valid_loss;
		w->train_then = f->train_loss;
		w->best_epoch = f->epoch;
		w->n_above = 0;
	} else {
		w->n_above++;
	}
	if (w->n == 0 ||
	    f->valid_loss < w->landmark - 0.01 * fabs(w->landmark)) {
		w->landmark = f->valid_loss;
		w->n_level = 0;
	} else {
		w->n_level++;
	}
	w->n++;
}

void diagnosis_observe(struct diagnosis_watch *w,
		       const struct diagnosis_figures *f)
{
	double high;
	bool grows;

	if (w->n == 0)
		w->best_train =
		    isfinite(f->start_loss) ? f->start_loss : f->train_loss;
	/* losses of any sign: four times the way up from a best of 0 */
	high = w->best_train + (DIAGNOSIS_TIMES - 1) * fabs(w->best_train);
	grows = f->train_loss > high && !(f->train_loss <= f->trivial_loss);
	if (!isfinite(f->train_loss) || isinf(f->valid_loss)) {
		w->name = DIAGNOSIS_DIVERGING;
		return;
	}
	remember(w, f);
	if (grows)
		w->name = DIAGNOSIS_DIVERGING;
	else if (w->n >= DIAGNOSIS_EVALS &&
		 w->best_train >= DIAGNOSIS_NEAR * f->trivial_loss)
		w->name = DIAGNOSIS_UNDERFITTING; /* what is noise overfits */
	else if (w->n_above >= DIAGNOSIS_EVALS && f->train_loss < w->train_then)
		w->name = DIAGNOSIS_OVERFITTING;
	else if (w->n_level >= DIAGNOSIS_LONG)
		w->name = DIAGNOSIS_PLATEAU;
	else
		w->name = DIAGNOSIS_OK;
}
