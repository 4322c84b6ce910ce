/* SPDX-License-Identifier: Apache-2.0 */
/* Products whose sizes only a run knows, or that are too many for a primitive
 * each: oneDNN's own sgemm. */
#include "engine/kernels/blas.h"
#include "engine/kernels/onednn/onednn.h"
#include "engine/kernels/onednn/recipe_priv.h"

bool onednn_product_f32(const struct blas_product *p, const float *a,
			const float *b, float *c)
{
	onednn_quiet();
	return dnnl_sgemm(p->trans_a ? 'T' : 'N', p->trans_b ? 'T' : 'N', p->m,
			  p->n, p->k, (float)p->alpha, a, p->lda, b, p->ldb,
			  (float)p->beta, c, p->ldc) == dnnl_success;
}
