/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * health, version: whether the server is ready, and what this is.
 */
#include "base/str.h"
#include "cli/cmd.h"

static const struct args_flag no_flags[] = { { 0 } };

static int run_health(struct cli *cli, const struct args *args)
{
	const struct client_request request = { .method = "GET",
						.path = "/v2/health/ready" };
	struct client_answer answer;
	struct err err = { 0 };
	enum err_code rc = cli_client(cli, &err);
	bool is_ready;

	(void)args;
	if (!rc)
		rc = client_ask(cli->client, &request, &answer, &err);
	if (rc)
		return cli_fail(cli, &err);
	is_ready = answer.status == 200;
	buf_finish(&answer.body);
	if (cli->json)
		(void)printf("{\"ready\":%s}\n", is_ready ? "true" : "false");
	else
		(void)puts(is_ready ? "ready" : "not ready");
	return is_ready ? CLI_OK : CLI_FAILED;
}

extern const struct cli_command cli_health;
const struct cli_command cli_health = {
	.name = "health",
	.usage = "",
	.help = "Tell whether the server is ready.\n\n"
		"The exit status is 0 when it is, 1 when it is not yet, 69 "
		"when none is there:\nfit for a container's HEALTHCHECK.",
	.flags = no_flags,
	.run = run_health,
};

static int run_version(struct cli *cli, const struct args *args)
{
	(void)args;
	(void)printf(cli->json
			 ? "{\"name\":\"predictctl\",\"version\":\"%s\"}\n"
			 : "predictctl %s\n",
		     PREDICTD_VERSION);
	return CLI_OK;
}

extern const struct cli_command cli_version;
const struct cli_command cli_version = {
	.name = "version",
	.usage = "",
	.help = "The version of predictctl.",
	.flags = no_flags,
	.run = run_version,
};
