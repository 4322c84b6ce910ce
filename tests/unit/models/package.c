/* SPDX-License-Identifier: Apache-2.0 */
#include "models/package.h"

#include <criterion/criterion.h>

#include "base/digest.h"
#include "base/doc.h"
#include "data/pipeline.h"
#include "engine/pack.h"
#include "engine/plan.h"
#include "tests/unit/models/make_onnx.h"
#include "tests/unit/models/scratch.h"

struct fixture {
	struct scratch s;
	struct file_root *root;
	struct make m;
	struct package *package;
	struct err err;
};

static void begin(struct fixture *f)
{
	scratch_begin(&f->s);
	scratch_dir(&f->s, "m/1");
	cr_assert_eq(file_root_open(f->s.path, &f->root, NULL), ERR_NONE);
	f->package = NULL;
	f->err.msg[0] = '\0';
}

static void put(struct fixture *f, const char *name, const char *text)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "m/1/%s", name);
	scratch_file(&f->s, path, text, strlen(text));
}

static void put_model(struct fixture *f)
{
	make_end(&f->m);
	scratch_file(&f->s, "m/1/model.onnx", f->m.buf.data, f->m.buf.len);
}

static enum err_code load(struct fixture *f)
{
	const struct package_source source = {
		.root = f->root, .path = "m/1", .name = "m", .version = 1
	};

	return package_load(&source, &f->package, &f->err);
}

static void end(struct fixture *f)
{
	package_unref(f->package);
	file_root_close(f->root);
	make_finish(&f->m);
	scratch_end(&f->s);
}

/* y = Op(x) from [batch, 4] */
static void make_unary(struct fixture *f, const char *op)
{
	make_begin(&f->m, 8, 17);
	make_node(&f->m, op, "x", "y");
	make_port(&f->m, MAKE_INPUT, "x", DTYPE_F32, "batch 4");
	make_port(&f->m, MAKE_OUTPUT, "y", DTYPE_F32, "batch 4");
	put_model(f);
}

Test(package, loads_a_folder_with_a_model_alone)
{
	struct package *again;
	struct fixture f;

	begin(&f);
	make_unary(&f, "Tanh");
	cr_assert_eq(load(&f), ERR_NONE, "%s", f.err.msg);
	cr_assert_str_eq(f.package->name, "m");
	cr_assert_eq(f.package->version, 1);
	cr_assert_eq(f.package->bytes, f.m.buf.len);
	cr_assert_null(f.package->pipeline);
	cr_assert_null(f.package->about);
	cr_assert(f.package->batches);
	again = package_ref(f.package);
	package_unref(again);
	cr_assert_eq(f.package->graph->n_node, 1);
	end(&f);
}

Test(package, loads_a_lone_file)
{
	struct fixture f;

	begin(&f);
	make_unary(&f, "Tanh");
	cr_assert_eq(package_load_file(scratch_path(&f.s, "m/1/model.onnx"),
				       &f.package, &f.err),
		     ERR_NONE, "%s", f.err.msg);
	cr_assert_str_eq(f.package->name, "model.onnx");
	end(&f);
}

Test(package, lives_on_when_its_file_is_cut_short)
{
	struct fixture f;

	begin(&f);
	make_unary(&f, "Tanh");
	cr_assert_eq(load(&f), ERR_NONE);
	cr_assert_eq(truncate(scratch_path(&f.s, "m/1/model.onnx"), 0), 0);
	cr_assert_eq(f.package->graph->n_node, 1);
	cr_assert_str_eq(f.package->signature.input[0].name, "x");
	end(&f);
}

Test(package, names_model_and_version_in_refusals)
{
	struct fixture f;

	begin(&f);
	make_unary(&f, "Tanhh");
	cr_assert_eq(load(&f), ERR_UNSUPPORTED);
	cr_assert(strstr(f.err.msg, "model 'm' version 1: model.onnx:") != NULL,
		  "%s", f.err.msg);
	end(&f);
}

Test(package, needs_a_model_file)
{
	struct fixture f;

	begin(&f);
	buf_init(&f.m.buf, 1);
	cr_assert_eq(load(&f), ERR_NOT_FOUND);
	cr_assert(strstr(f.err.msg, "model.onnx") != NULL, "%s", f.err.msg);
	end(&f);
}

/* --- does it batch? --- */

