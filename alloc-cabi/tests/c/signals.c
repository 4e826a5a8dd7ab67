/* Signal handlers that allocate, free and fork while they interrupt the allocator, in a process with one thread and in one
 * with several. POSIX leaves it undefined; real programs do it, and must not deadlock.
 *
 * With the argument "even", handlers give back what they take before they return, and fork in the part with one thread only:
 * what glibc, too, survives. */
#include "check.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

enum { SIGNALS = 1500, FORKS = 20, KEPT = 8 };

static volatile sig_atomic_t signals;
static volatile sig_atomic_t forks;
static void *kept[KEPT];
static int even;
static int threads = 1;

static void on_signal(int number) {
  (void)number;
  int before = errno;
  int at = signals % KEPT;
  if (kept[at] != NULL) {
    CHECK(verify(kept[at], 90, (unsigned)at));
    free(kept[at]);
  }
  kept[at] = malloc(unknown(90));
  CHECK(kept[at] != NULL);
  fill(kept[at], 90, (unsigned)at);
  char *zeroed = calloc(unknown(3), 50);
  CHECK(zeroed != NULL);
  for (int i = 0; i < 150; i++) CHECK(zeroed[i] == 0);
  memset(opaque(zeroed), 7, 150);
  free(zeroed);
  if (even) {
    free(kept[at]);
    kept[at] = NULL;
  }
  if (signals % (SIGNALS / FORKS) == 0 && !(even && threads > 1)) {
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
      free(malloc(unknown(40)));
      _exit(0);
    }
    int status;
    while (waitpid(pid, &status, 0) < 0) CHECK(errno == EINTR);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    forks++;
  }
  signals++;
  errno = before;
}

static void interrupted(unsigned seed, int until) {
  enum { SLOTS = 32 };
  void *slot[SLOTS] = {0};
  size_t size[SLOTS];
  uint32_t random = seed;
  while (signals < until) {
    unsigned at = next_random(&random) % SLOTS;
    if (slot[at] != NULL) CHECK(verify(slot[at], size[at], at));
    free(slot[at]);
    size[at] = 1 + next_random(&random) % 600;
    slot[at] = malloc(size[at]);
    CHECK(slot[at] != NULL);
    fill(slot[at], size[at], at);
  }
  for (int at = 0; at < SLOTS; at++) free(slot[at]);
}

static void *beside(void *unused) {
  (void)unused;
  while (signals < 2 * SIGNALS) free(malloc(unknown(100)));
  return NULL;
}

int main(int count, char **arguments) {
  even = count > 1 && strcmp(arguments[1], "even") == 0;
  check_served();
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  struct itimerval often = {{0, 300}, {0, 300}};
  struct itimerval never = {{0, 0}, {0, 0}};
  CHECK(sigaction(SIGALRM, &action, NULL) == 0);
  CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
  interrupted(1, SIGNALS);
  /* The other thread never handles signals: it inherits the mask. */
  sigset_t all, before;
  sigfillset(&all);
  CHECK(pthread_sigmask(SIG_BLOCK, &all, &before) == 0);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, beside, NULL) == 0);
  threads = 2;
  CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
  interrupted(2, 2 * SIGNALS);
  CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  for (int i = 0; i < KEPT && !even; i++) {
    CHECK(verify(kept[i], 90, (unsigned)i));
    free(kept[i]);
  }
  CHECK(forks >= FORKS);
  puts("ok");
  return 0;
}
