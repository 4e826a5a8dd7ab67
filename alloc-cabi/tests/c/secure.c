/* Prints whether the process has more rights than its user, and the strategy that serves it, or "none". */
#include "check.h"

#include <sys/auxv.h>

int main(void) {
  strata_handle (*active)(void);
  void *found = dlsym(RTLD_DEFAULT, "strata_active");
  void *block = malloc(unknown(100));
  CHECK(block != NULL);
  fill(block, 100, 1);
  CHECK(verify(block, 100, 1));
  free(block);
  if (found == NULL) {
    printf("secure %lu none\n", getauxval(AT_SECURE));
    return 0;
  }
  memcpy(&active, &found, sizeof active);
  strata_handle handle = active();
  size_t length;
  const char *name = handle.vtable->name(handle.data, &length);
  printf("secure %lu %.*s\n", getauxval(AT_SECURE), (int)length, name);
  return 0;
}
