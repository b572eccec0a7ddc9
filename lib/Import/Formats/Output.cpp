//===- Output.cpp - Where files may be written -------------------*- C++
//-*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "smelt/Import/Formats/Output.h"

#include <cerrno>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>

using namespace smelt;

bool smelt::checkOutputPath(const std::string &path, std::string &error) {
  size_t slash = path.rfind('/');
  std::string folder = slash == std::string::npos ? "." : path.substr(0, slash);
  struct stat info;
  bool isThere = stat(path.c_str(), &info) == 0;
  if (isThere && !S_ISREG(info.st_mode))
    error = "cannot write '" + path + "': expected a regular file or a new " +
            "name, found " +
            (S_ISDIR(info.st_mode) ? "a folder" : "a device or pipe");
  else if (path.empty() || slash == path.size() - 1)
    error = "cannot write '" + path + "': expected the name of a file";
  else if (access((folder + "/.").c_str(), W_OK | X_OK) != 0)
    error = "cannot write '" + path + "': " + strerror(errno);
  else
    return true;
  return false;
}
