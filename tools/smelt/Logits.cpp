//===- Logits.cpp - smelt logits ------------------------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs given token ids and writes what the model computes, so that it can be
// compared with another implementation. How a decoder's tokens are cut into
// steps can be chosen; it must not change a bit of the result.
//
//===----------------------------------------------------------------------===//
#include "Commands.h"
#include "Encoder.h"
#include "Support.h"
#include "smelt/Import/Formats/Safetensors.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstring>
#include <iostream>
#include <map>

using namespace smelt;

namespace {
struct LogitsOptions {
  SessionFlags session;
  std::string ids, idsFile, output;
  int64_t chunk = 0;
};

/// Tokens that share a step and a sequence, with their places in the input.
struct Piece {
  int64_t sequence = 0;
  std::vector<int32_t> ids;
  std::vector<int64_t> places;
};
using Step = std::vector<Piece>;

/// A decoder's input: the steps in order, of [total] tokens.
struct Schedule {
  std::vector<Step> steps;
  int64_t total = 0;
  int64_t longest = 0; // tokens of the longest sequence
};
} // namespace

/// Groups tokens by step (ascending), and within it by sequence.
static Schedule makeSchedule(const std::vector<int32_t> &ids,
                             const std::vector<int64_t> &sequences,
                             const std::vector<int64_t> &steps) {
  Schedule schedule;
  schedule.total = int64_t(ids.size());
  std::map<int64_t, Step> byStep;
  std::map<int64_t, int64_t> lengths;
  std::map<std::pair<int64_t, int64_t>, size_t> pieces;
  for (size_t i = 0; i < ids.size(); ++i) {
    int64_t sequence = sequences.empty() ? 0 : sequences[i];
    // Without steps each sequence is a step of its own, however long.
    int64_t step = steps.empty() ? sequence : steps[i];
    Step &pieceList = byStep[step];
    auto [piece, isNew] =
        pieces.try_emplace({step, sequence}, pieceList.size());
    if (isNew)
      pieceList.push_back({sequence, {}, {}});
    pieceList[piece->second].ids.push_back(ids[i]);
    pieceList[piece->second].places.push_back(int64_t(i));
    schedule.longest = std::max(schedule.longest, ++lengths[sequence]);
  }
  for (auto &[id, step] : byStep)
    schedule.steps.push_back(std::move(step));
  return schedule;
}

/// Gives each sequence a slot from its first step to its last, so that a file
/// of many sequences needs the memory of those that live at the same time.
static int64_t assignSlots(Schedule &schedule,
                           std::vector<std::vector<int64_t>> &freed) {
  std::map<int64_t, size_t> last;
  for (size_t s = 0; s < schedule.steps.size(); ++s)
    for (const Piece &piece : schedule.steps[s])
      last[piece.sequence] = s;
  std::map<int64_t, int64_t> slots;
  std::vector<int64_t> unused;
  int64_t count = 0;
  freed.resize(schedule.steps.size());
  for (size_t s = 0; s < schedule.steps.size(); ++s) {
    std::vector<int64_t> ends;
    for (Piece &piece : schedule.steps[s]) {
      int64_t sequence = piece.sequence;
      if (!slots.count(sequence)) {
        if (unused.empty())
          unused.push_back(count++);
        slots[sequence] = unused.back();
        unused.pop_back();
      }
      piece.sequence = slots[sequence];
      if (last[sequence] == s)
        ends.push_back(slots[sequence]);
    }
    unused.insert(unused.end(), ends.begin(), ends.end());
    freed[s] = std::move(ends);
  }
  return count;
}

static bool readSchedule(const LogitsOptions &options, Schedule &schedule,
                         std::string &error) {
  std::vector<int32_t> ids;
  IntegerTensor prompt, sequences, steps;
  if (options.idsFile.empty()) {
    if (!parseIds(options.ids, ids, error))
      return false;
  } else {
    std::unique_ptr<IdsFile> file = IdsFile::open(options.idsFile, error);
    if (!file || !file->read("prompt_ids", 1, prompt, error) ||
        !toIds(prompt.values, ids, error))
      return false;
    if (file->has("sequence_ids") &&
        !file->read("sequence_ids", 1, sequences, error))
      return false;
    if (file->has("step_ids") && !file->read("step_ids", 1, steps, error))
      return false;
    for (const IntegerTensor *tensor : {&sequences, &steps})
      if (!tensor->shape.empty() && tensor->shape != prompt.shape) {
        error = "'" + options.idsFile +
                "': sequence_ids and step_ids expect the shape of prompt_ids " +
                shapeText(prompt.shape) + ", found " + shapeText(tensor->shape);
        return false;
      }
  }
  if (ids.empty()) {
    error = "there are no token ids";
    return false;
  }
  if (options.chunk && !steps.shape.empty()) {
    error = "--chunk and step_ids both say what a step is; give one";
    return false;
  }
  schedule = makeSchedule(ids, sequences.values, steps.values);
  return true;
}

