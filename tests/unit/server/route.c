/* SPDX-License-Identifier: Apache-2.0 */
#include "server/route.h"

#include <criterion/criterion.h>

#include "base/str.h"

Test(route, each_stands_once)
{
	for (size_t i = 0; i < route_count(); i++) {
		for (size_t j = 0; j < i; j++)
			cr_assert_not(str_equal(route_at(i)->method,
						route_at(j)->method) &&
					  str_equal(route_at(i)->pattern,
						    route_at(j)->pattern),
				      "%s %s", route_at(i)->method,
				      route_at(i)->pattern);
	}
}
