//===- Link.cpp - Object to shared object -----------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The linker runs in this process. It works on files, so the object goes
// through a temporary folder; neither its name nor the time ends up in the
// output.
//
//===----------------------------------------------------------------------===//
#include "Link.h"

#include "lld/Common/Driver.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

LLD_HAS_DRIVER(elf)

using namespace llvm;

static bool writeFile(StringRef path, ArrayRef<char> bytes,
                      std::string &error) {
  std::error_code code;
  raw_fd_ostream stream(path, code);
  if (!code) {
    stream.write(bytes.data(), bytes.size());
    stream.close();
    code = stream.error();
    stream.clear_error();
  }
  if (code)
    error = "cannot write " + path.str() + ": " + code.message();
  return !code;
}

bool smelt::linkShared(SmallVectorImpl<char> &code, const TargetRecord &target,
                       std::string &error) {
  SmallString<128> folder;
  if (std::error_code failed =
          sys::fs::createUniqueDirectory("smelt", folder)) {
    error = "cannot make a temporary folder: " + failed.message();
    return false;
  }
  scope_exit cleanUp([&] { sys::fs::remove_directories(folder); });
  SmallString<128> object(folder), shared(folder);
  sys::path::append(object, "model.o");
  sys::path::append(shared, "model.so");
  if (!writeFile(object, code, error))
    return false;

  std::string page = "-zmax-page-size=" + std::to_string(target.pageBytes);
  const char *arguments[] = {"ld.lld",
                             "-shared",
                             "--no-undefined",
                             "-Bsymbolic",
                             "-znow",
                             "-znoexecstack",
                             page.c_str(),
                             "--build-id=none",
                             "--hash-style=gnu",
                             "--threads=1",
                             "-o",
                             shared.c_str(),
                             object.c_str()};
  std::string words;
  raw_string_ostream stream(words);
  lld::Result result =
      lld::lldMain(arguments, stream, stream, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode != 0) {
    error = "cannot link the code: " + StringRef(words).trim().str();
    return false;
  }
  auto buffer = MemoryBuffer::getFile(shared, /*IsText=*/false,
                                      /*RequiresNullTerminator=*/false);
  if (!buffer) {
    error = "cannot read the linked code: " + buffer.getError().message();
    return false;
  }
  code.assign((*buffer)->getBufferStart(), (*buffer)->getBufferEnd());
  return true;
}

bool smelt::checkDefined(StringRef code, std::string &error) {
  auto object = object::ObjectFile::createObjectFile(
      MemoryBufferRef(code, "the generated object"));
  if (!object) {
    error = toString(object.takeError());
    return false;
  }
  SmallVector<std::string> undefined;
  for (const object::SymbolRef &symbol : (*object)->symbols()) {
    Expected<uint32_t> flags = symbol.getFlags();
    Expected<StringRef> name = symbol.getName();
    if (!flags || !name) {
      error = toString(joinErrors(flags.takeError(), name.takeError()));
      return false;
    }
    if ((*flags & object::SymbolRef::SF_Undefined) && !name->empty() &&
        *name != "_GLOBAL_OFFSET_TABLE_")
      undefined.push_back(name->str());
  }
  if (undefined.empty())
    return true;
  llvm::sort(undefined);
  error = "the generated code has undefined symbols: " + join(undefined, ", ");
  return false;
}
