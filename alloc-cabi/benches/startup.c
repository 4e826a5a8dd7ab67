/* startup LIBRARY STRATEGY ROUNDS: what the preloaded library adds to the start and end of /bin/true.
 *
 * Runs are interleaved (without, with, with, without); told is the median of the rounds' differences, in microseconds. */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

static double run(char **environment) {
  struct timespec begin, end;
  char *arguments[] = {(char *)"true", NULL};
  pid_t pid;
  int status;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  if (posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, environment) != 0) exit(1);
  if (waitpid(pid, &status, 0) != pid || status != 0) exit(1);
  clock_gettime(CLOCK_MONOTONIC, &end);
  return (double)(end.tv_sec - begin.tv_sec) * 1e6 + (double)(end.tv_nsec - begin.tv_nsec) / 1e3;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int count, char **arguments) {
  if (count != 4) return 2;
  char preload[4096], strategy[64];
  snprintf(preload, sizeof preload, "LD_PRELOAD=%s", arguments[1]);
  snprintf(strategy, sizeof strategy, "STRATA_STRATEGY=%s", arguments[2]);
  int rounds = atoi(arguments[3]);
  char *with[] = {preload, strategy, (char *)"PATH=/bin", NULL};
  char *without[] = {(char *)"PATH=/bin", NULL};
  double *plain = calloc((size_t)rounds, sizeof(double)), *added = calloc((size_t)rounds, sizeof(double));
  for (int i = 0; i < rounds; i++) {
    double first = run(without), second = run(with), third = run(with), fourth = run(without);
    plain[i] = (first + fourth) / 2;
    added[i] = (second + third) / 2 - plain[i];
  }
  qsort(plain, (size_t)rounds, sizeof(double), ascending);
  qsort(added, (size_t)rounds, sizeof(double), ascending);
  printf("%-9s without %6.0f, added %5.0f microseconds (half of the rounds: %.0f to %.0f)\n", arguments[2],
         plain[rounds / 2], added[rounds / 2], added[rounds / 4], added[rounds * 3 / 4]);
  return 0;
}
