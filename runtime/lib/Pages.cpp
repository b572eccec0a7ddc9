//===- Pages.cpp - Anonymous memory from the system -----------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// See Pages.h. Large buffers ask for huge pages: a step walks through megabytes
// of them, and the kernel grants them where it may.
//
//===----------------------------------------------------------------------===//
#include "Pages.h"

#include <cerrno>
#include <cstring>
#include <sys/mman.h>
#include <utility>

using namespace smelt;

/// Below this size huge pages only waste memory.
static constexpr uint64_t hugePageThreshold = uint64_t(8) << 20;

Pages::~Pages() {
  if (base)
    munmap(base, bytes);
}

Pages::Pages(Pages &&other) noexcept { *this = std::move(other); }

Pages &Pages::operator=(Pages &&other) noexcept {
  std::swap(base, other.base);
  std::swap(bytes, other.bytes);
  return *this;
}

bool Pages::allocate(uint64_t size, const char *what, std::string &error) {
  *this = Pages();
  if (size == 0)
    return true;
  void *memory = MAP_FAILED;
  if (size <= PTRDIFF_MAX)
    memory = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  else
    errno = ENOMEM;
  if (memory == MAP_FAILED) {
    error = "cannot allocate " + std::to_string(size) + " bytes for the " +
            what + ": " + std::strerror(errno);
    return false;
  }
  base = static_cast<uint8_t *>(memory);
  bytes = size;
  if (size >= hugePageThreshold)
    madvise(base, bytes, MADV_HUGEPAGE);
  return true;
}
