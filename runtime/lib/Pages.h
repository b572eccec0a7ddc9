//===- Pages.h - Anonymous memory from the system ---------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Page-aligned zeroed memory that is taken once, when a session is made. Pages
// become resident when they are first touched, so a buffer for the largest step
// costs nothing until such a step runs.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_RUNTIME_PAGES_H
#define SMELT_RUNTIME_PAGES_H

#include <cstddef>
#include <cstdint>
#include <string>

namespace smelt {

class Pages {
public:
  Pages() = default;
  ~Pages();
  Pages(Pages &&other) noexcept;
  Pages &operator=(Pages &&other) noexcept;

  /// Maps `bytes` of zeroes; zero bytes are no mapping. `what` names the buffer
  /// in the message of a failure.
  bool allocate(uint64_t bytes, const char *what, std::string &error);

  uint8_t *data() const { return base; }
  uint64_t size() const { return bytes; }
  template <typename T> T *as() const { return reinterpret_cast<T *>(base); }

private:
  uint8_t *base = nullptr;
  uint64_t bytes = 0;
};

} // namespace smelt

#endif // SMELT_RUNTIME_PAGES_H
