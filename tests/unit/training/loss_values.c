/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Losses of jobs against PyTorch: the value, and the gradient as what one step
 * of gradient descent takes away. The training step and the evaluation agree.
 *
 * The table is of PyTorch 2 with the same parameters (F.nll_loss, F.kl_div,
 * ...), and of what it does not have by the formula, differentiated by it; the
 * next row is torch.roll(t, -1, 0).
 */
#include <criterion/criterion.h>
#include <math.h>

#include "base/str.h"
#include "engine/kernels/blas.h"
#include "tests/unit/training/loss_base.h"
#include "training/loss.h"
#include "training/stepper.h"

enum { TABLE_ROWS = 5, TABLE_WIDTH = 4 };

/* clang-format off */
static const double table_x[] = {
	-1.23000002, 0.592999995, 1.34800005, -2.08299994, 0.298000008, 1.17299998, 1.55900002,
	-1.08700001, -1.273, -1.82500005, -0.122000001, 2.04200006, -3.09200001, 1.01100004,
	-1.98500001, -2.03999996, -1.29999995, -0.846000016, -3.08500004, -0.535000026
};
static const double table_log_p[] = {
	-3.03399992, -1.21099997, -0.456, -3.88700008, -1.97099996, -1.09599996, -0.709999979,
	-3.35599995, -3.47399998, -4.02600002, -2.32299995, -0.158999994, -4.21099997,
	-0.108000003, -3.10400009, -3.15899992, -1.58700001, -1.13300002, -3.37199998,
	-0.822000027
};
static const double table_p[] = {
	0, 0.643999994, 0.79400003, 0.111000001, 0.574000001, 1, 0.825999975, 0.252000004,
	0.218999997, 0.138999999, 0.469999999, 0.88499999, 0.0430000015, 0.73299998, 0.120999999,
	0.115000002, 0.214000002, 0.300000012, 0.0439999998, 0.368999988
};
static const double table_r[] = {
	0.957000017, -0.662, -0.828000009, -0.606000006, -0.381999999, -1.16700006, 0.363999993,
	-0.316000015, -0.532000005, 0.298999995, -1.41999996, -0.163000003, 0.689999998,
	-0.143999994, 1.61199999, 1.56700003, -0.93900001, -1.23699999, -0.063000001, 0.449999988
};
static const double table_bits[] = {
	1, 0, 0, 1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0
};
static const double table_soft[] = {
	0.726000011, 0.47299999, 0.0439999998, 0.153999999, 0.195999995, 0.885999978, 0.726000011,
	0.887000024, 0.128000006, 0.0130000003, 0.172000006, 0.552999973, 0.400999993,
	0.185000002, 0.864000022, 0.338999987, 0.210999995, 0.731000006, 0.36500001, 0.819000006
};
static const double table_shares[] = {
	0, 0.181999996, 0.465000004, 0.272000015, 0.433999985, 0.245000005, 0.064000003,
	0.256999999, 0.370000005, 0.535000026, 0.0219999999, 0.0729999989, 0.213, 0.0410000011,
	0.075000003, 0.670000017, 0.165999994, 0.564999998, 0.0989999995, 0.170000002
};
static const int64_t table_classes[] = {
	0, 3, 1, 1, 2
};

