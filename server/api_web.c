/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Pages for people. They hold no data and load nothing from elsewhere, which
 * their policy also says to the browser.
 */
#include "server/api_handlers.h"
#include "server/web.h"

static enum err_code answer(struct api_request *request,
			    const unsigned char *page, size_t len)
{
	struct api_response *response = &request->response;

	response->status = 200;
	response->content_type = "text/html; charset=utf-8";
	buf_reset(&response->body);
	buf_put(&response->body, page, len);
	api_answer_header(request, "Content-Security-Policy",
			  "default-src 'none'; style-src 'unsafe-inline'; "
			  "script-src 'unsafe-inline'; connect-src 'self'; "
			  "base-uri 'none'; form-action 'none'; "
			  "frame-ancestors 'none'");
	api_answer_header(request, "X-Content-Type-Options", "nosniff");
	api_answer_header(request, "Referrer-Policy", "no-referrer");
	return ERR_NONE;
}

enum err_code api_web_dashboard(struct api_request *request, struct err *err)
{
	(void)err;
	return answer(request, web_dashboard, web_dashboard_len);
}

enum err_code api_web_docs(struct api_request *request, struct err *err)
{
	(void)err;
	return answer(request, web_docs, web_docs_len);
}
