//===- Vocabulary.cpp - Tokens and their ids ------------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Vocabulary.h"

using namespace smelt::tokenizer;

bool Vocabulary::add(std::string_view token, int32_t id) {
  if (this->token(id) || ids.count(token))
    return false;
  if (size_t(id) >= byId.size())
    byId.resize(size_t(id) + 1);
  const std::string &stored = tokens.emplace_back(token);
  byId[id] = &stored;
  ids.emplace(stored, id);
  longestToken = std::max(longestToken, stored.size());
  return true;
}

void Vocabulary::parse(const Node &node) {
  if (!node.isObject())
    return node.mismatch("an object of tokens and ids");
  ids.reserve(node.json()->size());
  for (auto &[name, value] : node.json()->items()) {
    // Paths are made for errors only: there may be hundreds of thousands.
    bool inRange = value.is_number_unsigned() &&
                   value.template get<uint64_t>() < uint64_t(kMaxIds);
    if (inRange && add(name, int32_t(value.template get<uint64_t>())))
      continue;
    std::string error = "token '" + name.substr(0, 64) + "': ";
    if (inRange)
      error += "its id " + value.dump() + " is also that of '" +
               token(value.template get<int32_t>())->substr(0, 64) + "'";
    else
      error += "expected an id from 0 to " + std::to_string(kMaxIds - 1) +
               ", found " + value.dump().substr(0, 64);
    return node.fail(error);
  }
}