static NamedTensor floats(const std::string &name, std::vector<int64_t> shape,
                          const std::vector<float> &values) {
  NamedTensor tensor;
  tensor.name = name;
  tensor.type = ElementType::F32;
  tensor.shape = std::move(shape);
  tensor.bytes = values.size() * sizeof(float);
  tensor.data = reinterpret_cast<const uint8_t *>(values.data());
  return tensor;
}

/// Without an output file: the most probable token after each given one.
static int printBest(const std::vector<float> &logits, int64_t width) {
  for (size_t row = 0; row * width < logits.size(); ++row) {
    const float *begin = &logits[row * width];
    const float *best = std::max_element(begin, begin + width);
    std::cout << row << ' ' << best - begin << ' ' << *best << '\n';
  }
  return finishOutput("logits");
}

static int runDecoder(std::shared_ptr<const Model> model,
                      const LogitsOptions &options) {
  std::string error;
  Schedule schedule;
  if (!readSchedule(options, schedule, error))
    return fail("logits", error);
  std::vector<std::vector<int64_t>> freed;
  SessionOptions wanted;
  wanted.threads = options.session.threads;
  wanted.slots = assignSlots(schedule, freed);
  wanted.context = std::min(schedule.longest, model->manifest().context);
  const int64_t width = model->manifest().vocabulary;
  const int index = model->manifest().findOutput("logits");
  std::unique_ptr<Session> session = Session::create(model, wanted, error);
  if (!session)
    return fail("logits", error);

  std::vector<float> logits(schedule.total * width);
  auto store = [&](const Piece &piece, int64_t first, int64_t row,
                   int64_t count) {
    for (int64_t i = 0; i < count; ++i)
      std::copy_n(session->output(index, row + i), width,
                  &logits[piece.places[first + i] * width]);
  };
  // A step of one sequence may be cut further; one of several is whole.
  for (size_t s = 0; s < schedule.steps.size(); ++s) {
    const Step &step = schedule.steps[s];
    std::vector<Segment> segments;
    for (const Piece &piece : step)
      segments.push_back({piece.sequence, piece.ids.data(), nullptr,
                          int64_t(piece.ids.size()), Rows::All});
    if (step.size() == 1) {
      auto visit = [&](int64_t begin, int64_t rows) {
        store(step[0], begin, 0, rows);
      };
      if (!session->feed(segments[0], options.chunk, error, visit))
        return fail("logits", error);
    } else {
      if (!session->step(segments.data(), segments.size(), error))
        return fail("logits", error);
      int64_t row = 0;
      for (const Piece &piece : step) {
        store(piece, 0, row, piece.ids.size());
        row += int64_t(piece.ids.size());
      }
    }
    for (int64_t slot : freed[s])
      session->truncate(slot, 0);
  }
  if (options.output.empty())
    return printBest(logits, width);
  if (!writeSafetensors(options.output,
                        {floats("logits", {schedule.total, width}, logits)},
                        error))
    return fail("logits", error);
  return 0;
}

/// An encoder's input: padded [batch, width] and unpadded views of it.
static bool readBatch(const LogitsOptions &options, IntegerTensor &input,
                      std::vector<int32_t> &ids, std::vector<int32_t> &types,
                      std::vector<int64_t> &lengths, std::string &error) {
  IntegerTensor mask, typeIds;
  if (options.idsFile.empty()) {
    if (!parseIds(options.ids, ids, error))
      return false;
    input.shape = {1, int64_t(ids.size())};
    types.assign(ids.size(), 0);
    lengths = {int64_t(ids.size())};
    return true;
  }
  std::unique_ptr<IdsFile> file = IdsFile::open(options.idsFile, error);
  if (!file || !file->read("input_ids", 2, input, error) ||
      !toIds(input.values, ids, error))
    return false;
  mask = typeIds = input;
  std::fill(mask.values.begin(), mask.values.end(), 1);
  std::fill(typeIds.values.begin(), typeIds.values.end(), 0);
  if ((file->has("attention_mask") &&
       !file->read("attention_mask", 2, mask, error)) ||
      (file->has("token_type_ids") &&
       !file->read("token_type_ids", 2, typeIds, error)) ||
      !toIds(typeIds.values, types, error))
    return false;
  if (mask.shape != input.shape || typeIds.shape != input.shape) {
    error = "attention_mask and token_type_ids expect the shape of input_ids " +
            shapeText(input.shape) + ", found " + shapeText(mask.shape) +
            " and " + shapeText(typeIds.shape);
    return false;
  }
  if (ids.empty()) {
    error = "there are no token ids";
    return false;
  }
  for (int64_t row = 0; row < input.shape[0]; ++row) {
    lengths.push_back(maskedLength(&mask.values[row * input.shape[1]],
                                   input.shape[1], row, error));
    if (lengths.back() < 0)
      return false;
  }
  return true;
}

