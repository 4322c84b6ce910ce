/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The rows of optimizer.c, with their cases.
 */
#include "engine/ops/optimizer_priv.h"

static const struct port optimizer_in[] = {
	{ "param", "float", 0 },	  { "m0", "float", PORT_OPTIONAL },
	{ "m1", "float", PORT_OPTIONAL }, { "m2", "float", PORT_OPTIONAL },
	{ "grad", "float", 0 },		  { "norm", "float", 0 },
	{ "hyper", "float", 0 },	  { 0 },
};
static const struct port optimizer_out[] = {
	{ "param_out", "float", 0 },
	{ "m0_out", "float", PORT_OPTIONAL },
	{ "m1_out", "float", PORT_OPTIONAL },
	{ "m2_out", "float", PORT_OPTIONAL },
	{ 0 },
};

/* clang-format off */
#define SEGMENTS \
	{ .name = "segments", .help = "(first, last + 1, group) triples, rising", \
	  .offset = offsetof(struct optimizer_attrs, segments), .kind = ATTR_INTS }
#define ROWS \
	{ .name = "rows", .help = "widths of rows: those without a gradient stay; 0: none", \
	  .offset = offsetof(struct optimizer_attrs, rows), .kind = ATTR_INTS }
#define FLAG(member, text) \
	{ .name = #member, .help = text, \
	  .offset = offsetof(struct optimizer_attrs, member), .kind = ATTR_INT, .max = 1 }

static const struct op_attr adam_attrs[] = {
	SEGMENTS,
	ROWS,
	FLAG(amsgrad, "1: divides by the largest square average so far"),
	FLAG(decoupled, "1: weight decay as in AdamW"),
	{ 0 },
};
static const struct op_attr kin_attrs[] = {
	SEGMENTS,
	ROWS,
	FLAG(decoupled, "1: weight decay as in AdamW"),
	{ 0 },
};
static const struct op_attr scaled_attrs[] = {
	SEGMENTS,
	FLAG(decoupled, "1: weight decay as in AdamW"),
	{ 0 },
};
static const struct op_attr muon_attrs[] = {
	SEGMENTS,
	{ .name = "columns", .help = "of each segment's matrix; 0: it is none, and goes by Adam",
	  .offset = offsetof(struct optimizer_attrs, columns), .kind = ATTR_INTS },
	FLAG(decoupled, "1: weight decay as in AdamW"),
	{ 0 },
};
static const struct op_attr rmsprop_attrs[] = {
	SEGMENTS,
	ROWS,
	FLAG(momentum, "1: with a momentum buffer"),
	FLAG(centered, "1: subtracts the squared gradient average"),
	FLAG(decoupled, "1: weight decay shrinks the parameter, not the gradient"),
	{ 0 },
};
static const struct op_attr sgd_attrs[] = {
	SEGMENTS,
	ROWS,
	FLAG(momentum, "1: with a momentum buffer"),
	FLAG(nesterov, "1: looks ahead by the momentum"),
	FLAG(decoupled, "1: weight decay shrinks the parameter, not the gradient"),
	{ 0 },
};

/* columns: rate l2 keep mu fresh square sfresh eps root max_norm max_value l1 own */
#define HYPER_ONE "float[1,16]={0.1, 0.01, 1, 0.9, 0.1, 0.99, 0.01, 1e-8, 2, 0, 0, " \
		  "0.02, 0.5, 1.2, 0.01, 5}"
#define HYPER_TWO "float[2,16]={0.1, 0, 0.999, 0.9, 0.1, 0.99, 0.01, 1e-8, 2, 1, 0, 0, " \
		  "0.5, 1.2, 0.01, 5, " \
		  "0.2, 0, 1, 0.8, 0.2, 0.98, 0.02, 1e-5, 0, 0, 0.5, 0, 0.3, 1.1, 1, 2}"

