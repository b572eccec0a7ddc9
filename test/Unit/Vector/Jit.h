//===- Jit.h - IR text to callable functions --------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tests of passes that must keep or bound numbers run what the passes make:
// textual IR goes through a pipeline, is lowered to LLVM and compiled for the
// processor of the test.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TEST_UNIT_VECTOR_JIT_H
#define SMELT_TEST_UNIT_VECTOR_JIT_H

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace smelt::test {

/// A memref's descriptor of rank `rank`, as compiled functions take it.
template <typename T, int rank> struct MemRef {
  T *allocated, *aligned;
  int64_t offset;
  int64_t sizes[rank], strides[rank];
};

template <typename T> MemRef<T, 1> makeMemRef(std::vector<T> &data) {
  return {data.data(), data.data(), 0, {int64_t(data.size())}, {1}};
}

/// `rows` rows of `columns` elements, `stride` elements apart.
template <typename T>
MemRef<T, 2> makeMemRef(std::vector<T> &data, int64_t rows, int64_t columns,
                        int64_t stride) {
  return {data.data(), data.data(), 0, {rows, columns}, {stride, 1}};
}

/// A module's functions; those to call carry `llvm.emit_c_interface`.
class Jit {
public:
  /// Parses `ir`, runs `passes` (the inside of a builtin.module pipeline) and
  /// the lowering to LLVM. Failures are reported to googletest, and then
  /// isValid() is false.
  Jit(const std::string &ir, const std::string &passes);
  ~Jit();
  bool isValid() const;

  /// Calls `name` with pointers to memref descriptors.
  template <typename... Refs>
  void call(const std::string &name, Refs &...refs) {
    void *pointers[] = {static_cast<void *>(&refs)...};
    void *arguments[sizeof...(Refs)];
    for (unsigned i = 0; i < sizeof...(Refs); ++i)
      arguments[i] = &pointers[i];
    invoke(name, arguments);
  }

private:
  void invoke(const std::string &name, void **arguments);

  struct Engine;
  std::unique_ptr<Engine> engine;
};

} // namespace smelt::test

#endif // SMELT_TEST_UNIT_VECTOR_JIT_H
