/* SPDX-License-Identifier: Apache-2.0 */
#include "models/signature.h"

#include "base/str.h"

enum { TEXT_MAX = 256 };

/* "[batch,3,?]" into text, cut to TEXT_MAX. */
static const char *port_text(const struct signature_port *port,
			     char text[TEXT_MAX])
{
	size_t at = str_copy(text, TEXT_MAX, "[");

	for (unsigned d = 0; d < port->rank && at < TEXT_MAX - 1; d++) {
		const struct signature_dim *dim = &port->dim[d];
		const char *comma = d ? "," : "";
		int n;

		if (dim->extent >= 0)
			n = snprintf(text + at, TEXT_MAX - at, "%s%lld", comma,
				     (long long)dim->extent);
		else
			n = snprintf(text + at, TEXT_MAX - at, "%s%s", comma,
				     dim->symbol ? dim->symbol : "?");
		at += n > 0 ? (size_t)n : 0;
	}
	if (at < TEXT_MAX - 1)
		(void)str_copy(text + at, TEXT_MAX - at, "]");
	return text;
}

static bool admits(const struct signature_port *port, const struct shape *shape)
{
	if (!port->has_rank)
		return true;
	if (port->rank != shape->rank)
		return false;
	for (unsigned d = 0; d < port->rank; d++) {
		if (port->dim[d].extent >= 0 &&
		    port->dim[d].extent != shape->dim[d])
			return false;
	}
	return true;
}

enum err_code signature_check(const struct signature_port *port,
			      const struct shape *shape, struct err *err)
{
	char want[TEXT_MAX], got[TEXT_MAX];
	enum err_code rc;

	rc = shape_check(shape, port->name, err);
	if (rc || admits(port, shape))
		return rc;
	return err_set(err, ERR_SHAPE, "input '%s' takes %s %s; got %s",
		       port->name, dtype_info(port->dtype)->name,
		       port_text(port, want),
		       shape_text(shape, got, sizeof(got)));
}

/* Where a symbol stood first. */
struct seen {
	const struct signature_port *port;
	const char *symbol;
	int64_t extent;
};

/* Is the extent what the symbol was before? Looks at the ports up to this
 * dimension: there are few, and they have few. */
static bool find_seen(const struct model_signature *signature,
		      const struct shape *input, unsigned n_before,
		      const char *symbol, struct seen *ret)
{
	for (unsigned i = 0; i <= n_before; i++) {
		const struct signature_port *port = &signature->input[i];

		for (unsigned d = 0; port->has_rank && d < port->rank; d++) {
			if (!str_equal(port->dim[d].symbol, symbol))
				continue;
			*ret = (struct seen){ port, symbol, input[i].dim[d] };
			return true;
		}
	}
	return false;
}

static enum err_code bind_port(const struct model_signature *signature,
			       const struct shape *input, unsigned i,
			       struct err *err)
{
	const struct signature_port *port = &signature->input[i];
	struct seen seen;
	enum err_code rc = signature_check(port, &input[i], err);

	for (unsigned d = 0; port->has_rank && d < port->rank && !rc; d++) {
		const char *symbol = port->dim[d].symbol;

		if (!symbol || !find_seen(signature, input, i, symbol, &seen) ||
		    seen.extent == input[i].dim[d])
			continue;
		rc = err_set(err, ERR_SHAPE,
			     "input '%s' has %lld for '%s'; input '%s' has "
			     "%lld, and both must be equal",
			     port->name, (long long)input[i].dim[d], symbol,
			     seen.port->name, (long long)seen.extent);
	}
	return rc;
}

enum err_code signature_bind(const struct model_signature *signature,
			     const struct shape *input, struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (unsigned i = 0; i < signature->n_inputs && !rc; i++)
		rc = bind_port(signature, input, i, err);
	return rc;
}

static bool leads_with(const struct signature_port *port, const char *symbol)
{
	return port->has_rank && port->rank && port->dim[0].extent < 0 &&
	       port->dim[0].symbol && !strcmp(port->dim[0].symbol, symbol);
}

bool signature_may_batch(const struct model_signature *signature)
{
	const char *symbol;

	if (!signature->n_inputs || !signature->n_outputs ||
	    !signature->input[0].has_rank || !signature->input[0].rank)
		return false;
	symbol = signature->input[0].dim[0].symbol;
	if (!symbol)
		return false;
	for (unsigned i = 0; i < signature->n_inputs; i++) {
		if (!leads_with(&signature->input[i], symbol))
			return false;
	}
	for (unsigned i = 0; i < signature->n_outputs; i++) {
		if (!leads_with(&signature->output[i], symbol))
			return false;
	}
	return true;
}
