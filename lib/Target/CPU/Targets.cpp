//===- Targets.cpp - Facts of CPU targets as records ------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The table of targets, and how a processor finds its row.
//
// rowTile leaves room for two vectors of columns: rowTile * 2 accumulators, two
// weights and an activation are at most vectorCount registers. One more spills,
// which costs up to 60 % of the speed. It also stays below the 8 ways of a
// first-level cache: rows whose bytes are a multiple of 4096 share a set, and
// with 12 of them a product ran at 0.4 times the speed (benchmarks/Notes.md).
//
// panelRows() is what a register tile covers in one pass over k, so that a pass
// reads neighbouring lines: panels twice as wide took AVX2 up to a tenth more
// time (benchmarks/Notes.md). With one vector of 16 lanes, a row alone would
// wait for its sums.
//
// panelTile gives vectors of 16 lanes what two vectors of 8 have in one panel:
// enough sums at a time to hide an instruction's latency, and more of them for
// each element that is loaded. AMX sums two panels at a time, in four registers
// of 16 rows and 16 columns; four share rows while they are in a cache.
//
//===----------------------------------------------------------------------===//
#include "smelt/Target/CPU/Targets.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm-c/Target.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include <memory>

using namespace smelt;

#define SMELT_V2 "sse3,ssse3,sse4.1,sse4.2,popcnt"
#define SMELT_V3 SMELT_V2 ",avx,avx2,fma,f16c,bmi,bmi2,lzcnt,movbe"
#define SMELT_V4 SMELT_V3 ",avx512f,avx512bw,avx512cd,avx512dq,avx512vl"
#define SMELT_AMX "+avx512vnni,+avx512bf16,+amx-tile,+amx-int8,+amx-bf16"
#define SMELT_AMX_NAMES "avx512vnni,avx512bf16,amx-tile,amx-int8,amx-bf16"
#define SMELT_LINUX "x86_64-unknown-linux-gnu"
#define SMELT_ARM "aarch64-unknown-linux-gnu"

// clang-format off
static constexpr TargetRecord records[] = {
  // [doc:targets]
  // name          triple       cpu          LLVM features               executed features                  bits regs  rows panels     unpack prefetch fma    f16c   bf16   bytes  signed  words  page
  {"amx",         SMELT_LINUX, "x86-64-v4", SMELT_AMX,                 SMELT_V4 "," SMELT_AMX_NAMES,      512, 32,   6, 4, 512 << 10, 48,     1, 4096,  true,  true,  true,  true,  false, true,  4096},
  {"avx512-bf16", SMELT_LINUX, "x86-64-v4", "+avx512vnni,+avx512bf16", SMELT_V4 ",avx512vnni,avx512bf16", 512, 32,   6, 4, 512 << 10, 48,     2, 2048,  true,  true,  true,  true,  false, true,  4096},
  {"avx512-vnni", SMELT_LINUX, "x86-64-v4", "+avx512vnni",             SMELT_V4 ",avx512vnni",            512, 32,   6, 4, 512 << 10, 48,     1, 4096,  true,  true,  false, true,  false, true,  4096},
  {"avx512",      SMELT_LINUX, "x86-64-v4", "",                        SMELT_V4,                          512, 32,   6, 4, 512 << 10, 48,     1, 4096,  true,  true,  false, false, false, true,  4096},
  {"avx-vnni",    SMELT_LINUX, "x86-64-v3", "+avxvnni",                SMELT_V3 ",avxvnni",               256, 16,   6, 1, 256 << 10, 48,     2, 2048,  true,  true,  false, true,  false, true,  4096},
  {"avx2",        SMELT_LINUX, "x86-64-v3", "",                        SMELT_V3,                          256, 16,   6, 1, 256 << 10, 48,     1, 2048,  true,  true,  false, false, false, true,  4096},
  {"neon-i8mm",   SMELT_ARM,   "generic",   "+dotprod,+i8mm",          "neon,dotprod,i8mm",               128, 32,   6, 1, 256 << 10, 48,     0, 0,     true,  true,  false, true,  true,  false, 65536},
  {"neon-dotprod", SMELT_ARM,  "generic",   "+dotprod",                "neon,dotprod",                    128, 32,   6, 1, 256 << 10, 48,     0, 0,     true,  true,  false, false, true,  false, 65536},
  // [/doc:targets]
  {"generic",     SMELT_LINUX, "x86-64",    "",                        "",                                128, 16,   6, 1, 256 << 10, 48,     0, 0,     false, false, false, false, false, true,  4096},
  {"neon",        SMELT_ARM,   "generic",   "",                        "neon",                            128, 32,   6, 1, 256 << 10, 48,     0, 0,     true,  true,  false, false, false, false, 65536},
};
// clang-format on

llvm::SmallVector<llvm::StringRef> TargetRecord::runtimeFeatureList() const {
  llvm::SmallVector<llvm::StringRef> features;
  runtimeFeatures.split(features, ',', -1, /*KeepEmpty=*/false);
  return features;
}

