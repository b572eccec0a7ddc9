//===- Compile.cpp - From a model to a file ---------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads a module (a checkpoint or a file of IR), takes it through the stages
// that are left, and writes what was asked for:
//
//     DIR or FILE.mlir -> stages -> mlir | llvm, asm, obj, shared | ingot
//
//===----------------------------------------------------------------------===//
#include "smelt/Pipeline/Compile.h"

#include "Progress.h"
#include "smelt/Dialect/LLM/IR/LLM.h"
#include "smelt/Import/Formats/Output.h"
#include "smelt/Import/Models/Import.h"
#include "smelt/InitAll.h"
#include "smelt/Pipeline/Pipeline.h"
#include "smelt/Target/CPU/Emit.h"
#include "smelt/Target/Ingot/Ingot.h"
#include "smelt/Transforms/Graph/Passes.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/ToolOutputFile.h"

using namespace mlir;
using namespace smelt;

static bool report(const llvm::Twine &message) {
  llvm::errs() << "smelt compile: " << message << "\n";
  return false;
}

/// Writes a file, or standard output for "-"; a file that didn't get all of it
/// is removed.
static bool writeTo(llvm::StringRef path,
                    llvm::function_ref<void(llvm::raw_ostream &)> print) {
  std::string error;
  auto file = openOutputFile(path, &error);
  if (!file)
    return report(error);
  print(file->os());
  file->os().flush();
  if (file->os().has_error()) {
    error = file->os().error().message();
    file->os().clear_error();
    return report("cannot write " + path + ": " + error);
  }
  file->keep();
  return true;
}

/// Errors of passes and parsers, in the form of our own. The place is named if
/// it is one of a file.
static LogicalResult printDiagnostic(Diagnostic &diagnostic) {
  if (diagnostic.getSeverity() == DiagnosticSeverity::Remark)
    return success();
  const char *kind =
      diagnostic.getSeverity() == DiagnosticSeverity::Error ? "" : "warning: ";
  auto place = [](Location location) {
    std::string text;
    if (auto file = location->findInstanceOf<FileLineColLoc>())
      text = (file.getFilename().getValue() + ":" +
              llvm::Twine(file.getLine()) + ": ")
                 .str();
    return text;
  };
  report(place(diagnostic.getLocation()) + kind + diagnostic.str());
  for (Diagnostic &note : diagnostic.getNotes())
    llvm::errs() << "  note: " << place(note.getLocation()) << note.str()
                 << "\n";
  return success();
}

namespace {
class Compilation {
public:
  explicit Compilation(const CompileOptions &options)
      : options(options), progress(options.isQuiet) {}
  bool run();

private:
  bool load();
  bool nameModel();
  bool addQuantization();
  bool addProfile();
  bool checkOutput();
  bool chooseTarget();
  bool chooseLastStage();
  bool runPasses();
  bool dump(const Stage &stage, size_t number);
  bool write();
  bool writeText(llvm::StringRef text);
  std::string outputPath() const;
  bool isCheckpoint() const {
    return llvm::sys::fs::is_directory(options.input);
  }

  const CompileOptions &options;
  Progress progress;
  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  const TargetRecord *target = nullptr;
  const Stage *last = nullptr;
};
} // namespace

bool Compilation::load() {
  DialectRegistry registry;
  registerAll(registry);
  registerEmission(registry);
  context.appendDialectRegistry(registry);
  context.getDiagEngine().registerHandler(printDiagnostic);
  if (!llvm::sys::fs::exists(options.input))
    return report("'" + options.input +
                  "' does not exist; expected a checkpoint's folder or a file "
                  "of IR");
  if (!isCheckpoint()) {
    if (!options.cache.empty())
      return report("--kv-cache is for checkpoints; in IR, the type !llm.kv "
                    "says what the cache stores");
    ParserConfig config(&context);
    module = parseSourceFile<ModuleOp>(options.input, config);
    return static_cast<bool>(module);
  }
  ImportOptions import;
  if (!options.dtype.empty())
    import.dtype =
        options.dtype == "bf16" ? ComputeType::BF16 : ComputeType::F32;
  import.cache = options.cache;
  progress.begin(stages().front().name);
  std::string error;
  module = importCheckpoint(context, options.input, import, error);
  if (!module)
    return report(error);
  llvm::SmallString<256> tokenizer(options.input);
  llvm::sys::path::append(tokenizer, "tokenizer.json");
  if (options.emit == "ingot" && !options.isQuiet &&
      !llvm::sys::fs::exists(tokenizer))
    report("note: '" + options.input +
           "' has no tokenizer.json; the ingot will take token ids only");
  return true;
}

bool Compilation::nameModel() {
  auto model = (*module)->getAttrOfType<DictionaryAttr>("llm.model");
  if (options.name.empty() || !model)
    return true;
  const size_t longest = 255;
  if (options.name.size() > longest || !llvm::json::isUTF8(options.name))
    return report("expected a name of at most " + llvm::Twine(longest) +
                  " bytes of UTF-8");
  NamedAttrList card(model);
  card.set("name", StringAttr::get(&context, options.name));
  (*module)->setAttr("llm.model", card.getDictionary(&context));
  return true;
}

/// Refuses a place that no ingot can be written to before there is one.
/// Rules of --quantize become those of the module.
bool Compilation::addQuantization() {
  if (options.quantize.empty())
    return true;
  const Stage *reached = getStage(*module);
  if (!reached)
    return false;
  if (reached >= lookupStage("quantize"))
    return report("the module is at stage '" + reached->name +
                  "' already, too late to quantise");
  SmallVector<Attribute> rules;
  for (llvm::StringRef rule : options.quantize) {
    auto [pattern, scheme] =
        rule.contains('=')
            ? rule.split('=')
            : std::pair<llvm::StringRef, llvm::StringRef>("*", rule);
    auto fail = [&] {
      return emitError(UnknownLoc::get(&context)) << "--quantize: ";
    };
    rules.push_back(
        llm::QuantizeAttr::getChecked(fail, &context, pattern, scheme));
    if (!rules.back())
      return false;
  }
  (*module)->setAttr("llm.quantize", ArrayAttr::get(&context, rules));
  return true;
}

