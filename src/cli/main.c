/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The program's entry, apart from all else so that tests can link the rest.
 */

#include "cli.h"

int main(int argc, char *argv[])
{
	return cli_main(argc, argv);
}