Test(package, does_not_batch_rows_that_see_each_other)
{
	struct fixture f;
	const int64_t axis[] = { 0 };

	begin(&f);
	make_begin(&f.m, 8, 18); /* x less the mean over the batch */
	make_node(&f.m, "ReduceMean", "x axis", "mean");
	make_node(&f.m, "Sub", "x mean", "y");
	make_ints(&f.m, "axis", "1", axis, 1);
	make_port(&f.m, MAKE_INPUT, "x", DTYPE_F32, "batch 4");
	make_port(&f.m, MAKE_OUTPUT, "y", DTYPE_F32, "batch 4");
	put_model(&f);
	cr_assert_eq(load(&f), ERR_NONE, "%s", f.err.msg);
	cr_assert(f.package->signature.may_batch);
	cr_assert_not(f.package->batches);
	end(&f);
}

Test(package, does_not_batch_a_model_of_one_row)
{
	struct fixture f;
	const int64_t shape[] = { 1, 4 };

	begin(&f);
	make_begin(&f.m, 8, 17); /* says batch and means 1 */
	make_node(&f.m, "Reshape", "x shape", "y");
	make_ints(&f.m, "shape", "2", shape, 2);
	make_port(&f.m, MAKE_INPUT, "x", DTYPE_F32, "batch 4");
	make_port(&f.m, MAKE_OUTPUT, "y", DTYPE_F32, "batch 4");
	put_model(&f);
	cr_assert_eq(load(&f), ERR_NONE, "%s", f.err.msg);
	cr_assert(f.package->signature.may_batch);
	cr_assert_not(f.package->batches);
	end(&f);
}

Test(package, tries_numbers_for_open_extents)
{
	static const float kernel[25] = { 1 };
	struct fixture f;

	begin(&f);
	make_begin(&f.m, 8, 17); /* a window of 5 does not fit 4 */
	make_node(&f.m, "Conv", "x w", "y");
	make_floats(&f.m, "w", "1 1 5 5", kernel, 25);
	make_port(&f.m, MAKE_INPUT, "x", DTYPE_F32, "batch 1 height width");
	make_port(&f.m, MAKE_OUTPUT, "y", DTYPE_F32, "batch 1 a b");
	put_model(&f);
	cr_assert_eq(load(&f), ERR_NONE, "%s", f.err.msg);
	cr_assert(f.package->batches);
	end(&f);
}

/* --- manifest --- */

static void put_manifest(struct fixture *f, const char *name, size_t size,
			 const char *sha256)
{
	char text[512];

	(void)snprintf(text, sizeof(text),
		       "{\"format\":1,\"files\":[{\"name\":\"%s\",\"size\":%zu,"
		       "\"sha256\":\"%s\"}]}",
		       name, size, sha256);
	put(f, "manifest.json", text);
}

Test(package, checks_its_files_against_the_manifest)
{
	char hex[DIGEST_HEX_MAX];
	struct fixture f;

	begin(&f);
	make_unary(&f, "Tanh");
	digest_sha256(f.m.buf.data, f.m.buf.len, hex);
	put_manifest(&f, "model.onnx", f.m.buf.len, hex);
	cr_assert_eq(load(&f), ERR_NONE, "%s", f.err.msg);
	package_unref(f.package);
	f.package = NULL;
	put_manifest(&f, "model.onnx", f.m.buf.len + 1, hex);
	cr_assert_eq(load(&f), ERR_FORMAT);
	cr_assert(strstr(f.err.msg, "manifest.json says") != NULL, "%s",
		  f.err.msg);
	hex[5] = hex[5] == '0' ? '1' : '0';
	put_manifest(&f, "model.onnx", f.m.buf.len, hex);
	cr_assert_eq(load(&f), ERR_FORMAT);
	cr_assert(strstr(f.err.msg, "sha256") != NULL, "%s", f.err.msg);
	put_manifest(&f, "other.txt", 1, hex);
	cr_assert_eq(load(&f), ERR_FORMAT);
	cr_assert(strstr(f.err.msg, "does not list model.onnx") != NULL, "%s",
		  f.err.msg);
	end(&f);
}

struct bad_manifest {
	const char *text;
	const char *says;
};

