#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends as it is told to. */
int main(int count, char **words)
{
    int code = count > 1 ? atoi(words[1]) : 0;
    if (code == 1)
        fprintf(stderr, "expected 2, was 1\n");
    assert(code != 2);
    return code;
}
