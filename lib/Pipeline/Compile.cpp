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
// For several targets, the stages up to layout are run once, since weights lie
// alike for all; from there on each target has a module of its own.
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
  bool checkBefore(llvm::StringRef stage, llvm::StringRef purpose);
  bool addQuantization();
  bool addProfile();
  bool checkOutput();
  bool chooseTargets();
  bool chooseLastStage();
  void splitVersions();
  bool runPasses(ModuleOp module, const Stage &to);
  bool runAllPasses();
  bool dump(ModuleOp module, const Stage &stage, size_t number);
  bool sharesWeights(ModuleOp other);
  bool write();
  bool writeIngot();
  bool writeText(llvm::StringRef text);
  std::string outputPath() const;
  bool isCheckpoint() const {
    return llvm::sys::fs::is_directory(options.input);
  }

  const CompileOptions &options;
  Progress progress;
  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  llvm::SmallVector<const TargetRecord *> targets; // best first
  /// Modules of the targets but the first, which has `module`.
  std::vector<OwningOpRef<ModuleOp>> further;
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

/// Refuses a module that has reached `stage`, which heeds what it is to be
/// marked with.
bool Compilation::checkBefore(llvm::StringRef stage, llvm::StringRef purpose) {
  const Stage *reached = getStage(*module);
  if (!reached)
    return false;
  if (reached < lookupStage(stage))
    return true;
  return report("the module is at stage '" + reached->name +
                "' already, too late to " + purpose);
}

/// Rules of --quantize become those of the module.
bool Compilation::addQuantization() {
  if (options.quantize.empty())
    return true;
  if (!checkBefore("quantize", "quantise"))
    return false;
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
  if (!checkBefore("bufferize", "profile"))
    return false;
  (*module)->setAttr("llm.profile", UnitAttr::get(&context));
  return true;
}

/// Refuses a place that no ingot can be written to before there is one.
bool Compilation::checkOutput() {
  std::string error;
  if (options.emit != "ingot")
    return true;
  if (options.output == "-")
    return report("an ingot can't go to standard output; name a file with -o");
  return checkOutputPath(outputPath(), error) || report(error);
}

static void setTarget(ModuleOp module, const TargetRecord &target) {
  module->setAttr("llm.target",
                  StringAttr::get(module.getContext(), target.name));
}

