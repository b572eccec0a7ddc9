//===- Commands.h - The subcommands of smelt --------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each subcommand is a file with one function, which describes the subcommand
// and its options to `app`. When the user chose it, `action` is set to what it
// does; main() calls that and exits with its result.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TOOLS_SMELT_COMMANDS_H
#define SMELT_TOOLS_SMELT_COMMANDS_H

#include <functional>

namespace CLI {
class App;
}

namespace smelt {

void addBenchCommand(CLI::App &app, std::function<int()> &action);
void addEmbedCommand(CLI::App &app, std::function<int()> &action);
void addGenerateIdsCommand(CLI::App &app, std::function<int()> &action);
void addInspectCommand(CLI::App &app, std::function<int()> &action);
void addLogitsCommand(CLI::App &app, std::function<int()> &action);
void addRunCommand(CLI::App &app, std::function<int()> &action);
void addTokenizeCommand(CLI::App &app, std::function<int()> &action);

/// Parses a command line and does what it says: the exit status.
int runCommand(CLI::App &app, const std::function<int()> &action, int argc,
               char **argv);

} // namespace smelt

#endif // SMELT_TOOLS_SMELT_COMMANDS_H
