// SPDX-License-Identifier: Apache-2.0
/* The smallest /bin/true: where it is the container's program, ru_maxrss of a run is that of the
 * runtime. */
int main(void)
{
	return 0;
}
