//===- CApi.cpp - The C interface -----------------------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// smelt.h over the C++ classes. No exception leaves a function: what throws
// (out of memory, mostly) becomes a message like any other failure.
//
//===----------------------------------------------------------------------===//
#include "smelt/smelt.h"

#include "Encoder.h"
#include "Generate.h"
#include "smelt/Tokenizer.h"

#include <algorithm>
#include <cstring>
#include <exception>

using namespace smelt;

struct smelt_model {
  std::shared_ptr<const Model> model;
};

struct smelt_session {
  std::unique_ptr<Session> session;
};

static thread_local std::string lastError;

/// Runs `body`, which returns its result or sets the error and returns
/// `failed`.
template <typename Result, typename Body>
static Result guarded(Result failed, Body body) {
  try {
    std::string error;
    Result result = body(error);
    if (!error.empty())
      lastError = error;
    return result;
  } catch (const std::exception &exception) {
    lastError = exception.what();
  } catch (...) {
    lastError = "unknown failure";
  }
  return failed;
}

/// Copies the part of a caller's options that its header knew; false where the
/// size can't be right.
template <typename Options>
static bool readOptions(const Options *from, Options &to, std::string &error) {
  if (!from)
    return true;
  if (from->size < sizeof(size_t) || from->size > sizeof(Options)) {
    error = "options have size " + std::to_string(from->size) +
            ", expected at most " + std::to_string(sizeof(Options)) +
            "; set them with their _init function";
    return false;
  }
  std::memcpy(&to, from, from->size);
  return true;
}

static bool isDecoder(const Session &session, std::string &error) {
  if (session.manifest().kind == ModelKind::Decoder)
    return true;
  error =
      "'" + session.manifest().modelName + "' is an encoder: it has no logits";
  return false;
}

const char *smelt_version(void) { return SMELT_VERSION; }

const char *smelt_last_error(void) { return lastError.c_str(); }

smelt_model *smelt_model_open(const char *path) {
  return guarded<smelt_model *>(nullptr, [&](std::string &error) {
    std::shared_ptr<const Model> model = Model::open(path, error);
    return model ? new smelt_model{std::move(model)} : nullptr;
  });
}

void smelt_model_close(smelt_model *model) { delete model; }

int64_t smelt_model_vocabulary(const smelt_model *model) {
  return model->model->manifest().vocabulary;
}

int64_t smelt_model_context(const smelt_model *model) {
  return model->model->manifest().context;
}

int64_t smelt_model_embedding_width(const smelt_model *model) {
  return embeddingWidth(model->model->manifest());
}

int64_t smelt_tokenize(const smelt_model *model, const char *text, size_t bytes,
                       int addSpecial, int32_t *ids, int64_t capacity) {
  return guarded<int64_t>(-1, [&](std::string &error) -> int64_t {
    const Tokenizer *tokenizer = model->model->tokenizer(error);
    if (!tokenizer)
      return -1;
    EncodeOptions options;
    options.addSpecial = addSpecial != 0;
    options.maxLength = EncodeOptions::kUnlimited;
    std::optional<Encoding> encoding =
        tokenizer->encode({text, bytes}, options, error);
    if (!encoding)
      return -1;
    int64_t count = int64_t(encoding->ids.size());
    std::copy_n(encoding->ids.begin(), std::clamp<int64_t>(capacity, 0, count),
                ids);
    return count;
  });
}

int64_t smelt_detokenize(const smelt_model *model, const int32_t *ids,
                         int64_t count, char *text, int64_t capacity) {
  return guarded<int64_t>(-1, [&](std::string &error) -> int64_t {
    const Tokenizer *tokenizer = model->model->tokenizer(error);
    if (!tokenizer)
      return -1;
    std::string decoded = tokenizer->decode(
        std::vector<int32_t>(ids, ids + std::max<int64_t>(count, 0)),
        /*skipSpecial=*/true);
    int64_t bytes = int64_t(decoded.size());
    std::copy_n(decoded.c_str(), std::clamp<int64_t>(capacity, 0, bytes + 1),
                text);
    return bytes;
  });
}

void smelt_session_options_init(smelt_session_options *options) {
  *options = {sizeof(*options), 0, 0};
}

