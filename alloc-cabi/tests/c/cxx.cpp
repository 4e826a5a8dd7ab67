// C++: every form of new and delete, containers, exceptions, thread-local objects and threads.
#include "check.h"

#include <map>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

struct Plain {
  long words[7];
};

struct alignas(512) Wide {
  char bytes[1024];
};

struct Owner {
  std::string text = std::string(300, 'x');
  std::vector<int> numbers = std::vector<int>(1000, 5);
  ~Owner() {
    CHECK(text.size() == 300 && numbers.at(999) == 5);
    // Destructors of thread-locals run while the thread's storage is taken down.
    std::string more(5000, 'y');
    CHECK(more.back() == 'y');
  }
};

static thread_local Owner owner;
static Owner global;

template <typename T>
static void forms() {
  auto pass = [](auto *pointer) { return static_cast<decltype(pointer)>(opaque(pointer)); };
  delete pass(new T);
  delete[] pass(new T[5]);
  delete pass(new (std::nothrow) T);
  T *block = static_cast<T *>(opaque(::operator new(sizeof(T), std::align_val_t(alignof(T)))));
  CHECK(reinterpret_cast<std::uintptr_t>(block) % alignof(T) == 0);
  ::operator delete(block, sizeof(T), std::align_val_t(alignof(T)));
  ::operator delete(opaque(::operator new(100)), std::size_t(100));
  ::operator delete[](opaque(::operator new[](100)), std::size_t(100));
  ::operator delete(opaque(::operator new(100, std::nothrow)), std::nothrow);
  ::operator delete[](opaque(::operator new[](100, std::nothrow)), std::nothrow);
  ::operator delete[](opaque(::operator new[](100, std::align_val_t(64))), std::align_val_t(64));
  ::operator delete[](opaque(::operator new[](100, std::align_val_t(64))), 100, std::align_val_t(64));
  ::operator delete(opaque(::operator new(100, std::align_val_t(64), std::nothrow)), std::align_val_t(64), std::nothrow);
  ::operator delete[](opaque(::operator new[](100, std::align_val_t(64), std::nothrow)), std::align_val_t(64),
                      std::nothrow);
  ::operator delete(nullptr);
  ::operator delete(nullptr, std::size_t(8));
}

static int handled;

int main() {
  check_served();
  forms<Plain>();
  forms<Wide>();
  forms<std::string>();
  std::map<std::string, std::unique_ptr<Wide>> map;
  for (int i = 0; i < 500; i++) map[std::to_string(i)] = std::make_unique<Wide>();
  for (auto &entry : map) CHECK(reinterpret_cast<std::uintptr_t>(entry.second.get()) % 512 == 0);
  map.clear();
  bool thrown = false;
  try {
    ::operator delete(opaque(::operator new(unknown(SIZE_MAX / 2))));
  } catch (const std::bad_alloc &) {
    thrown = true;
  }
  CHECK(thrown);
  CHECK(::operator new(unknown(SIZE_MAX / 2), std::nothrow) == nullptr);
  std::set_new_handler([] {
    handled++;
    std::set_new_handler(nullptr);
  });
  CHECK(::operator new(unknown(SIZE_MAX / 2), std::nothrow) == nullptr);
  CHECK(handled == 1);
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; i++) threads.emplace_back([] { CHECK(owner.text.size() == 300); });
  for (auto &thread : threads) thread.join();
  CHECK(owner.numbers.size() == 1000 && global.numbers.size() == 1000);
  std::puts("ok");
}