static const struct loss_row {
	const char *spec, *feature;
	const double *x;
	const void *t;
	double loss, grad[TABLE_ROWS * TABLE_WIDTH];
} table[] = {
	{ "{type: cross_entropy, weight: [1, 2, 0.5, 3], ignore_index: 2, label_smoothing: 0.1}",
	  "category", table_x, table_classes,
	  2.593313,
	  { -0.10923588, 0.03330119, 0.082587071, -0.0066523771, 0.046722472, 0.11332788,
	    0.17434667, -0.33439696, 0.0044793379, -0.22687143, 0.022477495, 0.1999146,
	    0.00051409868, -0.011005921, 0.0094467541, 0.0010450939, 0, 0, 0, 0 } },
	{ "{type: nll}",
	  "category", table_log_p, table_classes,
	  2.7792001,
	  { -0.2, 0, 0, 0, 0, 0, 0, -0.2, 0, -0.2, 0, 0, 0, -0.2, 0, 0, 0, 0, -0.2, 0 } },
	{ "{type: nll, weight: [1, 2, 0.5, 3], ignore_index: 1}",
	  "category", table_log_p, table_classes,
	  3.2862222,
	  { -0.22222222, 0, 0, 0, 0, 0, 0, -0.66666669,
	    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -0.11111111, 0 } },
	{ "{type: binary_cross_entropy_with_logits, pos_weight: [1, 2, 0.5, 3]}",
	  "category", table_x, table_classes,
	  1.1463983,
	  { -0.038690928, 0.032202661, 0.039690126, 0.0055380077, 0.028697675, 0.038184341,
	    0.041310489, -0.11217246, 0.010937206, -0.086116508, 0.023476889, 0.044256844,
	    0.0021719229, -0.026678419, 0.0060393424, 0.0057533369, 0.010708252, 0.015013631,
	    -0.023906743, 0.018467573 } },
	{ "{type: dice, smooth: 0.5}",
	  "category", table_x, table_classes,
	  0.68968773,
	  { -0.0110041, 0.0059919194, 0.0048759612, 0.00013621991, 0.0028566988, 0.0037874777,
	    -0.00053678552, -0.0061073927, 0.00073296885, -0.0017840909, 0.00020065738,
	    0.0008504648, 0.0016748367, -0.0096060429, 0.0040975614, 0.003833649, 0.0040406971,
	    0.0034097184, -0.006183451, -0.0012669653 } },
	{ "{type: focal, gamma: 2}",
	  "category", table_x, table_classes,
	  2.5810094,
	  { -0.2254083, 0.070518337, 0.15003562, 0.0048543387, 0.032247264, 0.077357166, 0.11379895,
	    -0.22340333, 0.0068554487, -0.21720631, 0.021672491, 0.18867835, 8.966824e-05,
	    -0.00061769201, 0.00027127058, 0.00025675353, 0.047267269, 0.074426942, -0.22327128,
	    0.10157708 } },
	{ "{type: hinge, margin: 0.5}",
	  "category", table_x, table_classes,
	  1.5694001,
	  { -0.1, 0.050000001, 0.050000001, 0, 0.050000001, 0.050000001, 0.050000001, -0.15000001,
	    0.050000001, -0.15000001, 0.050000001, 0.050000001, 0, 0, 0, 0, 0.050000001,
	    0.050000001, -0.15000001, 0.050000001 } },
	{ "{type: mse}",
	  "vector", table_x, table_r,
	  4.2407284,
	  { -0.21870001, 0.12550001, 0.21760002, -0.1477, 0.068000004, 0.23400001, 0.1195,
	    -0.077100001, -0.074100003, -0.2124, 0.12980001, 0.22050002, -0.37820002, 0.1155,
	    -0.35970002, -0.36069998, -0.036099996, 0.039099999, -0.30220002, -0.098500006 } },
	{ "{type: mae}",
	  "vector", table_x, table_r,
	  1.76745,
	  { -0.050000001, 0.050000001, 0.050000001, -0.050000001, 0.050000001, 0.050000001,
	    0.050000001, -0.050000001, -0.050000001, -0.050000001, 0.050000001, 0.050000001,
	    -0.050000001, 0.050000001, -0.050000001, -0.050000001, -0.050000001, 0.050000001,
	    -0.050000001, -0.050000001 } },
	{ "{type: huber, delta: 0.7}",
	  "vector", table_x, table_r,
	  0.99748504,
	  { -0.035, 0.035, 0.035, -0.035, 0.034000002, 0.035, 0.035, -0.035, -0.035, -0.035, 0.035,
	    0.035, -0.035, 0.035, -0.035, -0.035, -0.018049998, 0.019549999, -0.035, -0.035 } },
	{ "{type: smooth_l1, beta: 0.7}",
	  "vector", table_x, table_r,
	  1.4249787,
	  { -0.050000001, 0.050000001, 0.050000001, -0.050000001, 0.04857143, 0.050000001,
	    0.050000001, -0.050000001, -0.050000001, -0.050000001, 0.050000001, 0.050000001,
	    -0.050000001, 0.050000001, -0.050000001, -0.050000001, -0.025785713, 0.02792857,
	    -0.050000001, -0.050000001 } },
	{ "{type: binary_cross_entropy}",
	  "vector", table_p, table_soft,
	  5.014514,
	  { -3.6300001e+10, 0.037293252, 0.22926807, -0.021787817, 0.077293031, 5.7000008e+09,
	    0.034788884, -0.16843858, 0.026602115, 0.052640814, 0.059815336, 0.16310489,
	    -0.43498331, 0.14000234, -0.34928876, -0.11004666, 0.000891776, -0.10261904,
	    -0.38156146, -0.0966333 } },
	{ "{type: binary_cross_entropy_with_logits}",
	  "vector", table_x, table_soft,
	  0.8920126,
	  { -0.024990927, 0.0085526612, 0.037490122, -0.0021619922, 0.018897677, -0.0061156573,
	    0.0050104884, -0.031740822, 0.0045372061, 0.0062917494, 0.01487689, 0.016606843,
	    -0.017878076, 0.02741079, -0.037160657, -0.011196663, 0.00015825182, -0.021536369,
	    -0.016063487, -0.022482427 } },
	{ "{type: binary_cross_entropy_with_logits, pos_weight: [1, 2, 0.5, 3]}",
	  "vector", table_x, table_bits,
	  1.5004724,
	  { -0.038690928, 0.032202661, 0.039690126, -0.13338599, -0.021302324, -0.023631316,
	    -0.0043447553, 0.012609181, -0.039062791, 0.0069417492, 0.023476889, 0.044256844,
	    0.0021719229, 0.03666079, -0.021980328, -0.13273999, -0.039291747, -0.069972739,
	    0.0021865123, 0.018467573 } },
	{ "{type: binary_cross_entropy_with_logits, pos_weight: 2.5}",
	  "vector", table_x, table_bits,
	  2.041373,
	  { -0.096727327, 0.032202661, 0.039690126, -0.11115499, -0.053255808, -0.029539144,
	    -0.021723771, 0.012609181, -0.09765698, 0.0069417492, 0.023476889, 0.044256844,
	    0.0021719229, 0.03666079, -0.10990164, -0.11061666, -0.098229371, -0.087465927,
	    0.0021865123, 0.018467573 } },
	{ "{type: dice}",
	  "vector", table_x, table_bits,
	  0.50969476,
	  { -0.012092219, 0.0033662941, 0.0024034833, -0.0068047531, -0.0089154765, -0.0065798201,
	    -0.0052351183, 0.0048814444, -0.014848926, 0.0024942749, 0.0051961779, 0.0021210464,
	    0.00075963844, 0.0035761152, -0.0086451517, -0.0082893241, -0.01271323, -0.015871596,
	    0.0011000464, 0.0061273957 } },
	{ "{type: dice, batch: true, smooth: 0.1}",
	  "vector", table_x, table_bits,
	  0.60766816,
	  { -0.015681757, 0.0050125942, 0.0035789167, -0.0088247219, -0.021909492, -0.016169695,
	    -0.012865133, 0.004123515, -0.015311873, 0.0026142132, 0.0054460387, 0.0022230381,
	    0.00090853788, 0.0042770822, -0.0095150797, -0.0091234464, -0.015079208, -0.018825358,
	    0.00091436179, 0.0050931084 } },
	{ "{type: focal}",
	  "vector", table_x, table_bits,
	  0.25884095,
	  { -0.01082486, 0.021457125, 0.034143377, -0.013607485, -0.0024127334, -0.00045239797,
	    -0.00018470967, 0.0016379566, -0.011033593, 0.00028643123, 0.0094428575, 0.040611051,
	    9.0854646e-06, 0.028994966, -0.013429549, -0.013533434, -0.011161165, -0.008704327,
	    9.2688333e-06, 0.0048641646 } },
	{ "{type: focal, gamma: 1.5, alpha: -1}",
	  "vector", table_x, table_bits,
	  0.70304853,
	  { -0.043501068, 0.030898036, 0.045339826, -0.052611094, -0.01257024, -0.0031312238,
	    -0.0014866127, 0.0036609101, -0.044192739, 0.00085850025, 0.015668968, 0.052379467,
	    4.850814e-05, 0.039615802, -0.052027408, -0.05236771, -0.044614449, -0.036336616,
	    4.9322291e-05, 0.0090400111 } },
	{ "{type: hinge}",
	  "vector", table_x, table_bits,
	  1.4398,
	  { -0.050000001, 0.050000001, 0.050000001, -0.050000001, -0.050000001, -0, -0, 0,
	    -0.050000001, 0, 0.050000001, 0.050000001, 0, 0.050000001, -0.050000001, -0.050000001,
	    -0.050000001, -0.050000001, 0, 0.050000001 } },
	{ "{type: quantile, quantile: 0.8}",
	  "vector", table_x, table_r,
	  1.03311,
	  { -0.040000003, 0.010000001, 0.010000001, -0.040000003, 0.010000001, 0.010000001,
	    0.010000001, -0.040000003, -0.040000003, -0.040000003, 0.010000001, 0.010000001,
	    -0.040000003, 0.010000001, -0.040000003, -0.040000003, -0.040000003, 0.010000001,
	    -0.040000003, -0.040000003 } },
	{ "{type: kl_div}",
	  "vector", table_log_p, table_shares,
	  1.2695701,
	  { -0, -0.036400001, -0.093000002, -0.054400004, -0.086800002, -0.049000002, -0.012800001,
	    -0.051400002, -0.074000001, -0.10700001, -0.0044, -0.0146, -0.042600002, -0.0082,
	    -0.015000001, -0.134, -0.033199999, -0.113, -0.0198, -0.034000002 } },
	{ "{type: kl_div, reduction: mean}",
	  "vector", table_log_p, table_shares,
	  0.31739253,
	  { -0, -0.0091000004, -0.023250001, -0.013600001, -0.0217, -0.012250001, -0.0032000002,
	    -0.012850001, -0.0185, -0.026750002, -0.0011, -0.0036500001, -0.010650001, -0.00205,
	    -0.0037500001, -0.033500001, -0.0082999999, -0.02825, -0.00495, -0.0085000005 } },
	{ "{type: kl_div, log_target: true}",
	  "vector", table_log_p, table_r,
	  17.251202,
	  { -0.52077466, -0.10316373, -0.087384455, -0.10910573, -0.13649902, -0.062259883,
	    -0.28781483, -0.1458119, -0.11748578, -0.26970193, -0.048342805, -0.16991824,
	    -0.39874312, -0.17317756, -1.0025654, -0.95845002, -0.07820373, -0.058050733,
	    -0.1877887, -0.31366244 } },
	{ "{type: kl_div, log_target: true, reduction: mean}",
	  "vector", table_log_p, table_r,
	  4.3128004,
	  { -0.13019367, -0.025790934, -0.021846114, -0.027276432, -0.034124754, -0.015564971,
	    -0.071953706, -0.036452975, -0.029371446, -0.067425482, -0.012085701, -0.04247956,
	    -0.099685781, -0.043294389, -0.25064135, -0.2396125, -0.019550933, -0.014512683,
	    -0.046947174, -0.07841561 } },
	{ "{type: cosine_embedding}",
	  "vector", table_x, table_r,
	  1.1962839,
	  { -0.033625022, 0.025343085, 0.026799675, 0.04441344, 0.023445886, 0.069636405,
	    -0.036307372, 0.029500626, 0.022816697, -0.012491634, 0.060473558, 0.0066729663,
	    0.014644097, -0.0063909506, -0.013556954, -0.012171697, 0.024850775, 0.038313083,
	    -0.017621122, -0.019360185 } },
	{ "{type: cosine_embedding, negatives: true, margin: 0.2}",
	  "vector", table_x, table_r,
	  0.63695848,
	  { -0.023233436, -0.020399809, 0.018974002, 0.020190589, 0.011722943, 0.034818202,
	    -0.018153686, 0.014750313, 0.025769528, -0.0015703291, 0.053321108, 0.017847179,
	    0.0073220483, -0.0031954753, -0.0067784768, -0.0060858484, 0.034389712, 0.0097497422,
	    -0.013855554, -0.019085061 } },
	{ "{type: triplet_margin}",
	  "vector", table_x, table_r,
	  1.5231967,
	  { -0.059738796, -0.056287222, 0.049462028, 0.044598721, -0.0014416091, 0.11359745,
	    -0.093471698, 0.00061335042, 0.081204712, -0.017897055, 0.18635356, 0.099265948,
	    -0.019989431, -0.065777257, -0.02469191, 0.00066865981, 0.11874878, 0.035772555,
	    -0.046391398, -0.065568872 } },
	{ "{type: triplet_margin, margin: 2, swap: true}",
	  "vector", table_x, table_r,
	  3.401649,
	  { -0.12005203, 0.068891399, 0.1194483, -0.081077643, 0.048202567, 0.16587336, 0.084708862,
	    -0.054653049, 0.081204712, -0.017897055, 0.18635356, 0.099265948, -0.11729401,
	    0.03582092, -0.11155646, -0.11186659, -0.022403391, 0.024265302, -0.18754357,
	    -0.061128486 } },
	{ "{type: triplet_margin, p: 1, margin: 0.5}",
	  "vector", table_x, table_r,
	  1.5138005,
	  { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.40000001,
	    0, 0, 0, 0, 0, 0, 0.40000001, 0, -0.40000001 } },
	{ "{type: triplet_margin, p: 3, eps: 0.01, swap: true}",
	  "vector", table_x, table_r,
	  2.2040055,
	  { -0.10815464, 0.036518194, 0.10905074, -0.0491121, 0.015319115, 0.1776934, 0.046720732,
	    -0.018633947, 0.10057452, -0.027380861, 0.13106385, 0.11450887, -0.10172968,
	    0.0097041195, -0.091995604, -0.092509247, -0.0026495645, 0.0034581912, -0.19510587,
	    -0.020444177 } },
	{ "{type: wasserstein}",
	  "vector", table_x, table_r,
	  1.0506263,
	  { -0.14285715, 0.07692308, 0.07692308, 0.07692308, 0.07692308, 0.07692308, -0.14285715,
	    0.07692308, 0.07692308, -0.14285715, 0.07692308, 0.07692308, -0.14285715, 0.07692308,
	    -0.14285715, -0.14285715, 0.07692308, 0.07692308, 0.07692308, -0.14285715 } },
	{ "{type: wasserstein, role: generator}",
	  "vector", table_x, table_r,
	  0.62394994,
	  { -0.050000001, -0.050000001, -0.050000001, -0.050000001, -0.050000001, -0.050000001,
	    -0.050000001, -0.050000001, -0.050000001, -0.050000001, -0.050000001, -0.050000001,
	    -0.050000001, -0.050000001, -0.050000001, -0.050000001, -0.050000001, -0.050000001,
	    -0.050000001, -0.050000001 } },
};
/* clang-format on */

