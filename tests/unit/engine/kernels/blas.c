/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/blas.h"

#include <criterion/criterion.h>

Test(blas, starts_and_passes_its_own_test)
{
	struct err err = { .code = ERR_NONE };

	cr_assert_eq(blas_init(&err), ERR_NONE, "%s", err.msg);
	cr_assert_eq(blas_self_test(&err), ERR_NONE, "%s", err.msg);
}

Test(blas, an_empty_inner_extent_leaves_beta_times_c)
{
	const struct blas_product p = {
		.m = 2, .n = 2, .ldb = 2, .ldc = 2, .alpha = 1, .beta = 0.5
	};
	float c[4] = { 2, 4, 6, 8 };
	double d[4] = { 2, 4, 6, 8 };

	blas_product_f32(&p, c, c, c);
	blas_product_f64(&p, d, d, d);
	for (int i = 0; i < 4; i++) {
		cr_expect_eq(c[i], (float)(i + 1));
		cr_expect_eq(d[i], i + 1);
	}
}

Test(blas, a_part_of_a_matrix_is_written_and_no_more)
{
	const struct blas_product p = {
		.m = 2, .n = 2, .k = 1, .lda = 1, .ldb = 3, .ldc = 3, .alpha = 1
	};
	const float a[2] = { 2, 3 }, b[3] = { 5, 7, 100 };
	float c[6] = { -1, -1, -1, -1, -1, -1 };

	blas_product_f32(&p, a, b, c);
	cr_expect_eq(c[0], 10);
	cr_expect_eq(c[1], 14);
	cr_expect_eq(c[2], -1);
	cr_expect_eq(c[3], 15);
	cr_expect_eq(c[4], 21);
	cr_expect_eq(c[5], -1);
}

Test(blas, a_core_named_in_the_environment_is_not_found_wanting)
{
	/* tests run with OPENBLAS_CORETYPE set */
	cr_expect(!blas_better_core(), "%s", blas_better_core());
}