Test(package, refuses_manifests_that_are_none)
{
	static const struct bad_manifest rows[] = {
		{ "", "manifest.json" },
		{ "[]", "format" },
		{ "{\"format\":2,\"files\":[]}", "format" },
		{ "{\"format\":1}", "files" },
		{ "{\"format\":1,\"files\":[1]}", "every file needs" },
		{ "{\"format\":1,\"files\":[{\"name\":\"a\",\"size\":-1,"
		  "\"sha256\":\"\"}]}",
		  "every file needs" },
		{ "{\"format\":1,\"files\":[{\"name\":\"../a\",\"size\":1,"
		  "\"sha256\":\"\"}]}",
		  "'../a'" },
	};
	struct fixture f;

	begin(&f);
	make_unary(&f, "Tanh");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		put(&f, "manifest.json", rows[i].text);
		cr_expect_neq(load(&f), ERR_NONE, "%s", rows[i].text);
		cr_expect(strstr(f.err.msg, rows[i].says) != NULL, "%s: %s",
			  rows[i].text, f.err.msg);
	}
	end(&f);
}

/* --- model.yaml --- */

Test(package, reads_what_model_yaml_says)
{
	struct fixture f;

	begin(&f);
	make_unary(&f, "Tanh");
	put(&f, "model.yaml", "lineage: {job: j1}\nmetrics: {accuracy: 0.5}\n");
	cr_assert_eq(load(&f), ERR_NONE, "%s", f.err.msg);
	cr_assert_str_eq(
	    doc_find(doc_find(f.package->about, "lineage"), "job")->text, "j1");
	cr_assert_null(f.package->pipeline);
	package_unref(f.package);
	f.package = NULL;
	put(&f, "model.yaml", "- 1\n");
	cr_assert_eq(load(&f), ERR_FORMAT);
	put(&f, "model.yaml", "a: &x 1\nb: *x\n");
	cr_assert_neq(load(&f), ERR_NONE);
	end(&f);
}

static void make_classifier(struct fixture *f, const char *dims)
{
	make_begin(&f->m, 8, 17);
	make_node(&f->m, "Relu", "image", "label");
	make_port(&f->m, MAKE_INPUT, "image", DTYPE_F32, dims);
	make_port(&f->m, MAKE_OUTPUT, "label", DTYPE_F32, dims);
	put_model(f);
	put(f, "model.yaml",
	    "input_features:\n"
	    "  - {name: image, type: number}\n"
	    "output_features:\n"
	    "  - {name: label, type: number}\n");
}

Test(package, refuses_features_that_do_not_fit_the_model)
{
	struct fixture f;

	begin(&f);
	make_classifier(&f, "batch 7");
	cr_assert_eq(load(&f), ERR_INVALID);
	cr_assert(strstr(f.err.msg, "'image'") != NULL, "%s", f.err.msg);
	end(&f);
}

Test(package, has_the_features_of_its_model)
{
	struct fixture f;

	begin(&f);
	make_classifier(&f, "batch 1");
	cr_assert_eq(load(&f), ERR_NONE, "%s", f.err.msg);
	cr_assert_not_null(f.package->pipeline);
	cr_assert_eq(pipeline_n_inputs(f.package->pipeline), 1);
	end(&f);
}

/* --- packed constants --- */

/* y = Conv(x, w) */
static void make_convolution(struct fixture *f, float first)
{
	static float w[32 * 32 * 3 * 3];

	for (size_t i = 0; i < sizeof(w) / sizeof(w[0]); i++)
		w[i] = first + (float)i / 1e4f;
	make_begin(&f->m, 8, 17);
	make_node(&f->m, "Conv", "x w", "y");
	make_floats(&f->m, "w", "32 32 3 3", w, sizeof(w) / sizeof(w[0]));
	make_port(&f->m, MAKE_INPUT, "x", DTYPE_F32, "batch 32 18 18");
	make_port(&f->m, MAKE_OUTPUT, "y", DTYPE_F32, "batch 32 16 16");
	put_model(f);
	make_finish(&f->m);
}

static struct plan *make_plan(const struct package *package)
{
	const struct plan_options options = { .packs = package->packs };
	const struct fact x = { .type = { .elem = DTYPE_F32 },
				.shape = { 4, { 1, 32, 18, 18 } },
				.has_shape = true };
	const struct signature signature = { 1, &x };
	struct plan *plan = NULL;

	cr_assert_eq(
	    plan_create(package->graph, &signature, &options, &plan, NULL),
	    ERR_NONE);
	return plan;
}

