/* How far a quota and a schedule of failures let a program come. */
#include "check.h"

#include <errno.h>

int main(int count, char **arguments) {
  CHECK(count == 2);
  check_served();
  int served = 0, failed = 0;
  if (strcmp(arguments[1], "quota") == 0) {
    void *block[2000];
    for (int i = 0; i < 2000; i++) {
      errno = 0;
      block[i] = malloc(unknown(10000));
      if (block[i] != NULL) {
        served++;
      } else {
        CHECK(errno == ENOMEM);
        failed++;
      }
    }
    for (int i = 0; i < 2000; i++) free(block[i]);
    void *again = malloc(unknown(100000));
    CHECK(again != NULL);
    free(again);
  } else {
    for (int i = 0; i < 1000; i++) {
      void *block = malloc(unknown(64));
      if (block != NULL) served++;
      else failed++;
      free(block);
    }
  }
  char text[64];
  int length = snprintf(text, sizeof text, "%d %d\n", served, failed);
  CHECK(write(1, text, (size_t)length) == length);
  _exit(0);
}
