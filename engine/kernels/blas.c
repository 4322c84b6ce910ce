/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/blas.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "engine/kernels/loops.h"

enum err_code blas_init(struct err *err)
{
	/* 0 serial, 1 threads, 2 OpenMP: only threads of its own are safe to
	 * be called from many (and only then is one thread really one) */
	if (openblas_get_parallel() != 1)
		return err_set(err, ERR_INTERNAL,
			       "OpenBLAS: expected the pthread build "
			       "(libopenblas0-pthread), got '%.200s'",
			       openblas_get_config());
	openblas_set_num_threads(1);
	return ERR_NONE;
}

/* What OpenBLAS takes for CPUs that it does not know. Neither of the two has
 * AVX2. */
static bool is_fallback(const char *core)
{
	return !strcmp(core, "Prescott") || !strcmp(core, "Barcelona");
}

const char *blas_better_core(void)
{
	const unsigned level = loop_levels();

	if (level < 2 || !is_fallback(openblas_get_corename()))
		return NULL;
	return level < 3 ? "Haswell" : "SkylakeX";
}

static CBLAS_TRANSPOSE trans(bool is_transposed)
{
	return is_transposed ? CblasTrans : CblasNoTrans;
}

/* CBLAS refuses a distance of 0, which empty matrices have */
static blasint distance(int64_t ld)
{
	return ld > 0 ? (blasint)ld : 1;
}

void blas_product_f32(const struct blas_product *p, const float *a,
		      const float *b, float *c)
{
	if (p->m > 0 && p->n > 0)
		cblas_sgemm(CblasRowMajor, trans(p->trans_a), trans(p->trans_b),
			    (blasint)p->m, (blasint)p->n, (blasint)p->k,
			    (float)p->alpha, a, distance(p->lda), b,
			    distance(p->ldb), (float)p->beta, c,
			    distance(p->ldc));
}

void blas_product_f64(const struct blas_product *p, const double *a,
		      const double *b, double *c)
{
	if (p->m > 0 && p->n > 0)
		cblas_dgemm(CblasRowMajor, trans(p->trans_a), trans(p->trans_b),
			    (blasint)p->m, (blasint)p->n, (blasint)p->k,
			    p->alpha, a, distance(p->lda), b, distance(p->ldb),
			    p->beta, c, distance(p->ldc));
}

enum {
	TEST_PRODUCTS = 200,
	TEST_EXTENT = 24,
	TEST_SIZE = TEST_EXTENT * TEST_EXTENT
};

/* sum of one element in double */
static double test_element(const struct blas_product *p, const float *a,
			   const float *b, int64_t row, int64_t col)
{
	double sum = 0;

	for (int64_t l = 0; l < p->k; l++) {
		const int64_t ia =
		    p->trans_a ? l * p->lda + row : row * p->lda + l;
		const int64_t ib =
		    p->trans_b ? col * p->ldb + l : l * p->ldb + col;

		sum += (double)a[ia] * (double)b[ib];
	}
	return sum;
}

static bool test_product(const struct blas_product *p, const float *a,
			 const float *b)
{
	float c[TEST_SIZE];

	blas_product_f32(p, a, b, c);
	for (int64_t i = 0; i < p->m * p->n; i++) {
		const double want = test_element(p, a, b, i / p->n, i % p->n);

		if (!(fabs((double)c[i] - want) <= 1e-4))
			return false;
	}
	return true;
}

enum err_code blas_self_test(struct err *err)
{
	struct rng rng = { .seed = 20, .stream = 1 };
	float a[TEST_SIZE], b[TEST_SIZE];

	for (rng.step = 0; rng.step < TEST_PRODUCTS; rng.step++) {
		const uint32_t bits = rng_u32(rng, 3);
		struct blas_product p = {
			.m = (int64_t)(rng_below(rng, 0, TEST_EXTENT) + 1),
			.n = (int64_t)(rng_below(rng, 1, TEST_EXTENT) + 1),
			.k = (int64_t)(rng_below(rng, 2, TEST_EXTENT) + 1),
			.trans_a = bits & 1,
			.trans_b = bits & 2,
			.alpha = 1,
		};

		p.lda = p.trans_a ? p.m : p.k;
		p.ldb = p.trans_b ? p.k : p.n;
		p.ldc = p.n;
		rng_fill_normal(rng, 100, TEST_SIZE, a);
		rng_fill_normal(rng, 100 + TEST_SIZE, TEST_SIZE, b);
		if (!test_product(&p, a, b))
			return err_set(err, ERR_INTERNAL,
				       "OpenBLAS ('%.100s'): a product of "
				       "[%lld,%lld] and [%lld,%lld] is wrong",
				       openblas_get_config(), (long long)p.m,
				       (long long)p.k, (long long)p.k,
				       (long long)p.n);
	}
	return ERR_NONE;
}
