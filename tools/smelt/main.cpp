//===- main.cpp - The smelt tool ------------------------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Commands.h"

#include <CLI/CLI.hpp>

int main(int argc, char **argv) {
  CLI::App app("Compiles and runs language models");
  app.require_subcommand(1);
  std::function<int()> action;
  smelt::addTokenizeCommand(app, action);
  CLI11_PARSE(app, argc, argv);
  return action();
}
