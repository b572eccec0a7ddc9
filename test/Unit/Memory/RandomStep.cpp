//===- RandomStep.cpp - Random programs of parallel loops -------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "RandomStep.h"

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <sstream>

using namespace smelt::test;

/// A private buffer has this many elements, or M if that is less.
static constexpr int64_t kPrivateSize = 8;

//===----------------------------------------------------------------------===//
// Generation
//===----------------------------------------------------------------------===//

namespace {

class Generator {
public:
  Generator(unsigned seed, const std::vector<Function> &callees, int &nextId)
      : random(seed), callees(callees), nextId(nextId) {}

  Function run(int numArguments, bool isEntry);

private:
  /// What is known of a handle: the buffers it may be, whether they hold
  /// values, whether it is all of its buffer.
  struct Handle {
    std::set<int> roots;
    bool isFilled, isWhole;
  };

  int pick(int n) { return static_cast<int>(random() % n); }
  bool chance(int percent) { return pick(100) < percent; }
  int newHandle(Handle handle) {
    handles.push_back(std::move(handle));
    scope.push_back(handles.size() - 1);
    return handles.size() - 1;
  }
  bool mayBeSame(int a, int b) const {
    return std::any_of(
        handles[a].roots.begin(), handles[a].roots.end(),
        [&](int root) { return handles[b].roots.count(root) != 0; });
  }
  int pickFilled() {
    std::vector<int> filled;
    for (int h : scope)
      if (handles[h].isFilled)
        filled.push_back(h);
    return filled.empty() ? -1 : filled[pick(filled.size())];
  }
  /// Filled handles that surely differ from one another and from `others`.
  std::vector<int> pickDistinct(int n, std::vector<int> others);
  Statement fill(int target, std::vector<int> sources);
  void nested(std::vector<Statement> &body, int depth);
  void add(std::vector<Statement> &body, int depth);

  std::mt19937 random;
  const std::vector<Function> &callees;
  int &nextId;
  std::vector<Handle> handles;
  std::vector<int> scope;
};

} // namespace

std::vector<int> Generator::pickDistinct(int n, std::vector<int> others) {
  std::vector<int> chosen;
  for (int i = 0; i < 4 * n && static_cast<int>(chosen.size()) < n; ++i) {
    int h = pickFilled();
    if (h < 0)
      break;
    auto isSame = [&](int other) { return mayBeSame(h, other); };
    if (std::any_of(others.begin(), others.end(), isSame) ||
        std::any_of(chosen.begin(), chosen.end(), isSame))
      continue;
    chosen.push_back(h);
  }
  return chosen;
}

Statement Generator::fill(int target, std::vector<int> sources) {
  Statement s{Statement::Fill};
  s.operands = {target};
  s.operands.insert(s.operands.end(), sources.begin(), sources.end());
  s.salt = pick(1000);
  s.accumulates = handles[target].isFilled && chance(30);
  s.isBlocked = chance(50);
  s.usesPrivate = !sources.empty() && chance(30);
  handles[target].isFilled |= handles[target].isWhole;
  return s;
}

/// What a nested block fills may not be filled after it.
void Generator::nested(std::vector<Statement> &body, int depth) {
  std::vector<Handle> before = handles;
  std::vector<int> outer = scope;
  for (int i = 0, n = 1 + pick(4); i < n; ++i)
    add(body, depth + 1);
  for (size_t i = 0; i < before.size(); ++i)
    handles[i] = before[i];
  scope = outer;
}