/// The target of a module at a later stage is settled; otherwise --mcpu's.
bool Compilation::chooseTargets() {
  std::string error;
  targets = selectTargets(
      options.mcpu.empty() ? std::vector<std::string>{"host"} : options.mcpu,
      error);
  if (targets.empty())
    return report(error);
  bool isIngot = options.emit == "ingot" && options.lastStage.empty();
  if (targets.size() > 1 && !isIngot)
    return report("--mcpu asks for " + llvm::Twine(targets.size()) +
                  " targets; expected one for anything but an ingot");
  if (options.profile &&
      (targets.size() > 1 || targets.front()->architecture() != "x86_64"))
    return report("--profile expects one target of x86_64, whose clock it "
                  "reads");
  if (!(*module)->hasAttr("llm.target")) {
    setTarget(*module, *targets.front());
    return true;
  }
  const TargetRecord *settled = getTarget(*module);
  if (!settled)
    return false;
  for (const TargetRecord *wanted : targets)
    if (!options.mcpu.empty() && wanted != settled)
      return report("the module is for target '" + settled->name +
                    "', --mcpu asks for '" + wanted->name + "'");
  targets = {settled};
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

/// Writes DIR/NUMBER-STAGE.mlir, and where modules of several targets are at
/// that stage, DIR/NUMBER-STAGE.TARGET.mlir.
bool Compilation::dump(ModuleOp module, const Stage &stage, size_t number) {
  std::string name = (llvm::Twine(number) + "-" + stage.name).str();
  if (!further.empty())
    name += "." + module->getAttrOfType<StringAttr>("llm.target").str();
  llvm::SmallString<256> path(options.dumpFolder);
  llvm::sys::path::append(path, name + ".mlir");
  std::string error;
  if (std::error_code code =
          llvm::sys::fs::create_directories(options.dumpFolder))
    return report("cannot make " + options.dumpFolder + ": " + code.message());
  return writeTo(path,
                 [&](llvm::raw_ostream &stream) { module->print(stream); });
}

/// Takes a module to a stage that it may have reached already.
bool Compilation::runPasses(ModuleOp module, const Stage &to) {
  size_t number = getStage(module) - stages().begin();
  auto printStatistics = [&](const Stage &stage, llvm::StringRef when) {
    if (!options.printStatistics || stage.name != "graph")
      return;
    llvm::errs() << when << " stage graph: ";
    PassManager pm(module->getContext());
    pm.addPass(createPrintGraphStats());
    (void)pm.run(module); // reads only
  };
  auto before = [&](const Stage &stage) {
    printStatistics(stage, "before");
    progress.begin(stage.name);
  };
  auto after = [&](const Stage &stage) {
    printStatistics(stage, "after");
    return success(options.dumpFolder.empty() || dump(module, stage, ++number));
  };
  return succeeded(runStages(module, to, {before, after}));
}

/// Takes a copy of the module for each target but the first.
void Compilation::splitVersions() {
  for (const TargetRecord *target : llvm::drop_begin(targets)) {
    further.emplace_back(module->clone());
    setTarget(*further.back(), *target);
  }
}

bool Compilation::runAllPasses() {
  const Stage *reached = getStage(*module);
  if (!options.dumpFolder.empty() &&
      !dump(*module, *reached, reached - stages().begin()))
    return false;
  const Stage *shared = targets.size() > 1 ? lookupStage("layout") : last;
  if (!runPasses(*module, *shared))
    return false;
  splitVersions();
  if (!runPasses(*module, *last))
    return false;
  for (OwningOpRef<ModuleOp> &version : further)
    if (!runPasses(*version, *last) || !sharesWeights(*version))
      return false;
  return true;
}

/// Whether the code of another version finds the weights where the first does.
bool Compilation::sharesWeights(ModuleOp other) {
  auto describe = [](ModuleOp module) {
    llvm::SmallVector<DictionaryAttr> params;
    for (auto param : module.getOps<llm::ParamOp>())
      params.push_back(param->getAttrDictionary());
    return params;
  };
  return describe(*module) == describe(other) ||
         report("the targets '" + targets.front()->name + "' and '" +
                getTarget(other)->name +
                "' want other layouts of the weights; make an ingot for each");
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
  if (options.emit == "ingot")
    return writeIngot();
  auto kind = llvm::StringSwitch<CodeKind>(options.emit)
                  .Case("llvm", CodeKind::LLVM)
                  .Case("asm", CodeKind::Assembly)
                  .Case("obj", CodeKind::Object)
                  .Default(CodeKind::Shared);
  std::string error;
  llvm::SmallVector<char, 0> code;
  progress.begin("code");
  if (!emitCode(*module, *targets.front(), kind, code, error))
    return report(error);
  return writeText({code.data(), code.size()});
}

bool Compilation::writeIngot() {
  std::string error;
  std::vector<llvm::SmallVector<char, 0>> codes(targets.size());
  llvm::SmallVector<IngotCode> versions;
  for (auto [i, target] : llvm::enumerate(targets)) {
    progress.begin("code");
    ModuleOp version = i == 0 ? *module : *further[i - 1];
    if (!emitCode(version, *target, CodeKind::Shared, codes[i], error))
      return report(error);
    versions.push_back({target,
                        {codes[i].data(), codes[i].size()},
                        version->getAttrOfType<DictionaryAttr>("llm.memory")});
  }
  progress.begin("weights");
  auto draw = [&](int64_t done, int64_t total) { progress.bar(done, total); };
  IngotOptions ingot;
  ingot.maxStepTokens = options.maxStepTokens;
  ingot.context = options.context;
  ingot.threads = options.threads;
  ingot.progress = draw;
  return smelt::writeIngot(*module, versions, outputPath(), ingot, error) ||
         report(error);
}

bool Compilation::run() {
  bool isDone = load() && nameModel() && addQuantization() && addProfile() &&
                checkOutput() && chooseTargets() && chooseLastStage() &&
                runAllPasses() && write();
  progress.end();
  return isDone;
}

bool smelt::compile(const CompileOptions &options) {
  return Compilation(options).run();
}
