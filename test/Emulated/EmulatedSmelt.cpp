//===- EmulatedSmelt.cpp - What tests run of smelt under emulation --------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The commands of the smelt tool that take token ids, for a processor that this
// machine doesn't have. There is no tokenizer: its libraries would have to be
// there for that processor, too.
//
//===----------------------------------------------------------------------===//
#include "Commands.h"
#include "smelt/Tokenizer.h"

#include <CLI/CLI.hpp>

#include <iostream>

using namespace smelt;

struct Tokenizer::Impl {};
Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;

std::unique_ptr<Tokenizer> Tokenizer::parse(std::string_view, std::string_view,
                                            std::string &) {
  return std::unique_ptr<Tokenizer>(new Tokenizer(nullptr));
}

std::optional<Encoding> Tokenizer::encode(std::string_view,
                                          const EncodeOptions &,
                                          std::string &error) const {
  error = "this program has no tokenizer";
  return std::nullopt;
}

std::string Tokenizer::decode(const std::vector<int32_t> &, bool) const {
  return "";
}

StreamDecoder::StreamDecoder(const Tokenizer &tokenizer, bool skipSpecial)
    : tokenizer(tokenizer), skipSpecial(skipSpecial) {}
std::string StreamDecoder::push(int32_t id) {
  return tokenizer.decode({id}, skipSpecial);
}
std::string StreamDecoder::finish() { return ""; }

int main(int argc, char **argv) {
  CLI::App app("Runs token ids under emulation");
  app.require_subcommand(1);
  std::function<int()> action;
  addInspectCommand(app, action);
  addLogitsCommand(app, action);
  addGenerateIdsCommand(app, action);
  return runCommand(app, action, argc, argv);
}