void Generator::add(std::vector<Statement> &body, int depth) {
  int filled = pickFilled();
  int kind = pick(depth < 2 ? 100 : 62);
  if (kind < 15) {
    Statement s{Statement::Alloc};
    s.id = nextId++;
    s.perToken = pick(3);
    s.constant = s.perToken == 0 ? 1 + pick(60) : pick(20);
    s.result = newHandle({{-1 - s.id}, false, true});
    body.push_back(s);
  } else if (kind < 50) {
    int target = scope.empty() ? -1 : scope[pick(scope.size())];
    if (target >= 0 && (handles[target].isFilled || handles[target].isWhole)) {
      std::vector<int> sources = pickDistinct(1 + pick(2), {target});
      body.push_back(fill(target, sources));
    }
  } else if (kind < 55 && filled >= 0) {
    Statement s{Statement::View};
    s.operands = {filled};
    s.result = newHandle({handles[filled].roots, true, false});
    body.push_back(s);
  } else if (kind < 62 && filled >= 0) {
    Statement s{Statement::Choose};
    s.operands = {filled, pickFilled(), pickFilled()};
    std::set<int> roots = handles[filled].roots;
    roots.insert(handles[s.operands[1]].roots.begin(),
                 handles[s.operands[1]].roots.end());
    s.result = newHandle({roots, true, false});
    body.push_back(s);
  } else if (kind < 72) {
    Statement s{Statement::Loop};
    s.constant = pick(4);
    nested(s.body, depth);
    body.push_back(s);
  } else if (kind < 80) {
    Statement s{Statement::Swap};
    s.operands = pickDistinct(2, {});
    if (s.operands.size() != 2)
      return;
    s.constant = pick(4);
    std::set<int> roots = handles[s.operands[0]].roots;
    roots.insert(handles[s.operands[1]].roots.begin(),
                 handles[s.operands[1]].roots.end());
    std::vector<int> outer = scope;
    s.result = newHandle({roots, true, false});
    newHandle({roots, true, false});
    // They are two buffers, whichever they are.
    if (!callees.empty() && chance(50)) {
      Statement call{Statement::Call};
      call.constant = pick(callees.size());
      call.operands = {s.result, s.result + 1};
      s.body.push_back(call);
    } else {
      s.body.push_back(fill(s.result + 1, {s.result}));
    }
    nested(s.body, depth);
    scope = outer;
    body.push_back(s);
  } else if (kind < 88 && filled >= 0) {
    Statement s{Statement::If};
    s.operands = {filled};
    nested(s.body, depth);
    if (chance(50))
      nested(s.other, depth);
    body.push_back(s);
  } else if (!callees.empty()) {
    Statement s{Statement::Call};
    s.constant = pick(callees.size());
    s.operands = pickDistinct(callees[s.constant].numArguments, {});
    if (static_cast<int>(s.operands.size()) == callees[s.constant].numArguments)
      body.push_back(s);
  }
}

Function Generator::run(int numArguments, bool isEntry) {
  Function function;
  function.numArguments = numArguments;
  for (int i = 0; i < numArguments; ++i)
    newHandle({{i}, true, true});
  // Some buffers to begin with.
  for (int i = 0; i < (isEntry ? 4 : 1); ++i) {
    Statement s{Statement::Alloc};
    s.id = nextId++;
    s.perToken = pick(2);
    s.constant = 1 + pick(40);
    s.result = newHandle({{-1 - s.id}, false, true});
    function.body.push_back(s);
    function.body.push_back(fill(s.result, {}));
  }
  for (int i = 0; i < (isEntry ? 14 : 6); ++i)
    add(function.body, 0);
  if (isEntry)
    for (int i = 0; i < kColumns; ++i)
      function.outputs.push_back(pickFilled());
  function.numHandles = handles.size();
  return function;
}

RandomStep::RandomStep(unsigned seed) {
  int nextId = 0;
  for (int i = 0; i < 3; ++i) {
    std::vector<Function> callees = functions;
    bool isEntry = i == 2;
    functions.push_back(
        Generator(seed * 3 + i, callees, nextId).run(isEntry ? 0 : 2, isEntry));
  }
}

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

namespace {

const char *const kHandle = "memref<?xi32, strided<[1], offset: ?>>";

class Printer {
public:
  std::string run(const std::vector<Function> &functions);

private:
  std::string fresh() { return "%v" + std::to_string(next++); }
  /// Emits `%new = text` and returns %new.
  std::string let(const std::string &text) {
    std::string name = fresh();
    out << name << " = " << text << "\n";
    return name;
  }
  std::string index(int64_t value) {
    return let("arith.constant " + std::to_string(value) + " : index");
  }
  std::string integer(int64_t value) {
    return let("arith.constant " + std::to_string(value) + " : i32");
  }
  std::string apply(const std::string &op, const std::string &a,
                    const std::string &b, const std::string &type) {
    return let("arith." + op + " " + a + ", " + b + " : " + type);
  }
  std::string handle(int h) { return "%h" + std::to_string(h); }
  std::string load(const std::string &buffer, const std::string &i) {
    return let("memref.load " + buffer + "[" + i + "] : " + kHandle);
  }
  std::string size(const std::string &buffer) {
    return let("memref.dim " + buffer + ", %c0 : " + kHandle);
  }
  std::string isOdd(int h) {
    std::string value = load(handle(h), "%c0");
    return apply("cmpi eq,", apply("andi", value, integer(1), "i32"),
                 integer(1), "i32");
  }
  void print(const std::vector<Statement> &body);
  void print(const Statement &s);
  void printFill(const Statement &s);
  void printShow(const std::vector<int> &outputs);
  void printForall(const std::string &size, bool isBlocked);

