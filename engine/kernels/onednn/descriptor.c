/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/onednn/descriptor_priv.h"

#include "engine/kernels/onednn/onednn.h"

/* libgomp's; oneDNN brings the library, not every compiler has the header */
void omp_set_num_threads(int n);

void onednn_quiet(void)
{
	/* OpenMP keeps the number of threads a thread asks for by thread */
	static _Thread_local bool is_quiet; /* NOLINT: see above */

	if (is_quiet)
		return;
	omp_set_num_threads(1);
	is_quiet = true;
}

static bool has_isa(dnnl_cpu_isa_t isa)
{
	return (dnnl_get_effective_cpu_isa() & isa) == isa;
}

bool onednn_has_bytes(void)
{
	return has_isa(dnnl_cpu_isa_avx512_core_vnni) ||
	       has_isa(dnnl_cpu_isa_avx2_vnni);
}

bool onednn_has_bf16(void)
{
	return has_isa(dnnl_cpu_isa_avx512_core_bf16);
}

enum err_code onednn_check(dnnl_status_t status, const char *what,
			   struct err *err)
{
	switch (status) {
	case dnnl_success:
		return ERR_NONE;
	case dnnl_out_of_memory:
		return err_set(err, ERR_NO_MEMORY, "oneDNN: %s: out of memory",
			       what);
	default:
		return err_set(err, ERR_UNSUPPORTED,
			       "oneDNN: %s: not offered (status %d)", what,
			       (int)status);
	}
}

enum err_code onednn_desc(const struct shape *shape, const int64_t *stride,
			  dnnl_memory_desc_t *ret, struct err *err)
{
	return onednn_desc_of(dnnl_f32, shape, stride, ret, err);
}

enum err_code onednn_desc_of(dnnl_data_type_t type, const struct shape *shape,
			     const int64_t *stride, dnnl_memory_desc_t *ret,
			     struct err *err)
{
	dnnl_dims_t dim = { 0 }, step = { 0 };
	int64_t dense = 1;

	for (unsigned i = shape->rank; i-- > 0;) {
		dim[i] = shape->dim[i];
		step[i] = stride ? stride[i] : dense;
		dense *= dim[i];
	}
	return onednn_check(dnnl_memory_desc_init_by_strides(
				ret, (int)shape->rank, dim, type, step),
			    "a descriptor", err);
}

enum err_code onednn_any(const struct shape *shape, dnnl_memory_desc_t *ret,
			 struct err *err)
{
	return onednn_any_of(dnnl_f32, shape, ret, err);
}

enum err_code onednn_any_of(dnnl_data_type_t type, const struct shape *shape,
			    dnnl_memory_desc_t *ret, struct err *err)
{
	dnnl_dims_t dim = { 0 };

	for (unsigned i = 0; i < shape->rank; i++)
		dim[i] = shape->dim[i];
	return onednn_check(dnnl_memory_desc_init_by_tag(ret, (int)shape->rank,
							 dim, type,
							 dnnl_format_tag_any),
			    "a descriptor", err);
}