int64_t TargetRecord::panelDepth(mlir::Type element) const {
  return element.isBF16() ? 2 : 1;
}

llvm::ArrayRef<TargetRecord> smelt::targetRecords() { return records; }

std::string smelt::targetNames() {
  return llvm::join(llvm::map_range(records,
                                    [](const TargetRecord &record) {
                                      return record.name.str();
                                    }),
                    ", ");
}

const TargetRecord *smelt::lookupTarget(llvm::StringRef name) {
  const TargetRecord *record = llvm::find_if(
      records, [&](const TargetRecord &r) { return r.name == name; });
  return record == std::end(records) ? nullptr : record;
}

/// The first record of an architecture all of whose features `has` confirms, or
/// null.
static const TargetRecord *
firstMatch(llvm::StringRef architecture,
           llvm::function_ref<bool(llvm::StringRef feature)> has) {
  const TargetRecord *record =
      llvm::find_if(records, [&](const TargetRecord &record) {
        return record.architecture() == architecture &&
               llvm::all_of(record.runtimeFeatureList(), has);
      });
  return record == std::end(records) ? nullptr : record;
}

void smelt::initializeBackends() {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  LLVMInitializeAArch64TargetInfo();
  LLVMInitializeAArch64Target();
  LLVMInitializeAArch64TargetMC();
  LLVMInitializeAArch64AsmPrinter();
}

llvm::StringRef smelt::hostArchitectureName() {
  return llvm::Triple::getArchTypeName(
      llvm::Triple(llvm::sys::getProcessTriple()).getArch());
}

/// The record for the processor that this runs on.
static const TargetRecord *selectHost(std::string &error) {
  llvm::StringMap<bool> features = llvm::sys::getHostCPUFeatures();
  const TargetRecord *record =
      firstMatch(hostArchitectureName(), [&](llvm::StringRef feature) {
        return features.lookup(feature);
      });
  if (!record)
    error = "no target is for this machine's architecture (" +
            hostArchitectureName().str() + "); name one of " + targetNames();
  return record;
}

const TargetRecord *smelt::selectTarget(llvm::StringRef mcpu,
                                        std::string &error) {
  if (const TargetRecord *record = lookupTarget(mcpu))
    return record;
  if (mcpu == "host")
    return selectHost(error);

  initializeBackends();
  for (llvm::StringRef name : {SMELT_LINUX, SMELT_ARM}) {
    llvm::Triple triple(name);
    const llvm::Target *target =
        llvm::TargetRegistry::lookupTarget(triple, error);
    if (!target)
      return nullptr;
    std::unique_ptr<llvm::MCSubtargetInfo> none(
        target->createMCSubtargetInfo(triple, "", ""));
    if (!none->isCPUStringValid(mcpu))
      continue;
    std::unique_ptr<llvm::MCSubtargetInfo> info(
        target->createMCSubtargetInfo(triple, mcpu, ""));
    return firstMatch(triple.getArchName(), [&](llvm::StringRef feature) {
      return info->checkFeatures("+" + feature.str());
    });
  }
  error = "unknown processor '" + mcpu.str() + "'; expected host, " +
          targetNames() +
          " or a name that LLVM knows, such as x86-64-v3, znver4 or "
          "neoverse-n1";
  return nullptr;
}

llvm::SmallVector<const TargetRecord *>
smelt::selectTargets(llvm::ArrayRef<std::string> names, std::string &error) {
  llvm::SmallPtrSet<const TargetRecord *, 8> wanted;
  for (llvm::StringRef name : names) {
    bool isArchitecture = false;
    for (const TargetRecord &record : records)
      if (record.architecture() == name) {
        wanted.insert(&record);
        isArchitecture = true;
      }
    if (isArchitecture)
      continue;
    const TargetRecord *record = selectTarget(name, error);
    if (!record)
      return {};
    wanted.insert(record);
  }
  llvm::SmallVector<const TargetRecord *> result;
  for (const TargetRecord &record : records)
    if (wanted.contains(&record))
      result.push_back(&record);
  return result;
}

/// The attribute `llm.target` of the module that `op` is or stands in, or null.
static mlir::StringAttr getTargetName(mlir::Operation *op) {
  auto module = llvm::dyn_cast<mlir::ModuleOp>(op);
  if (!module)
    module = op->getParentOfType<mlir::ModuleOp>();
  return module ? module->getAttrOfType<mlir::StringAttr>("llm.target")
                : mlir::StringAttr();
}

bool smelt::namesTarget(mlir::Operation *op) {
  return getTargetName(op) != nullptr;
}

const TargetRecord *smelt::getTarget(mlir::Operation *op) {
  mlir::StringAttr name = getTargetName(op);
  if (!name) {
    op->emitError("expects the module to name a target in llm.target");
    return nullptr;
  }
  const TargetRecord *record = lookupTarget(name.getValue());
  if (!record)
    op->emitError("expects llm.target to be the name of a target record, got '")
        << name.getValue() << "'";
  return record;
}