  std::ostringstream out;
  int next = 0;
};

} // namespace

void Printer::print(const std::vector<Statement> &body) {
  for (const Statement &s : body)
    print(s);
}

/// Opens a loop over the thread's part of [0, size), with index %i.
void Printer::printForall(const std::string &size, bool isBlocked) {
  if (isBlocked) {
    std::string begin =
        apply("divui", apply("muli", size, "%t", "index"), "%nt", "index");
    std::string next = apply("addi", "%t", "%c1", "index");
    std::string end =
        apply("divui", apply("muli", size, next, "index"), "%nt", "index");
    out << "scf.for %i = " << begin << " to " << end << " step %c1 {\n";
  } else {
    out << "scf.for %i = %t to " << size << " step %nt {\n";
  }
}

/// target[i] = [3 * target[i]] + salt + sum over sources of
/// (k + 2) * source_k[(i * 7 + k + salt) mod size_k] [+ private[i mod P]],
/// private[j] = j * source_0[j mod size_0].
void Printer::printFill(const Statement &s) {
  std::string target = handle(s.operands[0]);
  out << "scf.forall (%t) in (%nt) {\n";
  std::string priv, few;
  if (s.usesPrivate) {
    std::string source = handle(s.operands[1]), n = size(source);
    few = apply("minsi", "%m", index(kPrivateSize), "index");
    priv = let("memref.alloc(" + few + ") : memref<?xi32>");
    out << "scf.for %j = %c0 to " << few << " step %c1 {\n";
    std::string value = load(source, apply("remui", "%j", n, "index"));
    std::string j = let("arith.index_cast %j : index to i32");
    value = apply("muli", value, j, "i32");
    out << "memref.store " << value << ", " << priv
        << "[%j] : memref<?xi32>\n}\n";
  }
  printForall(size(target), s.isBlocked);
  std::string value = integer(s.salt);
  if (s.accumulates)
    value = apply("addi", value,
                  apply("muli", load(target, "%i"), integer(3), "i32"), "i32");
  for (size_t k = 1; k < s.operands.size(); ++k) {
    std::string source = handle(s.operands[k]);
    std::string at = apply("addi", apply("muli", "%i", index(7), "index"),
                           index(k + s.salt), "index");
    at = apply("remui", at, size(source), "index");
    value =
        apply("addi", value,
              apply("muli", load(source, at), integer(k + 2), "i32"), "i32");
  }
  if (s.usesPrivate) {
    std::string at = apply("remui", "%i", few, "index");
    value = apply("addi", value,
                  let("memref.load " + priv + "[" + at + "] : memref<?xi32>"),
                  "i32");
  }
  out << "memref.store " << value << ", " << target << "[%i] : " << kHandle
      << "\n}\n}\n";
}

/// logits[m, c] = the low 16 bits of output_c[(m * 5 + c) mod size].
void Printer::printShow(const std::vector<int> &outputs) {
  out << "scf.forall (%t) in (%nt) {\n";
  printForall("%m", true);
  for (size_t c = 0; c < outputs.size(); ++c) {
    std::string buffer = handle(outputs[c]);
    std::string at = apply("addi", apply("muli", "%i", index(5), "index"),
                           index(c), "index");
    std::string value = load(buffer, apply("remui", at, size(buffer), "index"));
    value = apply("andi", value, integer(0xffff), "i32");
    value = let("arith.sitofp " + value + " : i32 to f32");
    std::string column = index(c);
    out << "memref.store " << value << ", %logits[%i, " << column
        << "] : memref<?x" << kColumns << "xf32>\n";
  }
  out << "}\n}\n";
}

