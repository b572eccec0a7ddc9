//===- OutputFile.cpp - A file that appears when complete -------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "OutputFile.h"

#include "smelt/Import/Formats/Output.h"

#include "llvm/Support/Signals.h"
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>

using namespace smelt;

OutputFile::OutputFile(std::string path, std::string &error)
    : path(std::move(path)), temporary(this->path + ".XXXXXX"), error(error) {
  if (!checkOutputPath(this->path, error))
    return;
  descriptor = mkstemp(temporary.data());
  if (descriptor < 0) {
    fail("create");
    return;
  }
  llvm::sys::RemoveFileOnSignal(temporary);
  mode_t mask = umask(0);
  umask(mask);
  fchmod(descriptor, 0666 & ~mask);
}

OutputFile::~OutputFile() {
  if (descriptor < 0)
    return;
  close(descriptor);
  unlink(temporary.c_str());
  llvm::sys::DontRemoveFileOnSignal(temporary);
}

bool OutputFile::fail(const char *what) {
  if (error.empty())
    error = std::string("cannot ") + what + " " + path + ": " +
            std::strerror(errno);
  return false;
}

bool OutputFile::append(const void *data, uint64_t bytes) {
  auto *from = static_cast<const char *>(data);
  if (!error.empty())
    return false;
  while (bytes) {
    ssize_t written =
        write(descriptor, from, std::min<uint64_t>(bytes, 1 << 30));
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return fail("write");
    from += written;
    bytes -= written;
    end += written;
  }
  return true;
}

bool OutputFile::alignTo(uint64_t alignment) {
  static const char zeros[4096] = {};
  uint64_t missing = (alignment - end % alignment) % alignment;
  while (missing) {
    uint64_t count = std::min<uint64_t>(missing, sizeof(zeros));
    if (!append(zeros, count))
      return false;
    missing -= count;
  }
  return error.empty();
}

bool OutputFile::overwriteStart(const void *data, uint64_t bytes) {
  if (!error.empty())
    return false;
  return pwrite(descriptor, data, bytes, 0) == static_cast<ssize_t>(bytes) ||
         fail("write");
}

bool OutputFile::commit() {
  if (!error.empty())
    return false;
  if (rename(temporary.c_str(), path.c_str()) != 0)
    return fail("rename a temporary file to");
  llvm::sys::DontRemoveFileOnSignal(temporary);
  // A full disk may show only now, on file systems that write behind.
  int closed = close(descriptor);
  descriptor = -1;
  if (closed == 0)
    return true;
  fail("write");
  unlink(path.c_str());
  return false;
}