/// Marks the module, so that smelt-profile does its work.
bool Compilation::addProfile() {
  if (!options.profile)
    return true;
  const Stage *reached = getStage(*module);
  if (!reached)
    return false;
  if (reached >= lookupStage("bufferize"))
    return report("the module is at stage '" + reached->name +
                  "' already, too late to profile");
  (*module)->setAttr("llm.profile", UnitAttr::get(&context));
  return true;
}

bool Compilation::checkOutput() {
  std::string error;
  if (options.emit != "ingot")
    return true;
  if (options.output == "-")
    return report("an ingot can't go to standard output; name a file with -o");
  return checkOutputPath(outputPath(), error) || report(error);
}

/// The target of a module at a later stage is settled; otherwise --mcpu's.
bool Compilation::chooseTarget() {
  std::string error;
  const TargetRecord *wanted =
      selectTarget(options.mcpu.empty() ? "host" : options.mcpu, error);
  if (!wanted)
    return report(error);
  if (auto name = (*module)->getAttrOfType<StringAttr>("llm.target")) {
    target = getTarget(*module);
    if (!target)
      return false;
    if (!options.mcpu.empty() && target != wanted)
      return report("the module is for target '" + target->name +
                    "', --mcpu asks for '" + wanted->name + "'");
    return true;
  }
  target = wanted;
  (*module)->setAttr("llm.target", StringAttr::get(&context, target->name));
  return true;
}

bool Compilation::chooseLastStage() {
  const Stage *reached = getStage(*module);
  if (!reached)
    return false;
  if (options.lastStage.empty()) {
    last = &stages().back();
    return true;
  }
  last = lookupStage(options.lastStage);
  if (last < reached)
    return report("the module is at stage '" + reached->name +
                  "' already, cannot compile to '" + last->name + "'");
  return true;
}

/// Writes DIR/NUMBER-STAGE.mlir.
bool Compilation::dump(const Stage &stage, size_t number) {
  llvm::SmallString<256> path(options.dumpFolder);
  llvm::sys::path::append(path,
                          llvm::Twine(number) + "-" + stage.name + ".mlir");
  std::string error;
  if (std::error_code code =
          llvm::sys::fs::create_directories(options.dumpFolder))
    return report("cannot make " + options.dumpFolder + ": " + code.message());
  return writeTo(path,
                 [&](llvm::raw_ostream &stream) { (*module)->print(stream); });
}

bool Compilation::runPasses() {
  size_t number = getStage(*module) - stages().begin();
  if (!options.dumpFolder.empty() && !dump(stages()[number], number))
    return false;
  auto printStatistics = [&](const Stage &stage, llvm::StringRef when) {
    if (!options.printStatistics || stage.name != "graph")
      return;
    llvm::errs() << when << " stage graph: ";
    PassManager pm(module->getContext());
    pm.addPass(createPrintGraphStats());
    (void)pm.run(*module); // reads only
  };
  auto before = [&](const Stage &stage) {
    printStatistics(stage, "before");
    progress.begin(stage.name);
  };
  auto after = [&](const Stage &stage) {
    printStatistics(stage, "after");
    return success(options.dumpFolder.empty() || dump(stage, ++number));
  };
  return succeeded(runStages(*module, *last, {before, after}));
}

std::string Compilation::outputPath() const {
  if (!options.output.empty())
    return options.output;
  auto model = (*module)->getAttrOfType<DictionaryAttr>("llm.model");
  auto name = model ? model.getAs<StringAttr>("name") : StringAttr();
  llvm::StringRef file = name ? llvm::sys::path::filename(name.getValue()) : "";
  return (file.empty() ? "model" : file).str() + ".ingot";
}

bool Compilation::writeText(llvm::StringRef text) {
  return writeTo(options.output.empty() ? "-" : options.output,
                 [&](llvm::raw_ostream &stream) { stream << text; });
}

bool Compilation::write() {
  if (options.emit == "mlir") {
    std::string text;
    llvm::raw_string_ostream stream(text);
    (*module)->print(stream);
    return writeText(text);
  }
  auto kind = llvm::StringSwitch<CodeKind>(options.emit)
                  .Case("llvm", CodeKind::LLVM)
                  .Case("asm", CodeKind::Assembly)
                  .Case("obj", CodeKind::Object)
                  .Default(CodeKind::Shared);
  std::string error;
  llvm::SmallVector<char, 0> code;
  progress.begin("code");
  if (!emitCode(*module, *target, kind, code, error))
    return report(error);
  if (options.emit != "ingot")
    return writeText({code.data(), code.size()});

  progress.begin("weights");
  auto draw = [&](int64_t done, int64_t total) { progress.bar(done, total); };
  IngotOptions ingot;
  ingot.maxStepTokens = options.maxStepTokens;
  ingot.context = options.context;
  ingot.threads = options.threads;
  ingot.progress = draw;
  return writeIngot(*module, *target, {code.data(), code.size()}, outputPath(),
                    ingot, error) ||
         report(error);
}

bool Compilation::run() {
  bool isDone = load() && nameModel() && addQuantization() && addProfile() &&
                checkOutput() && chooseTarget() && chooseLastStage() &&
                runPasses() && write();
  progress.end();
  return isDone;
}

bool smelt::compile(const CompileOptions &options) {
  return Compilation(options).run();
}
