/* Requests before main, around the loader, at the end of threads and of the process. */
#include "check.h"

#include <pthread.h>

static void *from_preinit;
static void *from_constructor;
static int exits;

static void preinit(void) {
  from_preinit = malloc(unknown(100));
  fill(from_preinit, 100, 1);
}

__attribute__((section(".preinit_array"), used)) static void (*const preinit_entry)(void) = preinit;

__attribute__((constructor(101))) static void first_constructor(void) {
  from_constructor = calloc(unknown(10), 20);
  fill(from_constructor, 200, 2);
  free(malloc(unknown(1 << 20)));
}

__attribute__((destructor)) static void last_destructor(void) {
  CHECK(exits == 40);
  void *block = malloc(unknown(500));
  CHECK(block != NULL);
  fill(block, 500, 4);
  CHECK(verify(block, 500, 4));
  free(block);
  if (write(1, "end\n", 4) != 4) _exit(1);
}

static void at_exit(void) {
  void *block = realloc(malloc(unknown(30)), 3000);
  CHECK(block != NULL);
  fill(block, 3000, 5);
  CHECK(verify(block, 3000, 5));
  free(block);
  exits++;
}

static pthread_key_t keys[8];
static int rounds;

/* Destructors of keys run in up to four rounds: sets its key again, so that it runs after every other hook too. */
static void key_destructor(void *value) {
  CHECK(verify(value, 64, 6));
  free(value);
  __atomic_add_fetch(&rounds, 1, __ATOMIC_RELAXED);
  void *next = malloc(unknown(64));
  CHECK(next != NULL);
  fill(next, 64, 6);
  for (int i = 0; i < 8; i++)
    if (pthread_getspecific(keys[i]) == NULL) {
      CHECK(pthread_setspecific(keys[i], next) == 0);
      return;
    }
  free(next);
}

static void *with_keys(void *unused) {
  (void)unused;
  for (int i = 0; i < 4; i++) {
    void *value = malloc(unknown(64));
    fill(value, 64, 6);
    CHECK(pthread_setspecific(keys[i], value) == 0);
  }
  return malloc(unknown(1000));
}

static void libraries(const char *path) {
  for (int round = 0; round < 30; round++) {
    void *library = dlopen(path, round % 2 ? RTLD_NOW : RTLD_LAZY);
    CHECK(library != NULL);
    void *(*make)(size_t);
    void *found = dlsym(library, "plugin_make");
    CHECK(found != NULL);
    memcpy(&make, &found, sizeof make);
    void *block = make(300);
    CHECK(verify(block, 300, 8));
    CHECK(dlsym(library, "no_such_symbol") == NULL && dlerror() != NULL);
    CHECK(dlclose(library) == 0);
    CHECK(verify(block, 300, 8));
    free(block);
    CHECK(dlopen("/nonexistent/library.so", RTLD_NOW) == NULL && dlerror() != NULL);
  }
}

int main(int count, char **arguments) {
  CHECK(count == 2);
  check_served();
  CHECK(verify(from_preinit, 100, 1));
  CHECK(verify(from_constructor, 200, 2));
  free(from_preinit);
  free(from_constructor);
  for (int i = 0; i < 40; i++) CHECK(atexit(at_exit) == 0);
  for (int i = 0; i < 8; i++) CHECK(pthread_key_create(&keys[i], key_destructor) == 0);
  for (int i = 0; i < 200; i++) {
    pthread_t thread;
    void *live;
    CHECK(pthread_create(&thread, NULL, with_keys, NULL) == 0);
    CHECK(pthread_join(thread, &live) == 0);
    fill(live, 1000, 7);
    free(live);
  }
  CHECK(rounds >= 800);
  libraries(arguments[1]);
  puts("ok");
  fflush(stdout);
  return 0;
}
