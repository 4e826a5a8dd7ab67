// What a tracer meets in C++ programs: exceptions through deep stacks, threads that end, libraries that come and go, forks.
// The argument is a library to load.
#include "check.h"

#include <map>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <vector>

struct Held {
  std::string text = std::string(100, 'h');
  ~Held() { CHECK(text.size() == 100); }
};

static int deep(int depth, const std::string &word) {
  Held held;
  if (depth == 0) throw std::runtime_error(word + held.text);
  return deep(depth - 1, word + "x") + static_cast<int>(held.text.size());
}

static size_t work(int seed) {
  std::map<int, std::vector<std::string>> map;
  size_t sum = 0;
  for (int i = 0; i < 100; i++) {
    map[i * seed % 97].push_back(std::string(static_cast<size_t>(i % 90), 'y'));
    try {
      deep(i % 60, "word");
    } catch (const std::exception &error) {
      sum += std::string(error.what()).size();
    }
  }
  return sum;
}

static void load(const char *library) {
  for (int i = 0; i < 20; i++) {
    void *handle = dlopen(library, RTLD_NOW);
    CHECK(handle != nullptr);
    CHECK(dlclose(handle) == 0);
  }
}

int main(int count, char **arguments) {
  check_served();
  CHECK(count == 2);
  std::vector<std::thread> threads;
  std::vector<size_t> sums(4);
  for (size_t i = 0; i < sums.size(); i++) threads.emplace_back([&, i] { sums[i] = work(static_cast<int>(i) + 1); });
  for (int i = 0; i < 5; i++) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) _exit(work(3) > 0 ? 7 : 8);
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
  }
  for (auto &thread : threads) thread.join();
  load(arguments[1]);
  size_t sum = 0;
  for (size_t one : sums) sum += one;
  std::printf("%zu\n", sum);
}
