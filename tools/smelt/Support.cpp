//===- Support.cpp - What several commands do alike -----------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Support.h"

#include "Commands.h"

#include "smelt/Import/Formats/Safetensors.h"

#include <CLI/CLI.hpp>

#include <charconv>
#include <cstring>
#include <iostream>

using namespace smelt;

int smelt::runCommand(CLI::App &app, const std::function<int()> &action,
                      int argc, char **argv) {
  try {
    app.parse(argc, argv);
    return action();
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception &error) {
    std::cerr << "smelt: " << error.what() << '\n';
    return 1;
  }
}

void smelt::addModelOption(CLI::App &command, SessionFlags &flags) {
  command.add_option("MODEL", flags.model, "The ingot to run")->required();
}

void smelt::addTargetOption(CLI::App &command, SessionFlags &flags) {
  command.add_option(
      "--target", flags.target,
      std::string("Version of the code, where the ingot has several (default: "
                  "as the environment variable ") +
          versionVariable +
          " says, otherwise the best that this processor executes)");
}

void smelt::addThreadsOption(CLI::App &command, SessionFlags &flags) {
  command
      .add_option("-t,--threads", flags.threads,
                  "Threads (default: CPUs of the affinity mask and cgroup "
                  "quota)")
      ->check(CLI::Range(int64_t(1), ThreadTeam::maxThreads));
}

void smelt::addContextOption(CLI::App &command, SessionFlags &flags) {
  command
      .add_option("-c,--ctx-size", flags.context,
                  "Positions of a sequence (default: the model's, at most " +
                      std::to_string(defaultContext) + ")")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 30));
}

std::unique_ptr<Session> smelt::openSession(const char *command,
                                            const SessionFlags &flags,
                                            int64_t slots) {
  std::string error;
  std::unique_ptr<Session> session;
  std::shared_ptr<const Model> model =
      Model::open(flags.model, error, flags.target);
  if (model)
    session = Session::create(std::move(model),
                              {flags.threads, flags.context, slots}, error);
  if (!session)
    fail(command, error);
  return session;
}

int smelt::fail(const char *command, const std::string &message) {
  std::cout.flush();
  std::cerr << "smelt " << command << ": " << message << '\n';
  return 1;
}

int smelt::finishOutput(const char *command) {
  std::cout.flush();
  return std::cout ? 0 : fail(command, "cannot write to standard output");
}

bool smelt::parseIds(const std::string &list, std::vector<int32_t> &ids,
                     std::string &error) {
  const char *at = list.data(), *end = at + list.size();
  while (true) {
    int32_t id;
    auto [next, failure] = std::from_chars(at, end, id);
    if (failure != std::errc() || (next != end && *next != ',')) {
      error = "expected token ids separated by commas, found '" +
              std::string(at, std::find(at, end, ',')) + "'";
      return false;
    }
    ids.push_back(id);
    if (next == end)
      return true;
    at = next + 1;
  }
}

struct IdsFile::Impl {
  std::unique_ptr<SafetensorsFile> file;
};

IdsFile::IdsFile() : impl(new Impl) {}
IdsFile::~IdsFile() = default;

std::unique_ptr<IdsFile> IdsFile::open(const std::string &path,
                                       std::string &error) {
  std::unique_ptr<IdsFile> ids(new IdsFile);
  ids->impl->file = SafetensorsFile::open(path, error);
  return ids->impl->file ? std::move(ids) : nullptr;
}

bool IdsFile::has(const std::string &name) const {
  return impl->file->find(name) != nullptr;
}

bool IdsFile::read(const std::string &name, size_t rank, IntegerTensor &tensor,
                   std::string &error) const {
  const NamedTensor *found = impl->file->find(name);
  std::string where = "'" + impl->file->path() + "' ";
  if (!found) {
    error = where + "has no tensor '" + name + "'";
    return false;
  }
  if (found->type != ElementType::I64 || found->shape.size() != rank) {
    error = where + "tensor '" + name + "' expects I64 of rank " +
            std::to_string(rank) + ", found " +
            std::string(elementTypeName(found->type)) + " " +
            shapeText(found->shape);
    return false;
  }
  tensor.shape = found->shape;
  tensor.values.resize(found->bytes / sizeof(int64_t));
  if (found->bytes)
    std::memcpy(tensor.values.data(), found->data, found->bytes);
  return true;
}

bool smelt::toIds(const std::vector<int64_t> &values, std::vector<int32_t> &ids,
                  std::string &error) {
  ids.clear();
  for (int64_t value : values) {
    if (value < INT32_MIN || value > INT32_MAX) {
      error = "token id " + std::to_string(value) + " is out of range";
      return false;
    }
    ids.push_back(int32_t(value));
  }
  return true;
}
