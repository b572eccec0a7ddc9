//===- PostProcessor.cpp - Where special tokens go ------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Whatever its kind, a post-processor is a template for one text and one for
// two, in which A and B are the texts:
//
//     TemplateProcessing    as the file says
//     BertProcessing        [CLS] A [SEP]          [CLS] A [SEP] B:1 [SEP]:1
//     RobertaProcessing     <s> A </s>             <s> A </s> </s> B </s>
//     ByteLevel, none       A                      A B:1
//
//===----------------------------------------------------------------------===//
#include "Stages.h"

using namespace smelt::tokenizer;

namespace {
using KnowsId = std::function<bool(int32_t)>;
using Parts = std::vector<TemplatePart>;

struct ProcessorKind {
  const char *name;
  PostProcessor (*parse)(const Node &, const KnowsId &);
  /// Moves tokens; of these a sequence may hold one.
  bool isTemplate;
};
} // namespace

/// A template of more parts is refused.
static constexpr size_t kMaxParts = 256;

static TemplatePart sequence(int index, int32_t typeId) {
  TemplatePart part;
  part.sequence = index;
  part.typeId = typeId;
  return part;
}

static TemplatePart special(int32_t id, int32_t typeId) {
  TemplatePart part;
  part.special = {id};
  part.typeId = typeId;
  return part;
}

size_t PostProcessor::countSpecial(bool isPair) const {
  size_t count = 0;
  for (const TemplatePart &part : isPair ? pair : single)
    count += part.special.size();
  return count;
}

static int32_t parseId(const Node &node, const KnowsId &knowsId) {
  int32_t id = int32_t(node.integer(0, kMaxIds - 1));
  if (!node.failed() && !knowsId(id))
    node.fail("no token has id " + std::to_string(id));
  return id;
}

static PostProcessor parsePlain(const Node &node, const KnowsId &knowsId) {
  return {{sequence(0, 0)}, {sequence(0, 0), sequence(1, 1)}};
}

/// ["[SEP]", 102]
static int32_t parseTokenAndId(const Node &node, const KnowsId &knowsId) {
  if (node.size() != 2) {
    node.mismatch("a token and its id");
    return 0;
  }
  node.element(0).string();
  return parseId(node.element(1), knowsId);
}

static PostProcessor parseBert(const Node &node, const KnowsId &knowsId) {
  int32_t cls = parseTokenAndId(node.field("cls"), knowsId);
  int32_t sep = parseTokenAndId(node.field("sep"), knowsId);
  return {{special(cls, 0), sequence(0, 0), special(sep, 0)},
          {special(cls, 0), sequence(0, 0), special(sep, 0), sequence(1, 1),
           special(sep, 1)}};
}

static PostProcessor parseRoberta(const Node &node, const KnowsId &knowsId) {
  int32_t cls = parseTokenAndId(node.field("cls"), knowsId);
  int32_t sep = parseTokenAndId(node.field("sep"), knowsId);
  return {{special(cls, 0), sequence(0, 0), special(sep, 0)},
          {special(cls, 0), sequence(0, 0), special(sep, 0), special(sep, 0),
           sequence(1, 0), special(sep, 0)}};
}

/// {"Sequence": {"id": "A", "type_id": 0}} or {"SpecialToken": {...}}, whose
/// ids stand in `specials`.
static TemplatePart parsePart(const Node &node, const Node &specials,
                              const KnowsId &knowsId) {
  static constexpr const char *names[] = {"A", "B"};
  TemplatePart part;
  Node text = node.field("Sequence"), token = node.field("SpecialToken");
  if (node.failed())
    return part;
  if (text.isNull() == token.isNull()) {
    node.fail("expected one of Sequence and SpecialToken");
    return part;
  }
  const Node &found = text.isNull() ? token : text;
  part.typeId =
      int32_t(found.field("type_id").integer(0, INT32_MAX, /*fallback=*/0));
  if (!text.isNull()) {
    part.sequence = int(text.field("id").choice(names, "A"));
    return part;
  }
  Node ids = specials.field(token.field("id").string().c_str()).field("ids");
  for (size_t i = 0, n = ids.size(); i < n && !node.failed(); ++i)
    part.special.push_back(parseId(ids.element(i), knowsId));
  return part;
}

static Parts parseParts(const Node &node, const Node &specials, bool isPair,
                        const KnowsId &knowsId) {
  Parts parts;
  size_t count = node.size();
  if (count > kMaxParts)
    node.fail("expected at most " + std::to_string(kMaxParts) +
              " parts, found " + std::to_string(count));
  size_t uses[2] = {0, 0};
  for (size_t i = 0; i < count && !node.failed(); ++i) {
    parts.push_back(parsePart(node.element(i), specials, knowsId));
    if (parts.back().sequence >= 0)
      ++uses[parts.back().sequence];
  }
  if (!node.failed() && (uses[0] != 1 || uses[1] != size_t(isPair)))
    node.fail(isPair ? "expected A and B once each"
                     : "expected A once and no B");
  return parts;
}

static PostProcessor parseTemplate(const Node &node, const KnowsId &knowsId) {
  Node specials = node.field("special_tokens");
  return {parseParts(node.field("single"), specials, false, knowsId),
          parseParts(node.field("pair"), specials, true, knowsId)};
}

static PostProcessor parseSequence(const Node &node, const KnowsId &knowsId);

static constexpr ProcessorKind kProcessors[] = {
    {"Sequence", parseSequence, false},
    {"TemplateProcessing", parseTemplate, true},
    {"BertProcessing", parseBert, true},
    {"RobertaProcessing", parseRoberta, true},
    {"ByteLevel", parsePlain, false},
};

static PostProcessor parseSequence(const Node &node, const KnowsId &knowsId) {
  PostProcessor result = parsePlain(node, knowsId);
  Node list = node.field("processors");
  bool found = false;
  for (size_t i = 0, n = list.size(); i < n && !node.failed(); ++i) {
    Node step = list.element(i);
    const ProcessorKind *kind = findKind(step, kProcessors);
    if (!kind)
      break;
    PostProcessor parsed = kind->parse(step, knowsId);
    if (!kind->isTemplate && !parsed.countSpecial(false) &&
        !parsed.countSpecial(true))
      continue;
    if (found)
      step.fail("expected one processor that adds tokens, found two");
    found = true;
    result = std::move(parsed);
  }
  return result;
}

PostProcessor smelt::tokenizer::parsePostProcessor(const Node &node,
                                                   const KnowsId &knowsId) {
  if (node.isNull())
    return parsePlain(node, knowsId);
  const ProcessorKind *kind = findKind(node, kProcessors);
  return kind ? kind->parse(node, knowsId) : PostProcessor();
}
