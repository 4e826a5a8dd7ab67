/* A program without a loader. */
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  void *block = malloc(100);
  puts(block == NULL ? "no memory" : "ok");
  free(block);
  return 0;
}
