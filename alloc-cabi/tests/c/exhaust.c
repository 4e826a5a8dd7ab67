/* Takes all memory there is, twice: requests fail with ENOMEM, nothing dies, and memory given back serves again. */
#include "check.h"

#include <errno.h>

enum { MOST = 200000 };

struct link {
  struct link *next;
  size_t size;
};

static int take_all(size_t size, struct link **all) {
  int count = 0;
  while (count < MOST) {
    errno = 0;
    struct link *link = malloc(unknown(size));
    if (link == NULL) {
      CHECK(errno == ENOMEM);
      break;
    }
    link->next = *all;
    link->size = size;
    *all = link;
    count++;
  }
  return count;
}

static void give_all(struct link *all) {
  while (all != NULL) {
    struct link *next = all->next;
    free(all);
    all = next;
  }
}

int main(void) {
  check_served();
  int is_bump = strcmp(getenv("STRATA_STRATEGY"), "bump") == 0;
  for (size_t size = 64 << 10; size >= 64; size /= 32) {
    struct link *all = NULL;
    int first = take_all(size, &all);
    give_all(all);
    all = NULL;
    int second = take_all(size, &all);
    give_all(all);
    /* What was given back can be had again, but for what the other size has split or kept. */
    if (!is_bump) CHECK(second >= first / 2);
  }
  return 0;
}
