//===- Emit.cpp - From the llvm dialect to machine code ---------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The numbers of a model must not depend on what LLVM happens to do here, so
// nothing below may change them: no fused operation but those that the IR
// spells out, no vectoriser that would reorder a sum, no library call. A loop
// that looks like memset stays a loop.
//
//===----------------------------------------------------------------------===//
#include "smelt/Target/CPU/Emit.h"

#include "Link.h"
#include "smelt/abi.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/Analysis/ScalarEvolution.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/LoopUtils.h"

using namespace smelt;

void smelt::registerEmission(mlir::DialectRegistry &registry) {
  mlir::registerAllToLLVMIRTranslations(registry);
}

/// The first op that is not of the llvm dialect, or null. Casts are but the
/// traces that such an op leaves on its neighbours, so they are named last.
static mlir::Operation *findOther(mlir::ModuleOp module) {
  mlir::Operation *cast = nullptr, *other = nullptr;
  module.getBody()->walk([&](mlir::Operation *op) {
    if (llvm::isa_and_nonnull<mlir::LLVM::LLVMDialect>(op->getDialect()))
      return mlir::WalkResult::advance();
    bool isCast = llvm::isa<mlir::UnrealizedConversionCastOp>(op);
    (isCast ? cast : other) = op;
    return isCast ? mlir::WalkResult::advance() : mlir::WalkResult::interrupt();
  });
  return other ? other : cast;
}

/// The LLVM IR of what `module` holds in the llvm dialect, or null.
static std::unique_ptr<llvm::Module> translate(mlir::ModuleOp module,
                                               llvm::LLVMContext &context,
                                               std::string &error) {
  mlir::OwningOpRef<mlir::ModuleOp> code = module.clone();
  for (mlir::Operation &op :
       llvm::make_early_inc_range(code->getBody()->getOperations()))
    if (op.getDialect() && op.getDialect()->getNamespace() == "llm")
      op.erase();
  mlir::Operation *other = findOther(*code);
  if (other) {
    error = "expects ops of the llvm dialect to emit code, found '" +
            other->getName().getStringRef().str() +
            "'; did all stages up to llvm run?";
    return nullptr;
  }
  auto entry = code->lookupSymbol<mlir::LLVM::LLVMFuncOp>(SMELT_ENTRY_POINT);
  if (!entry || entry.isExternal()) {
    error = "expects the module to define the entry point " SMELT_ENTRY_POINT;
    return nullptr;
  }
  mlir::ScopedDiagnosticHandler handler(code->getContext(),
                                        [&](mlir::Diagnostic &diagnostic) {
                                          error = diagnostic.str();
                                          return mlir::success();
                                        });
  auto result = mlir::translateModuleToLLVMIR(*code, context, "model");
  if (!result && error.empty())
    error = "cannot translate the module to LLVM IR";
  return result;
}

static std::unique_ptr<llvm::TargetMachine>
createMachine(const TargetRecord &target, std::string &error) {
  initializeBackends();
  llvm::Triple triple(target.triple);
  const llvm::Target *backend =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!backend)
    return nullptr;
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  return std::unique_ptr<llvm::TargetMachine>(backend->createTargetMachine(
      triple, target.cpu, target.llvmFeatures, options, llvm::Reloc::PIC_,
      llvm::CodeModel::Small, llvm::CodeGenOptLevel::Aggressive));
}

/// Says of every function what it may use, and hides all but the entry point.
static void setAttributes(llvm::Module &module, const TargetRecord &target) {
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", target.cpu);
    if (!target.llvmFeatures.empty())
      function.addFnAttr("target-features", target.llvmFeatures);
    function.addFnAttr("prefer-vector-width",
                       std::to_string(target.vectorBits));
    function.addFnAttr("no-builtins");
    function.addFnAttr(llvm::Attribute::NoUnwind);
    bool isEntry = function.getName() == SMELT_ENTRY_POINT;
    function.setLinkage(isEntry ? llvm::GlobalValue::ExternalLinkage
                                : llvm::GlobalValue::InternalLinkage);
  }
  for (llvm::GlobalVariable &global : module.globals())
    if (!global.isDeclaration())
      global.setLinkage(llvm::GlobalValue::InternalLinkage);
}

