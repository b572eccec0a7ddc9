//===- Link.h - Object to shared object -------------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_TARGET_CPU_LINK_H
#define SMELT_LIB_TARGET_CPU_LINK_H

#include "smelt/Target/CPU/Targets.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <string>

namespace smelt {

/// Replaces `code`, an ELF object without undefined symbols, by a shared object
/// with the same exports. False, and the linker's words in `error`, otherwise.
bool linkShared(llvm::SmallVectorImpl<char> &code, const TargetRecord &target,
                std::string &error);

/// False, and a message that names them in `error`, if the object `code` has
/// undefined symbols: nothing is loaded along with an ingot's code.
bool checkDefined(llvm::StringRef code, std::string &error);

} // namespace smelt

#endif // SMELT_LIB_TARGET_CPU_LINK_H
