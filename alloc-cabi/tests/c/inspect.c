/* The functions of strata.h that look in: what they write, that they allocate nothing, and that errno stays. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>

static char text[1 << 22];

/* What a function wrote to a descriptor. */
static const char *written(int answer, int file) {
  CHECK(answer == 0);
  ssize_t length = pread(file, text, sizeof text - 1, 0);
  CHECK(length >= 0 && (size_t)length < sizeof text - 1);
  text[length] = 0;
  CHECK(ftruncate(file, 0) == 0);
  return text;
}

__attribute__((noinline)) static void *make(size_t size) { return opaque(malloc(unknown(size))); }

int main(int count, char **arguments) {
  CHECK(count == 2);
  check_served();
  int (*explain)(const void *, int);
  int (*history)(const void *, int);
  int (*leaks)(int);
  int (*map)(int, int);
  void (*finish)(void);
  LOOK_UP(explain, "strata_explain");
  LOOK_UP(history, "strata_history");
  LOOK_UP(leaks, "strata_leaks");
  LOOK_UP(map, "strata_map");
  LOOK_UP(finish, "strata_finish");
  int walkable = strcmp(getenv("STRATA_STRATEGY"), "libc") != 0;
  int traced = getenv("STRATA_TRACE") != NULL;
  int file = open(arguments[1], O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);
  CHECK(file >= 0);
  char *block = make(4321), *leak = make(7777);
  strcpy(block, "look at me");
  char expected[256];
  size_t before = mallinfo2().uordblks;
  errno = 77;

  const char *found = written(explain(block + 5, file), file);
  snprintf(expected, sizeof expected, "0x%lx lies in memory of the strategy ", (unsigned long)(uintptr_t)(block + 5));
  if (walkable) {
    CHECK(strstr(found, expected) == found);
    CHECK(strstr(found, "|look at me") != NULL);
    CHECK((strstr(found, "\n    header: ") != NULL) == (strcmp(getenv("STRATA_STRATEGY"), "bump") != 0));
  } else {
    CHECK(strstr(found, "  its memory cannot be walked\n") != NULL);
  }
  snprintf(expected, sizeof expected, "  allocated at 0x%lx, 4321 bytes aligned to 16 (event ", (unsigned long)(uintptr_t)block);
  if (traced) CHECK(strstr(found, expected) != NULL);
  else CHECK(strstr(found, "allocated at") == NULL);

  if (traced) {
    CHECK(strstr(written(history(block, file), file), expected) == text);
    CHECK(strstr(text, "/inspect 0x") != NULL);
    CHECK(strstr(written(history(NULL, file), file), "7777 bytes aligned to 16 (event ") != NULL);
    CHECK(strstr(written(leaks(file), file), "7777 bytes in 1 blocks, allocated at\n    0x") == text);
    CHECK(strstr(text, "4321 bytes in 1 blocks, allocated at\n    0x") != NULL && strstr(text, "\nlive: ") != NULL);
  } else {
    CHECK(history(block, file) == ENODATA && leaks(file) == ENODATA);
  }
  static const char *const forms[] = {"every byte is accounted for\n", "</svg>\n", "</html>\n"};
  for (int form = 0; form < 3; form++) {
    found = written(map(form, file), file);
    if (walkable) CHECK(strcmp(found + strlen(found) - strlen(forms[form]), forms[form]) == 0);
    else CHECK(form == 1 || strstr(found, "cannot be walked") != NULL);
  }
  CHECK(map(3, file) == EINVAL && map(0, 4711) == EBADF && explain(block, 4711) == EBADF);
  CHECK(errno == 77);
  CHECK(mallinfo2().uordblks == before);
  free(block);
  if (traced) {
    CHECK(strstr(written(history(block, file), file), "  freed at 0x") != NULL);
    CHECK(strstr(written(leaks(file), file), "7777 bytes in 1 blocks") == text && strstr(text, "4321 bytes in") == NULL);
    finish();
    CHECK(leaks(file) == ENODATA);
    finish();
  }
  free(leak);
  puts("ok");
  return 0;
}