static int runEncoder(std::shared_ptr<const Model> model,
                      const LogitsOptions &options) {
  std::string error;
  IntegerTensor input;
  std::vector<int32_t> ids, types;
  std::vector<int64_t> lengths;
  if (!readBatch(options, input, ids, types, lengths, error))
    return fail("logits", error);
  const int64_t batch = input.shape[0], padded = input.shape[1];
  std::vector<Sequence> sequences;
  for (int64_t row = 0; row < batch; ++row)
    sequences.push_back(
        {&ids[row * padded], &types[row * padded], lengths[row]});
  SessionOptions wanted;
  wanted.threads = options.session.threads;
  wanted.context = model->manifest().context;
  std::unique_ptr<Session> session = Session::create(model, wanted, error);
  if (!session)
    return fail("logits", error);

  const std::vector<OutputInfo> &outputs = model->manifest().outputs;
  std::vector<std::vector<float>> values(outputs.size());
  std::vector<NamedTensor> tensors;
  float *destinations[SMELT_MAX_OUTPUTS] = {};
  for (size_t o = 0; o < outputs.size(); ++o) {
    std::vector<int64_t> shape = {batch, padded, outputs[o].width};
    if (outputs[o].perSequence)
      shape.erase(shape.begin() + 1);
    values[o].resize(batch * (outputs[o].perSequence ? 1 : padded) *
                     outputs[o].width);
    destinations[o] = values[o].data();
    tensors.push_back(floats(outputs[o].name, shape, values[o]));
  }
  if (!encode(*session, sequences, padded, destinations, error))
    return fail("logits", error);
  if (options.output.empty())
    return printBest(values[0], outputs[0].width);
  if (!writeSafetensors(options.output, tensors, error))
    return fail("logits", error);
  return 0;
}

static int runLogits(const LogitsOptions &options) {
  std::string error;
  std::shared_ptr<const Model> model =
      Model::open(options.session.model, error, options.session.target);
  if (!model)
    return fail("logits", error);
  return model->manifest().kind == ModelKind::Decoder
             ? runDecoder(model, options)
             : runEncoder(model, options);
}

void smelt::addLogitsCommand(CLI::App &app, std::function<int()> &action) {
  auto options = std::make_shared<LogitsOptions>();
  CLI::App *command =
      app.add_subcommand("logits", "Run token ids and write the outputs");
  addModelOption(*command, options->session);
  auto *input = command->add_option_group("ids")->require_option(1);
  input->add_option("--ids", options->ids, "Token ids: 1,2,3");
  input->add_option(
      "--ids-file", options->idsFile,
      "A safetensors file of I64. Decoders: prompt_ids [n], and sequence_ids "
      "and step_ids [n], which sequence a token belongs to and which tokens "
      "share a step. Encoders: input_ids, attention_mask, token_type_ids [b, "
      "n]");
  command
      ->add_option("--chunk", options->chunk,
                   "Tokens of a step (default: as many as the model takes)")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 40));
  addTargetOption(*command, options->session);
  addThreadsOption(*command, options->session);
  command->add_option(
      "-o,--output", options->output,
      "A safetensors file; decoders: logits [n, vocabulary], "
      "encoders: last_hidden_state [b, n, hidden] and embedding "
      "[b, hidden] (default: print the largest of each row)");
  command->footer("Examples:\n"
                  "  smelt logits model.ingot --ids 1,2,3\n"
                  "  smelt logits model.ingot --ids-file in.safetensors -o "
                  "out.safetensors --chunk 7");
  command->callback(
      [=, &action] { action = [=] { return runLogits(*options); }; });
}
