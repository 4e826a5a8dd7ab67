// Ends by `_exit`, in the way that the first argument names, after children of all kinds have done so.
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BYTES = 100000, BLOCKS = 20 };

static void *blocks[BLOCKS];

static void take(int from, int to) {
  for (int i = from; i < to; i++) {
    blocks[i] = malloc(BYTES);
    if (!blocks[i]) _exit(100);
  }
}

static void handler(int number) {
  (void)number;
  _exit(3);
}

static void await(pid_t child) {
  int status;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 5) _exit(101);
}

int main(int argc, char **argv) {
  if (argc < 2) return 1;
  take(0, BLOCKS / 2);
  pid_t child = vfork();
  if (child == 0) _exit(5);
  await(child);
  child = fork();
  if (child == 0) {
    void *volatile block = malloc(BYTES);
    free(block);
    _exit(5);
  }
  await(child);
  // Behind the C library's back.
  child = (pid_t)syscall(SYS_fork);
  if (child == 0) _exit(5);
  await(child);
  take(BLOCKS / 2, BLOCKS);
  if (!strcmp(argv[1], "_Exit")) _Exit(3);
  if (!strcmp(argv[1], "handler")) {
    signal(SIGUSR1, handler);
    raise(SIGUSR1);
  }
  _exit(3);
}