static const struct op_case adam_cases[] = {
	{ .name = "one segment",
	  .graph = "p, m, v = predictd.Adam<segments=[0,5,0]>(w:float[5], a:float[5], "
	  "s:float[5]={1,2,3,4,5}, , g:float[5], n:float[]={2}, h:" HYPER_ONE ")" },
	{ .name = "two groups with a gap",
	  .graph = "p, m, v = predictd.Adam<segments=[1,4,1, 6,9,0]>(w:float[9], a:float[9], "
	  "s:float[9]={1,2,3,4,5,4,3,2,1}, , g:float[9], n:float[]={2}, h:" HYPER_TWO ")" },
	{ .name = "amsgrad",
	  .graph = "p, m, v, t = predictd.Adam<segments=[0,3,0], "
		   "amsgrad=1>(w:float[3], a:float[3], "
	  "s:float[3]={1,2,3}, l:float[3]={3,2,1}, g:float[3], n:float[]={2}, h:" HYPER_ONE ")" },
	{ .name = "rows without a gradient",
	  .graph = "p, m, v = predictd.Adam<segments=[0,2,0, 2,8,0], rows=[0,3]>(w:float[8], "
	  "a:float[8], s:float[8]={1,2,3,4,5,4,3,2}, , g:float[8]={0,1,0,0,0,0,2,0}, "
	  "n:float[]={2}, h:" HYPER_ONE ")" },
	{ .name = "rows that are not whole",
	  .graph = "p, m, v = predictd.Adam<segments=[0,5,0], rows=[2]>(w:float[5], a:float[5], "
	  "s:float[5], , g:float[5], n:float[]={2}, h:" HYPER_ONE ")", .want = ERR_INVALID },
	{ .name = "rows of too many segments",
	  .graph = "p, m, v = predictd.Adam<segments=[0,4,0], rows=[2,2]>(w:float[4], a:float[4], "
	  "s:float[4], , g:float[4], n:float[]={2}, h:" HYPER_ONE ")", .want = ERR_INVALID },
	{ .name = "a norm that is not finite",
	  .graph = "p, m, v = predictd.Adam<segments=[0,5,0]>(w:float[5], a:float[5], "
	  "s:float[5]={1,2,3,4,5}, , g:float[5], n:float[]={inf}, h:" HYPER_ONE ")" },
	{ .name = "nothing",
	  .graph = "p, m, v = predictd.Adam(w:float[0], a:float[0], s:float[0], , g:float[0], "
	  "n:float[]={2}, h:" HYPER_ONE ")" },
	{ .name = "a moment is missing",
	  .graph = "p, m, v = predictd.Adam(w:float[5], a:float[5], , , g:float[5], "
	  "n:float[]={2}, h:" HYPER_ONE ")", .want = ERR_INVALID },
	{ .name = "a moment too many",
	  .graph = "p, m, v = predictd.Adam(w:float[5], a:float[5], b:float[5], c:float[5], "
	  "g:float[5], n:float[]={2}, h:" HYPER_ONE ")", .want = ERR_INVALID },
	{ .name = "lengths differ",
	  .graph = "p, m, v = predictd.Adam(w:float[5], a:float[5], b:float[5], , g:float[4], "
	  "n:float[]={2}, h:" HYPER_ONE ")", .want = ERR_SHAPE },
	{ .name = "a segment past the end",
	  .graph = "p, m, v = predictd.Adam<segments=[0,6,0]>(w:float[5], a:float[5], "
	  "b:float[5], , g:float[5], n:float[]={2}, h:" HYPER_ONE ")", .want = ERR_INVALID },
	{ .name = "a group that is not there",
	  .graph = "p, m, v = predictd.Adam<segments=[0,5,1]>(w:float[5], a:float[5], "
	  "b:float[5], , g:float[5], n:float[]={2}, h:" HYPER_ONE ")", .want = ERR_INVALID },
	{ 0 },
};
static const struct op_case rmsprop_cases[] = {
	{ .name = "plain",
	  .graph = "p, s = predictd.RMSprop<segments=[0,5,0]>(w:float[5], "
		   "a:float[5]={1,2,3,4,5}, , , "
	  "g:float[5], n:float[]={2}, h:" HYPER_ONE ")" },
	{ .name = "momentum",
	  .graph = "p, s, b = predictd.RMSprop<segments=[0,5,0], momentum=1>(w:float[5], "
	  "a:float[5]={1,2,3,4,5}, c:float[5], , g:float[5], n:float[]={2}, h:" HYPER_ONE ")" },
	{ .name = "centered",
	  .graph = "p, s, b = predictd.RMSprop<segments=[0,3,0], centered=1>(w:float[3], "
	  "a:float[3]={1,2,3}, c:float[3]={0.1,0.2,0.3}, , "
	  "g:float[3], n:float[]={2}, h:" HYPER_ONE ")" },
	{ .name = "both",
	  .graph = "p, s, b, c = predictd.RMSprop<segments=[0,3,0], momentum=1, "
		   "centered=1>(w:float[3], "
	  "a:float[3]={1,2,3}, d:float[3], e:float[3]={0.1,0.2,0.3}, "
	  "g:float[3], n:float[]={2}, h:" HYPER_ONE ")" },
	{ .name = "norm is a vector",
	  .graph = "p, s = predictd.RMSprop(w:float[5], a:float[5], , , "
	  "g:float[5], n:float[1], h:" HYPER_ONE ")", .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case sgd_cases[] = {
	{ .name = "plain",
	  .graph = "p = predictd.Sgd<segments=[0,5,0]>(w:float[5], , , , "
	  "g:float[5], n:float[]={2}, h:" HYPER_ONE ")" },
	{ .name = "momentum",
	  .graph = "p, b = predictd.Sgd<segments=[0,5,0], momentum=1>(w:float[5], "
		   "a:float[5], , , "
	  "g:float[5], n:float[]={2}, h:" HYPER_ONE ")" },
	{ .name = "nesterov",
	  .graph = "p, b = predictd.Sgd<segments=[0,2,1, 2,5,0], momentum=1, "
		   "nesterov=1>(w:float[5], "
	  "a:float[5], , , g:float[5], n:float[]={2}, h:" HYPER_TWO ")" },
	{ .name = "more than a block",
	  .graph = "p, b = predictd.Sgd<segments=[3,1200,0], momentum=1>(w:float[1300], "
	  "a:float[1300], , , g:float[1300], n:float[]={2}, h:" HYPER_TWO ")" },
	{ .name = "rows of slices and blocks",
	  .graph = "p, b = predictd.Sgd<segments=[4,1204,0], rows=[400], momentum=1>"
	  "(w:float[1300], a:float[1300], , , g:float[1300], n:float[]={2}, h:" HYPER_TWO ")" },
	{ .name = "hyper is too narrow",
	  .graph = "p = predictd.Sgd(w:float[5], , , , g:float[5], n:float[]={2}, "
	  "h:float[1,15])", .want = ERR_SHAPE },
	{ 0 },
};
/* Of rules that keep one array, and two: one segment, and two groups with a
 * gap between them. */
#define CASES_ONE(row, text) \
	static const struct op_case row##_cases[] = { \
		{ .name = "one segment", \
		  .graph = "p, m = predictd." text "<segments=[0,5,0]>(w:float[5], " \
		  "a:float[5]={1,2,3,4,5}, , , " \
		  "g:float[5], n:float[]={2}, h:" HYPER_ONE ")" }, \
		{ .name = "two groups with a gap", \
		  .graph = "p, m = predictd." text "<segments=[1,4,1, 6,9,0]>(w:float[9], " \
		  "a:float[9]={1,2,3,4,5,4,3,2,1}, , , " \
		  "g:float[9], n:float[]={2}, h:" HYPER_TWO ")" }, \
		{ 0 }, \
	}
#define CASES_TWO(row, text) \
	static const struct op_case row##_cases[] = { \
		{ .name = "one segment", \
		  .graph = "p, m, v = predictd." text "<segments=[0,5,0]>(w:float[5], " \
		  "a:float[5], s:float[5]={1,2,3,4,5}, , " \
		  "g:float[5], n:float[]={2}, h:" HYPER_ONE ")" }, \
		{ .name = "two groups with a gap", \
		  .graph = "p, m, v = predictd." text "<segments=[1,4,1, 6,9,0]>(w:float[9], " \
		  "a:float[9], s:float[9]={1,2,3,4,5,4,3,2,1}, , " \
		  "g:float[9], n:float[]={2}, h:" HYPER_TWO ")" }, \
		{ 0 }, \
	}
