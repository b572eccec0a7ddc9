//===- Output.h - Where files may be written ---------------------*- C++
//-*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Files are written beside their place and renamed. That would also replace a
// device or the entry of a pipe, which nobody means by `-o /dev/null`.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_IMPORT_FORMATS_OUTPUT_H
#define SMELT_IMPORT_FORMATS_OUTPUT_H

#include <string>

namespace smelt {

/// Whether a new file may take the name `path`: its folder can be written, and
/// what has the name now, if anything, is a regular file.
bool checkOutputPath(const std::string &path, std::string &error);

} // namespace smelt

#endif // SMELT_IMPORT_FORMATS_OUTPUT_H
