/* SPDX-License-Identifier: MIT */
/* Lines "PATTERN<tab>NAME" -> what IGT's uwildmat() says of each: 0 or 1. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

bool uwildmat(const char *text, const char *pattern);

int main(void)
{
	char line[512];

	while (fgets(line, sizeof(line), stdin)) {
		char *tab;

		line[strcspn(line, "\n")] = '\0';
		tab = strchr(line, '\t');
		if (!tab)
			return 1;
		*tab = '\0';
		printf("%d\n", uwildmat(tab + 1, line));
	}
	return 0;
}