CASES_TWO(adadelta, "Adadelta");
CASES_ONE(adagrad, "Adagrad");
CASES_TWO(adamax, "Adamax");
CASES_TWO(lamb, "Lamb");
CASES_ONE(lars, "Lars");
CASES_ONE(lion, "Lion");
static const struct op_case muon_cases[] = {
	{ .name = "a wide and a tall matrix and a vector",
	  .graph = "p, m, v = predictd.Muon<segments=[0,6,0, 8,14,1, 14,17,0], "
		   "columns=[3,2,0], decoupled=1>(w:float[18], a:float[18], "
		   "s:float[18]={1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9}, , "
		   "g:float[18], n:float[]={2}, h:" HYPER_TWO ")" },
	{ .name = "more than a block",
	  .graph = "p, m, v = predictd.Muon<segments=[0,1200,0], columns=[40]>(w:float[1200], "
		   "a:float[1200], s:float[1200], , g:float[1200], n:float[]={2}, "
		   "h:" HYPER_ONE ")" },
	{ .name = "no matrix, and no gradient",
	  .graph = "p, m, v = predictd.Muon<segments=[0,4,0, 4,8,0], columns=[0,2]>(w:float[8], "
		   "a:float[8]={0,0,0,0,0,0,0,0}, s:float[8]={1,2,3,4,0,0,0,0}, , "
		   "g:float[8]={0,0,0,0,0,0,0,0}, n:float[]={0}, h:" HYPER_ONE ")" },
	{ .name = "a norm that is not finite",
	  .graph = "p, m, v = predictd.Muon<segments=[0,6,0], columns=[3]>(w:float[6], a:float[6], "
		   "s:float[6]={1,2,3,4,5,6}, , g:float[6], n:float[]={inf}, "
		   "h:" HYPER_ONE ")" },
	{ .name = "columns that do not fit",
	  .graph = "p, m, v = predictd.Muon<segments=[0,6,0], columns=[4]>(w:float[6], a:float[6], "
		   "s:float[6], , g:float[6], n:float[]={2}, h:" HYPER_ONE ")",
	  .want = ERR_INVALID },
	{ .name = "columns of some segments",
	  .graph = "p, m, v = predictd.Muon<segments=[0,6,0, 6,8,0], columns=[3]>(w:float[8], "
		   "a:float[8], s:float[8], , g:float[8], n:float[]={2}, h:" HYPER_ONE ")",
	  .want = ERR_INVALID },
	{ 0 },
};
CASES_TWO(nadam, "NAdam");
CASES_TWO(radam, "RAdam");
CASES_TWO(rprop, "Rprop");
/* clang-format on */