smelt_session *smelt_session_create(smelt_model *model,
                                    const smelt_session_options *options) {
  return guarded<smelt_session *>(
      nullptr, [&](std::string &error) -> smelt_session * {
        smelt_session_options known;
        smelt_session_options_init(&known);
        if (!readOptions(options, known, error))
          return nullptr;
        SessionOptions wanted;
        wanted.threads = known.threads;
        wanted.context = known.context;
        auto session = Session::create(model->model, wanted, error);
        return session ? new smelt_session{std::move(session)} : nullptr;
      });
}

void smelt_session_close(smelt_session *session) { delete session; }

void smelt_session_reset(smelt_session *session) {
  if (session->session->manifest().kind == ModelKind::Decoder)
    session->session->truncate(0, 0);
}

int64_t smelt_session_length(const smelt_session *session) {
  const Session &inner = *session->session;
  return inner.manifest().kind == ModelKind::Decoder ? inner.length(0) : 0;
}

static smelt_generate_options toOptions(const SamplerOptions &sampling) {
  smelt_generate_options options = {};
  options.size = sizeof(options);
  options.max_tokens = -1;
  options.temperature = float(sampling.temperature);
  options.top_k = int32_t(sampling.topK);
  options.top_p = float(sampling.topP);
  options.min_p = float(sampling.minP);
  options.repeat_penalty = float(sampling.repeatPenalty);
  options.seed = sampling.seed;
  return options;
}

void smelt_generate_options_init(smelt_generate_options *options,
                                 const smelt_model *model) {
  *options = toOptions(model ? recommendedSampling(model->model->manifest())
                             : SamplerOptions());
}

int64_t smelt_generate(smelt_session *session, const char *prompt,
                       const smelt_generate_options *options,
                       smelt_text_callback callback, void *user) {
  return guarded<int64_t>(-1, [&](std::string &error) -> int64_t {
    smelt_generate_options known =
        toOptions(recommendedSampling(session->session->manifest()));
    if (!readOptions(options, known, error))
      return -1;
    GenerateOptions wanted;
    wanted.maxTokens = known.max_tokens;
    wanted.ignoreEos = known.ignore_eos != 0;
    wanted.sampling.temperature = known.temperature;
    wanted.sampling.topK = known.top_k;
    wanted.sampling.topP = known.top_p;
    wanted.sampling.minP = known.min_p;
    wanted.sampling.repeatPenalty = known.repeat_penalty;
    wanted.sampling.seed = known.seed;
    GenerateStats stats;
    auto onText = [&](const std::string &text, int32_t) {
      return !callback || callback(text.c_str(), text.size(), user) == 0;
    };
    if (!generateText(*session->session, prompt, wanted, onText, stats, error))
      return -1;
    return stats.tokens;
  });
}

int smelt_embed(smelt_session *session, const char *text, float *embedding) {
  return guarded(-1, [&](std::string &error) {
    std::vector<float> embeddings;
    if (!embed(*session->session, {text}, embeddings, error))
      return -1;
    std::copy(embeddings.begin(), embeddings.end(), embedding);
    return 0;
  });
}

int smelt_logits(smelt_session *session, const int32_t *ids, int64_t count,
                 float *logits) {
  return guarded(-1, [&](std::string &error) {
    Session &inner = *session->session;
    if (!isDecoder(inner, error))
      return -1;
    if (count < 1) {
      error = "expected at least one token";
      return -1;
    }
    const int index = inner.manifest().findOutput("logits");
    const int64_t width = inner.manifest().vocabulary;
    const int64_t before = inner.length(0);
    Segment segment;
    segment.ids = ids;
    segment.count = count;
    segment.rows = logits ? Rows::All : Rows::Last;
    auto visit = [&](int64_t begin, int64_t rows) {
      if (logits)
        std::copy_n(inner.output(index, 0), rows * width,
                    logits + begin * width);
    };
    if (inner.feed(segment, 0, error, visit))
      return 0;
    inner.truncate(0, before);
    return -1;
  });
}

const float *smelt_last_logits(const smelt_session *session) {
  const Session &inner = *session->session;
  if (inner.manifest().kind != ModelKind::Decoder || inner.rows() == 0)
    return nullptr;
  return inner.output(inner.manifest().findOutput("logits"), inner.rows() - 1);
}
