//===- Model.cpp - An ingot ready to run ----------------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The order of the checks is that of what a user can do about them: another
// processor, another set of instructions, then damage to the file.
//
//===----------------------------------------------------------------------===//
#include "Model.h"

#include "smelt/Tokenizer.h"

using namespace smelt;

Model::Model() = default;
Model::~Model() = default;

std::shared_ptr<const Model> Model::open(const std::string &path,
                                         std::string &error,
                                         const std::string &target) {
  std::shared_ptr<Model> model(new Model);
  error.clear();
  model->file = Ingot::open(path, error);
  if (!model->file)
    return nullptr;
  auto refuse = [&](const std::string &why) {
    error = "cannot run '" + path + "': " + why;
    return nullptr;
  };
  std::string why;
  model->chosen = chooseVersion(model->manifest(), target, why);
  if (!model->chosen)
    return refuse(why);
  std::string_view image = model->file->section("code/" + model->chosen->isa);
  if (!model->code.load(image, why))
    return refuse(why);
  std::string_view json = model->file->section("tokenizer.json");
  if (json.data()) {
    model->text = Tokenizer::parse(
        json, model->file->section("tokenizer_config.json"), why);
    if (!model->text)
      return refuse("its tokenizer.json cannot be used: " + why);
  }
  return model;
}

const uint8_t *Model::weights() const {
  return reinterpret_cast<const uint8_t *>(file->section("weights").data());
}

const Tokenizer *Model::tokenizer(std::string &error) const {
  if (!text)
    error = "this model takes token ids only: its checkpoint had no "
            "tokenizer.json";
  return text.get();
}
