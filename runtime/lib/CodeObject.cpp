//===- CodeObject.cpp - Makes an ingot's code callable --------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The dynamic loader only takes files, and an ingot's code is a part of one. An
// anonymous file in memory carries it over; each has an inode of its own, so
// two models never share a handle.
//
//===----------------------------------------------------------------------===//
#include "CodeObject.h"

#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace smelt;

static bool writeAll(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t written = write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return false;
    bytes.remove_prefix(written);
  }
  return true;
}

CodeObject::~CodeObject() {
  if (handle)
    dlclose(handle);
}

bool CodeObject::load(std::string_view image, std::string &error) {
  if (image.size() < 64 || image.substr(0, 5) != "\x7f"
                                                 "ELF\x02") {
    error = "the code section is not a 64-bit ELF file";
    return false;
  }
  int file = memfd_create("smelt-code", MFD_CLOEXEC);
  if (file < 0 || !writeAll(file, image)) {
    error = std::string("cannot copy the code section to memory: ") +
            std::strerror(errno);
    if (file >= 0)
      close(file);
    return false;
  }
  std::string path = "/proc/self/fd/" + std::to_string(file);
  handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    error = std::string("cannot load the code section: ") + dlerror();
  close(file);
  if (!handle)
    return false;
  function =
      reinterpret_cast<SmeltStepFunction>(dlsym(handle, SMELT_ENTRY_POINT));
  if (!function)
    error = "the code section does not export " SMELT_ENTRY_POINT;
  return function != nullptr;
}
