// What a pure function of a few short texts gave lately: a producer's records name the same objects
// and reasons again and again.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/hash.h"

namespace spool {

// One thread; up to 350 bytes a slot that was used. A slot keeps the last of those that fall into
// it.
template <typename T, size_t kSlots>
class Memo {
 public:
  // `compute()`, unless it is remembered for these texts, of which there is one at least. Texts
  // that are longer than names are, or have a zero in them, are computed each time.
  template <typename F>
  T Of(std::initializer_list<std::string_view> texts, const F& compute) {
    char key[kKeyMax];
    size_t size = 0;
    for (const std::string_view text : texts) {
      if (text.size() >= kKeyMax - size) return compute();
      text.copy(key + size, text.size());
      if (std::memchr(key + size, '\0', text.size()) != nullptr) return compute();
      size += text.size();
      key[size++] = '\0';
    }
    const std::string_view whole(key, size);
    Slot& slot = slots_[FastHash64(whole) % kSlots];
    if (slot.key != whole) slot = {std::string(whole), compute()};
    return slot.result;
  }

 private:
  static constexpr size_t kKeyMax = 256;
  struct Slot {
    std::string key;
    T result{};
  };
  std::array<Slot, kSlots> slots_;
};

}  // namespace spool