/// What MLIR's own passes leave: stack slots, loads of what is known, loops to
/// rotate. LLVM's O2 takes four times as long, most of it in passes that find
/// nothing here (inlining, unrolling, vectorisers), and made none of the models
/// measured faster.
static constexpr char passes[] =
    "function(sroa,early-cse<memssa>,simplifycfg,instcombine,"
    "loop-mssa(loop-simplifycfg,loop-rotate,licm),"
    "early-cse<memssa>,simplifycfg,instcombine,loop(indvars,loop-deletion),"
    "vector-combine,div-rem-pairs,simplifycfg)";

/// Says how often loops turn, where that is known. Of a loop that it knows
/// nothing of, LLVM assumes about 31 turns, so that the constants of a short
/// loop would keep their registers and the sums of a long one be spilled.
static void addTripCounts(llvm::Function &function,
                          llvm::FunctionAnalysisManager &functions) {
  auto &loops = functions.getResult<llvm::LoopAnalysis>(function);
  auto &evolution =
      functions.getResult<llvm::ScalarEvolutionAnalysis>(function);
  for (llvm::Loop *loop : loops.getLoopsInPreorder())
    if (unsigned count = evolution.getSmallConstantTripCount(loop))
      llvm::setLoopEstimatedTripCount(loop, count, /*invocations=*/1);
}

static void optimise(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::PassBuilder builder(&machine);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  // Nothing outside the module exists, so no library function does either.
  llvm::TargetLibraryInfoImpl library(module.getTargetTriple());
  library.disableAllFunctions();
  functions.registerPass([&] { return llvm::TargetLibraryAnalysis(library); });
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  llvm::ModulePassManager all;
  llvm::cantFail(builder.parsePassPipeline(all, passes));
  all.run(module, modules);
  for (llvm::Function &function : module)
    if (!function.isDeclaration())
      addTripCounts(function, functions);
}

static bool generate(llvm::Module &module, llvm::TargetMachine &machine,
                     llvm::CodeGenFileType kind,
                     llvm::SmallVectorImpl<char> &code, std::string &error) {
  llvm::raw_svector_ostream stream(code);
  llvm::legacy::PassManager passes;
  llvm::TargetLibraryInfoImpl library(module.getTargetTriple());
  library.disableAllFunctions();
  passes.add(new llvm::TargetLibraryInfoWrapperPass(library));
  if (machine.addPassesToEmitFile(passes, stream, nullptr, kind)) {
    error = "the target cannot write this kind of file";
    return false;
  }
  passes.run(module);
  return true;
}

bool smelt::emitCode(mlir::ModuleOp module, const TargetRecord &target,
                     CodeKind kind, llvm::SmallVectorImpl<char> &code,
                     std::string &error) {
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> ir = translate(module, context, error);
  if (!ir)
    return false;
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(target, error);
  if (!machine)
    return false;
  ir->setTargetTriple(machine->getTargetTriple());
  ir->setDataLayout(machine->createDataLayout());
  ir->setPICLevel(llvm::PICLevel::BigPIC);
  setAttributes(*ir, target);
  llvm::raw_string_ostream words(error);
  if (llvm::verifyModule(*ir, &words))
    return false;
  optimise(*ir, *machine);

  code.clear();
  if (kind == CodeKind::LLVM) {
    llvm::raw_svector_ostream stream(code);
    ir->print(stream, nullptr);
    return true;
  }
  if (kind == CodeKind::Assembly)
    return generate(*ir, *machine, llvm::CodeGenFileType::AssemblyFile, code,
                    error);
  if (!generate(*ir, *machine, llvm::CodeGenFileType::ObjectFile, code,
                error) ||
      !checkDefined({code.data(), code.size()}, error))
    return false;
  return kind == CodeKind::Object || linkShared(code, target, error);
}
