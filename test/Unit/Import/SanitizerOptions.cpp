//===- SanitizerOptions.cpp - For tests that use LLVM's library -*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// LLVM's allocators mark free memory for AddressSanitizer, in headers and in
// the library. The library that distributions ship was built without, so what
// one of the two marks the other would stumble over.
//
//===----------------------------------------------------------------------===//

extern "C" const char *__asan_default_options();

extern "C" const char *__asan_default_options() {
  return "allow_user_poisoning=0";
}