enum { N = TABLE_ROWS * TABLE_WIDTH };

static void read_loss(const struct loss_row *row, struct train_loss *ret,
		      struct arena *arena)
{
	struct err err = { 0 };
	struct loss loss;
	struct doc *map;

	cr_assert_eq(doc_parse_yaml(row->spec, strlen(row->spec), "loss", arena,
				    &map, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_eq(
	    loss_read(map, row->feature, TABLE_WIDTH, &loss, arena, &err),
	    ERR_NONE, "%s: %s", row->spec, err.msg);
	cr_assert_eq(loss_for_step(&loss, TABLE_WIDTH, arena, ret, &err),
		     ERR_NONE, "%s: %s", row->spec, err.msg);
}

static void make_optimizer(struct optimizer *ret, struct arena *arena)
{
	struct doc *sgd = doc_new(arena, DOC_MAP);
	struct err err = { 0 };

	doc_add(sgd, "type", doc_new_text(arena, "sgd"));
	cr_assert_eq(optimizer_read(sgd, ret, arena, &err), ERR_NONE);
}

struct bench {
	float x[N], t[N], w[N];
	struct stepper_batch batch;
	void *input;
};

static void fill(struct bench *bench, const struct loss_row *row, bool is_class)
{
	for (int i = 0; i < N; i++) {
		bench->x[i] = (float)row->x[i];
		bench->w[i] = 0;
		bench->t[i] = is_class ? 0 : (float)((const double *)row->t)[i];
	}
	bench->input = bench->x;
	bench->batch =
	    (struct stepper_batch){ TABLE_ROWS, &bench->input,
				    is_class ? row->t : (const void *)bench->t,
				    false };
}

static void expect_near(const char *spec, const char *what, double got,
			double want)
{
	cr_expect(fabs(got - want) <= 1e-5 * fmax(1, fabs(want)),
		  "%s: %s is %.8g, not %.8g", spec, what, got, want);
}

static void compare(struct stepper *stepper, const struct bench *bench,
		    const struct graph *base, const struct loss_row *row)
{
	const struct stepper_update update = { .step = 1,
					       .draw = 1,
					       .share = 1,
					       .rate = 1,
					       .momentum = (double)NAN };
	struct stepper_result result;
	struct err err = { 0 };
	const float *w;

	cr_assert_eq(stepper_evaluate(stepper, &bench->batch, &result, &err),
		     ERR_NONE, "%s: %s", row->spec, err.msg);
	expect_near(row->spec, "the evaluation's loss", result.loss, row->loss);
	cr_assert_eq(
	    stepper_step(stepper, &bench->batch, &update, &result, &err),
	    ERR_NONE, "%s: %s", row->spec, err.msg);
	expect_near(row->spec, "the step's loss", result.loss, row->loss);
	w = base->variable[0].view.data;
	for (int i = 0; i < N; i++)
		expect_near(row->spec, "a slope", -(double)w[i], row->grad[i]);
}

static void check(const struct loss_row *row)
{
	const bool is_class = str_equal(row->feature, "category");
	struct arena *arena = arena_create(1 << 20);
	struct optimizer optimizer;
	struct stepper_port in = { DTYPE_F32, { 1, { TABLE_WIDTH } } };
	struct stepper_options options = {
		.optimizer = &optimizer,
		.input = &in,
		.n_inputs = 1,
		.target = { is_class ? DTYPE_I64 : DTYPE_F32,
			    { is_class ? 0 : 1, { TABLE_WIDTH } } },
		.threads = 1,
	};
	struct stepper *stepper;
	struct bench bench;
	struct err err = { 0 };
	struct graph *base;

	fill(&bench, row, is_class);
	base = loss_base(TABLE_ROWS, TABLE_WIDTH, bench.w);
	make_optimizer(&optimizer, arena);
	read_loss(row, &options.loss, arena);
	cr_assert_eq(stepper_create(base, &options, &stepper, &err), ERR_NONE,
		     "%s: %s", row->spec, err.msg);
	compare(stepper, &bench, base, row);
	stepper_destroy(stepper);
	graph_destroy(base);
	arena_destroy(arena);
}

Test(loss_values, agree_with_pytorch)
{
	struct err err = { 0 };

	cr_assert_eq(blas_init(&err), ERR_NONE);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		check(&table[i]);
}

/* A kind that no row of the table tests would be believed unseen. */
Test(loss_values, every_kind_is_in_the_table)
{
	for (const struct loss_kind *kind = loss_kinds(); kind->name; kind++) {
		const char *feature =
		    kind->of & LOSS_OF_CATEGORY ? "category" : "vector";
		char begin[80];
		/* a text's are a category's, of each token */
		bool is_there = kind->of == LOSS_OF_TEXT;

		(void)snprintf(begin, sizeof(begin), "{type: %s", kind->name);
		for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
			const size_t n = strlen(begin);

			if (str_equal(table[i].feature, feature) &&
			    !strncmp(table[i].spec, begin, n) &&
			    strchr(",}", table[i].spec[n]))
				is_there = true;
		}
		cr_expect(is_there, "%s of a %s", kind->name, feature);
	}
}
