//===- main.cpp - The smelt tool ------------------------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Dispatches to the subcommands. Exit codes: 0 for success, 1 for what failed
// while running, 2 for a wrong command line.
//
// Compiling is a program of its own, `smelt-compile` beside this one, so that
// running models needs no LLVM. `smelt compile ...` becomes that program.
//
//===----------------------------------------------------------------------===//
#include "Commands.h"
#include "smelt/smelt.h"

#include <CLI/CLI.hpp>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <unistd.h>

/// Replaces this process; returns only on failure.
static int execCompiler(char **arguments) {
  std::error_code failure;
  std::filesystem::path self =
      std::filesystem::read_symlink("/proc/self/exe", failure);
  std::string program = (self.parent_path() / "smelt-compile").string();
  execv(program.c_str(), arguments);
  std::cerr << "smelt compile: cannot start '" << program
            << "': " << std::strerror(errno) << '\n';
  return 1;
}

int main(int argc, char **argv) {
  if (argc > 1 && std::strcmp(argv[1], "compile") == 0)
    return execCompiler(argv + 1);

  CLI::App app("Compiles and runs language models");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("smelt ") + smelt_version());
  app.footer("Examples:\n"
             "  smelt compile CHECKPOINT -o model.ingot\n"
             "  smelt run model.ingot -p \"Once upon a time\" -n 64\n"
             "  smelt COMMAND --help\n\n"
             "Exit status: 0 for success, 1 for a failure that standard error "
             "describes,\n2 for a wrong command line.");
  std::function<int()> action;
  app.add_subcommand("compile", "Compile a checkpoint into an ingot");
  smelt::addRunCommand(app, action);
  smelt::addEmbedCommand(app, action);
  smelt::addBenchCommand(app, action);
  smelt::addInspectCommand(app, action);
  smelt::addLogitsCommand(app, action);
  smelt::addGenerateIdsCommand(app, action);
  smelt::addTokenizeCommand(app, action);
  return smelt::runCommand(app, action, argc, argv);
}
