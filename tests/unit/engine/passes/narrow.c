/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The pass `narrow` over graphs of quantized values: which steps there are, and
 * that no byte of a result is off by more than one.
 */
#include <criterion/criterion.h>

#include "engine/kernels/onednn/onednn.h"
#include "plan_pass_check.h"

#define ONE_BYTE (1.0 / 120)

/* q = the bytes of x */
#define BYTES                                                             \
	"t = Identity(u:float[]={0.02}); z = Identity(v:uint8[]={121}); " \
	"q = QuantizeLinear(x:float[1,16,9,7], t, z)\n"
#define W(name, shape, n)                                                 \
	name " = Cast<to=3>(Mul(Reshape(Sin(Range(0., " n ", 1.)), " name \
	     "_:int64[4]={" shape "}), 100.))\n"
#define CONV(y, x, w)                                                      \
	y " = predictd.ConvNarrow<pads=[1,1,1,1], x_zero=121>(, " x ", " w \
	  ", " y "_s:float[1]={0.0002})\n"
#define ROUND(y, x) y " = QuantizeLinear(" x ", t, z)\n"
#define WIDE(x) "DequantizeLinear(" x ", t, z)"

static const struct plan_pass_case rows[] = {
	{ "zero points go into the convolution before and behind them",
	  BYTES W("w", "16,16,3,3", "2304.") CONV("a", "q", "w") ROUND("b", "a")
	      CONV("c", "b", "w") "y = Neg(c)",
	  "QuantizeLinear ConvNarrow ConvNarrow Neg Transpose" },
	{ "a residual of bytes",
	  BYTES W("w", "16,16,3,3", "2304.") CONV("a", "q", "w") ROUND("b", "a")
	      CONV("c", "b", "w") ROUND("d", "c") "e = Add(" WIDE(
		  "d") ", " WIDE("b") ")\n" ROUND("f", "e") "y = " WIDE("f"),
	  "QuantizeLinear ConvNarrow ConvNarrow AddBytes "
	  "DequantizeLinear Transpose" },
	{ NULL, NULL, NULL },
};

Test(narrow, quantized_values_stay_bytes)
{
	if (!onednn_has_bytes())
		return;
	for (size_t i = 0; rows[i].name; i++)
		plan_pass_check(&rows[i], ONE_BYTE);
}