void Printer::print(const Statement &s) {
  switch (s.kind) {
  case Statement::Alloc: {
    std::string attributes = " {test.id = " + std::to_string(s.id) + " : i32}";
    std::string size, type = "memref<?xi32>";
    if (s.perToken == 0)
      type = "memref<" + std::to_string(s.constant) + "xi32>";
    else
      size = apply("addi", apply("muli", "%m", index(s.perToken), "index"),
                   index(s.constant), "index");
    std::string buffer =
        let("memref.alloc(" + size + ")" + attributes + " : " + type);
    out << handle(s.result) << " = memref.cast " << buffer << " : " << type
        << " to " << kHandle << "\n";
    break;
  }
  case Statement::View: {
    std::string base = handle(s.operands[0]), n = size(base);
    std::string skip =
        apply("minsi", apply("subi", n, "%c1", "index"), "%c1", "index");
    std::string rest = apply("subi", n, skip, "index");
    out << handle(s.result) << " = memref.subview " << base << "[" << skip
        << "] [" << rest << "] [1] : " << kHandle << " to " << kHandle << "\n";
    break;
  }
  case Statement::Choose: {
    std::string condition = isOdd(s.operands[2]);
    out << handle(s.result) << " = scf.if " << condition << " -> (" << kHandle
        << ") {\nscf.yield " << handle(s.operands[1]) << " : " << kHandle
        << "\n} else {\nscf.yield " << handle(s.operands[0]) << " : " << kHandle
        << "\n}\n";
    break;
  }
  case Statement::Fill:
    printFill(s);
    break;
  case Statement::Loop: {
    std::string count = index(s.constant);
    out << "scf.for " << fresh() << " = %c0 to " << count << " step %c1 {\n";
    print(s.body);
    out << "}\n";
    break;
  }
  case Statement::Swap: {
    std::string count = index(s.constant), x = handle(s.result),
                y = handle(s.result + 1);
    std::string results = fresh();
    out << results << ":2 = scf.for " << fresh() << " = %c0 to " << count
        << " step %c1 iter_args(" << x << " = " << handle(s.operands[0]) << ", "
        << y << " = " << handle(s.operands[1]) << ") -> (" << kHandle << ", "
        << kHandle << ") {\n";
    print(s.body);
    out << "scf.yield " << y << ", " << x << " : " << kHandle << ", " << kHandle
        << "\n}\n";
    break;
  }
  case Statement::If:
    out << "scf.if " + isOdd(s.operands[0]) + " {\n";
    print(s.body);
    if (!s.other.empty()) {
      out << "} else {\n";
      print(s.other);
    }
    out << "}\n";
    break;
  case Statement::Call:
    out << "func.call @f" << s.constant << "(%ids";
    for (int h : s.operands)
      out << ", " << handle(h);
    out << ") : (memref<?xi32>";
    for (size_t i = 0; i < s.operands.size(); ++i)
      out << ", " << kHandle;
    out << ") -> ()\n";
    break;
  }
}

std::string Printer::run(const std::vector<Function> &functions) {
  for (size_t f = 0; f < functions.size(); ++f) {
    bool isEntry = f + 1 == functions.size();
    if (isEntry)
      out << "func.func @step(%ids: memref<?xi32> {llm.input = \"ids\"}, "
             "%logits: memref<?x"
          << kColumns << "xf32> {llm.output = \"logits\"}) {\n";
    else
      out << "func.func private @f" << f << "(%ids: memref<?xi32>";
    for (int i = 0; i < functions[f].numArguments; ++i)
      out << ", " << handle(i) << ": " << kHandle;
    if (!isEntry)
      out << ") {\n";
    out << "%c0 = arith.constant 0 : index\n%c1 = arith.constant 1 : index\n"
           "%m = memref.dim %ids, %c0 : memref<?xi32>\n"
           "%nt = kernel.num_threads\n";
    print(functions[f].body);
    if (isEntry)
      printShow(functions[f].outputs);
    out << "return\n}\n";
  }
  return out.str();
}

std::string RandomStep::print() const { return Printer().run(functions); }

//===----------------------------------------------------------------------===//
// Evaluation
//===----------------------------------------------------------------------===//

namespace {

struct Storage {
  int lifetime = -1; // index, or -1 for what the plan doesn't place
  std::vector<uint32_t> data;
};

struct Span {
  std::shared_ptr<Storage> storage;
  int64_t offset = 0, size = 0;
  uint32_t &operator[](int64_t i) const { return storage->data[offset + i]; }
};

class Evaluator {
public:
  Evaluator(const std::vector<Function> &functions, int64_t tokens)
      : functions(functions), tokens(tokens) {}

  void call(const Function &function, std::vector<Span> arguments);

