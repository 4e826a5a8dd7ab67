/* Allocates blocks of sizes that nothing else asks for, on several threads, and says how many of each. With the argument
 * `kill`, ends by a signal that nobody can handle; with `close PATH`, closes every descriptor that is not its own in the middle,
 * and gets the numbers again for a file of its own. */
#include "check.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

enum { THREADS = 4, BLOCKS = 5000, FIRST = 70001 };

static void *work(void *number) {
  size_t size = FIRST + (size_t)(uintptr_t)number;
  for (int i = 0; i < BLOCKS; i++) {
    void *block = malloc(unknown(size));
    CHECK(block != NULL);
    free(opaque(block));
  }
  return NULL;
}

static void all(void) {
  pthread_t thread[THREADS];
  for (intptr_t i = 0; i < THREADS; i++) CHECK(pthread_create(&thread[i], NULL, work, (void *)i) == 0);
  for (int i = 0; i < THREADS; i++) CHECK(pthread_join(thread[i], NULL) == 0);
}

int main(int count, char **arguments) {
  check_served();
  all();
  if (count == 2 && strcmp(arguments[1], "kill") == 0) kill(getpid(), SIGKILL);
  if (count == 3 && strcmp(arguments[1], "close") == 0) {
    for (int number = 3; number < 1024; number++) close(number);
    int file = open(arguments[2], O_RDWR | O_CREAT | O_TRUNC, 0644);
    CHECK(file == 3);
    for (int number = 1000; number < 1024; number++) CHECK(dup2(file, number) == number);
    all();
    CHECK(lseek(file, 0, SEEK_END) == 0);
  }
  for (int i = 0; i < THREADS; i++) printf("%d blocks of %d bytes\n", BLOCKS * (count == 3 ? 2 : 1), FIRST + i);
  return 0;
}
