/* SPDX-License-Identifier: Apache-2.0 */
/* The plain product in one type. T: element; ACC: what sums are held in,
 * unsigned for integers, whose overflow wraps; COEF: alpha and beta as ACC. */

/* One batch; c is NULL where there is none. */
static void NAME(product)(const struct product *p, const T *a, const T *b,
			  const T *c, T *y)
{
	const int64_t row_a = p->trans_a ? 1 : p->k;
	const int64_t col_a = p->trans_a ? p->m : 1;
	const int64_t row_b = p->trans_b ? 1 : p->n;
	const int64_t col_b = p->trans_b ? p->k : 1;

	for (int64_t i = 0; i < p->m * p->n; i++) {
		const T *from_a = a + i / p->n * row_a;
		const T *from_b = b + i % p->n * col_b;
		ACC sum = 0;

		for (int64_t l = 0; l < p->k; l++)
			sum += (ACC)from_a[l * col_a] * (ACC)from_b[l * row_b];
		sum *= COEF(p->alpha);
		if (c)
			sum +=
			    COEF(p->beta) *
			    (ACC)c[i / p->n * p->row_c + i % p->n * p->col_c];
		y[i] = (T)sum;
	}
}

static void NAME(batches)(const struct product *p, const void *a, const void *b,
			  const void *c, void *y)
{
	int64_t at_a, at_b;

	for (int64_t i = 0; i < p->n_batch; i++) {
		product_batch(p, i, &at_a, &at_b);
		NAME(product)
		(p, (const T *)a + at_a, (const T *)b + at_b, c,
		 (T *)y + i * p->m * p->n);
	}
}

#undef T
#undef ACC
#undef COEF
#undef NAME