  Result result;

private:
  void run(const std::vector<Statement> &body, std::vector<Span> &handles);
  void run(const Statement &s, std::vector<Span> &handles);
  void fill(const Statement &s, std::vector<Span> &handles);
  void touch(const Span &span);
  bool isOdd(const Span &span) {
    touch(span);
    return span[0] & 1;
  }

  const std::vector<Function> &functions;
  int64_t tokens, time = 0;
};

} // namespace

void Evaluator::touch(const Span &span) {
  if (span.storage->lifetime < 0)
    return;
  Lifetime &lifetime = result.lifetimes[span.storage->lifetime];
  lifetime.first = std::min(lifetime.first, time);
  lifetime.last = std::max(lifetime.last, time);
}

void Evaluator::fill(const Statement &s, std::vector<Span> &handles) {
  for (int h : s.operands)
    touch(handles[h]);
  const Span &target = handles[s.operands[0]];
  std::vector<uint32_t> priv(std::min(tokens, kPrivateSize));
  if (s.usesPrivate) {
    const Span &source = handles[s.operands[1]];
    for (size_t j = 0; j < priv.size(); ++j)
      priv[j] = source[j % source.size] * j;
  }
  for (int64_t i = 0; i < target.size; ++i) {
    uint32_t value = s.salt;
    if (s.accumulates)
      value += target[i] * 3;
    for (size_t k = 1; k < s.operands.size(); ++k) {
      const Span &source = handles[s.operands[k]];
      value += source[(i * 7 + k + s.salt) % source.size] * (k + 2);
    }
    if (s.usesPrivate)
      value += priv[i % priv.size()];
    target[i] = value;
  }
}

void Evaluator::run(const std::vector<Statement> &body,
                    std::vector<Span> &handles) {
  for (const Statement &s : body)
    run(s, handles);
}

void Evaluator::run(const Statement &s, std::vector<Span> &handles) {
  ++time;
  switch (s.kind) {
  case Statement::Alloc: {
    auto storage = std::make_shared<Storage>();
    storage->lifetime = result.lifetimes.size();
    storage->data.resize(s.perToken * tokens + s.constant);
    result.lifetimes.push_back({s.id, s.perToken, s.constant, INT64_MAX, -1});
    int64_t size = storage->data.size();
    handles[s.result] = {std::move(storage), 0, size};
    break;
  }
  case Statement::View: {
    const Span &base = handles[s.operands[0]];
    int64_t skip = std::min<int64_t>(base.size - 1, 1);
    handles[s.result] = {base.storage, base.offset + skip, base.size - skip};
    break;
  }
  case Statement::Choose:
    handles[s.result] =
        handles[s.operands[isOdd(handles[s.operands[2]]) ? 1 : 0]];
    break;
  case Statement::Fill:
    fill(s, handles);
    break;
  case Statement::Loop:
    for (int64_t i = 0; i < s.constant; ++i)
      run(s.body, handles);
    break;
  case Statement::Swap: {
    Span x = handles[s.operands[0]], y = handles[s.operands[1]];
    for (int64_t i = 0; i < s.constant; ++i) {
      handles[s.result] = x;
      handles[s.result + 1] = y;
      run(s.body, handles);
      std::swap(x, y);
    }
    break;
  }
  case Statement::If:
    run(isOdd(handles[s.operands[0]]) ? s.body : s.other, handles);
    break;
  case Statement::Call: {
    std::vector<Span> arguments;
    for (int h : s.operands)
      arguments.push_back(handles[h]);
    call(functions[s.constant], std::move(arguments));
    break;
  }
  }
}

void Evaluator::call(const Function &function, std::vector<Span> handles) {
  handles.resize(function.numHandles);
  run(function.body, handles);
  ++time;
  for (int h : function.outputs)
    touch(handles[h]);
  if (function.outputs.empty())
    return;
  for (int64_t m = 0; m < tokens; ++m)
    for (int c = 0; c < kColumns; ++c) {
      const Span &span = handles[function.outputs[c]];
      result.logits.push_back(span[(m * 5 + c) % span.size] & 0xffff);
    }
}

Result RandomStep::evaluate(int64_t tokens) const {
  Evaluator evaluator(functions, tokens);
  evaluator.call(functions.back(), {});
  std::vector<Lifetime> used;
  for (const Lifetime &lifetime : evaluator.result.lifetimes)
    if (lifetime.last >= 0)
      used.push_back(lifetime);
  evaluator.result.lifetimes = used;
  return evaluator.result;
}