Test(package, shares_packed_weights_with_packages_of_one_store)
{
	static const struct {
		float first; /* weight of the second package */
		bool is_shared;
	} rows[] = { { 0.0f, true }, { 0.5f, false } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct package *package[2];
		struct plan *plan[2];
		struct pack_stats stats;
		struct fixture f;
		struct package_source source = { .path = "m/1", .name = "m" };

		begin(&f);
		source.root = f.root;
		cr_assert_eq(pack_store_create(&source.packs, &f.err),
			     ERR_NONE);
		for (int j = 0; j < 2; j++) {
			make_convolution(&f, j ? rows[i].first : 0);
			cr_assert_eq(package_load(&source, &package[j], &f.err),
				     ERR_NONE, "%s", f.err.msg);
			plan[j] = make_plan(package[j]);
		}
		/* each as it is and as the kernel wants it */
		pack_store_stats(source.packs, &stats);
		cr_assert_eq(stats.n, rows[i].is_shared ? 2 : 4);
		cr_assert_eq(package[0]->graph->constant[0].data ==
				 package[1]->graph->constant[0].data,
			     rows[i].is_shared);
		for (int j = 0; j < 2; j++) {
			plan_unref(plan[j]);
			package_unref(package[j]);
		}
		pack_store_unref(source.packs);
		end(&f);
	}
}

/* y = BatchNormalization(Conv(x, w)) */
static void make_normalized(struct fixture *f)
{
	static float w[32 * 64 * 3 * 3], one[32];

	for (size_t i = 0; i < sizeof(w) / sizeof(w[0]); i++)
		w[i] = (float)i / 1e4f;
	for (size_t i = 0; i < sizeof(one) / sizeof(one[0]); i++)
		one[i] = (float)(i + 1);
	make_begin(&f->m, 8, 17);
	make_node(&f->m, "Conv", "x w", "c");
	make_node(&f->m, "BatchNormalization", "c one one one one", "y");
	make_floats(&f->m, "w", "32 64 3 3", w, sizeof(w) / sizeof(w[0]));
	make_floats(&f->m, "one", "32", one, sizeof(one) / sizeof(one[0]));
	make_port(&f->m, MAKE_INPUT, "x", DTYPE_F32, "batch 64 18 18");
	make_port(&f->m, MAKE_OUTPUT, "y", DTYPE_F32, "batch 32 16 16");
	put_model(f);
}

/* The large constants that somebody reads, of which there is one. */
static const void *large_constant(const struct graph *graph)
{
	const void *found = NULL;

	for (int32_t i = 0; i < graph->n_node; i++) {
		const struct graph_node *node = &graph->node[i];

		for (int32_t j = 0; node->op && j < node->n_in; j++) {
			const struct graph_value *value =
			    &graph->value[graph_in(graph, node)[j]];

			if (value->origin == ORIGIN_CONST &&
			    shape_count(&graph->constant[value->source].shape) >
				1000)
				found = graph->constant[value->source].data;
		}
	}
	return found;
}

Test(package, shares_what_passes_make_and_lets_the_rest_go)
{
	const struct pass_switch all = { 0 };
	struct package *package[2];
	struct pack_stats stats;
	struct fixture f;
	struct package_source source = { .path = "m/1", .name = "m" };

	begin(&f);
	make_normalized(&f);
	source.root = f.root;
	cr_assert_eq(pack_store_create(&source.packs, &f.err), ERR_NONE);
	for (int i = 0; i < 2; i++) {
		const void *before;

		cr_assert_eq(package_load(&source, &package[i], &f.err),
			     ERR_NONE, "%s", f.err.msg);
		before = large_constant(package[i]->graph);
		cr_assert(packs_has(package[i]->packs, before));
		cr_assert_eq(package_prepare(package[i], all, &f.err), ERR_NONE,
			     "%s", f.err.msg);
		cr_assert_not(packs_has(package[i]->packs, before));
	}
	cr_assert_not_null(large_constant(package[0]->graph));
	cr_assert_eq(large_constant(package[0]->graph),
		     large_constant(package[1]->graph));
	pack_store_stats(source.packs, &stats);
	cr_assert_eq(stats.n, 1);
	for (int i = 0; i < 2; i++)
		package_unref(package[i]);
	pack_store_unref(source.packs);
	end(&f);
}