/* `how`: whose cost, prepare and run it has. */
#define ROW_BY(how, row, text, of, table)                                      \
	extern const struct op op_##row;                                       \
	static enum err_code row##_infer(struct infer *infer, struct err *err) \
	{                                                                      \
		return optimizer_infer(infer, &op_##row, err);                 \
	}                                                                      \
	static const struct kernel row##_kernel = {                            \
		.name = #row ".plain",                                         \
		.flags =                                                       \
		    KERNEL_QUICK | KERNEL_SLICE_FREE | KERNEL_IN_PLACE_ALL,    \
		.cost = how##_cost,                                            \
		.prepare = how##_prepare,                                      \
		.run = how##_run,                                              \
	};                                                                     \
	static const struct kernel *const row##_kernels[] = { &row##_kernel,   \
							      NULL };          \
	const struct op op_##row = {                                           \
		.domain = "predictd",                                          \
		.name = text,                                                  \
		.help = "One step of " of " over a flat arena.",               \
		.since = 1,                                                    \
		.flags = OP_NO_GRADIENT,                                       \
		.in = optimizer_in,                                            \
		.out = optimizer_out,                                          \
		.attrs = table,                                                \
		.attrs_size = sizeof(struct optimizer_attrs),                  \
		.infer = row##_infer,                                          \
		.kernels = row##_kernels,                                      \
		.cases = row##_cases,                                          \
	}

#define ROW(row, text, of, table) ROW_BY(optimizer, row, text, of, table)

ROW(adadelta, "Adadelta", "Adadelta", kin_attrs);
ROW(adagrad, "Adagrad", "Adagrad", kin_attrs);
ROW(adam, "Adam", "Adam or AdamW", adam_attrs);
ROW(adamax, "Adamax", "Adamax", kin_attrs);
ROW(lamb, "Lamb", "Lamb; a segment is one parameter", scaled_attrs);
ROW(lars, "Lars", "Lars; a segment is one parameter", scaled_attrs);
ROW(lion, "Lion", "Lion", kin_attrs);
ROW_BY(muon, muon, "Muon", "Muon; a segment is one parameter", muon_attrs);
ROW(nadam, "NAdam", "Adam with Nesterov's momentum", kin_attrs);
ROW(radam, "RAdam", "rectified Adam", kin_attrs);
ROW(rmsprop, "RMSprop", "RMSprop", rmsprop_attrs);
ROW(rprop, "Rprop", "resilient propagation", kin_attrs);
ROW(sgd, "Sgd", "gradient descent", sgd_attrs);
