/*===- smelt.h - Runs compiled language models --------------------*- C -*-===*\
|*                                                                            *|
|* Part of the Smelt project, under the Apache License v2.0 with LLVM         *|
|* Exceptions.                                                                *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
|*===----------------------------------------------------------------------===*|
|*                                                                            *|
|* The C interface of the runtime:                                            *|
|*                                                                            *|
|*     smelt_model *model = smelt_model_open("model.ingot");                  *|
|*     smelt_session *session = smelt_session_create(model, NULL);            *|
|*     smelt_generate(session, "Hello", NULL, print, NULL);                   *|
|*     smelt_session_close(session);                                          *|
|*     smelt_model_close(model);                                              *|
|*                                                                            *|
|* Functions that fail return NULL or a negative number; smelt_last_error()   *|
|* then says why. A model may be shared by threads, a session may not. Text   *|
|* is UTF-8. Option structs begin with their size, so that programs compiled  *|
|* against an older header keep working; their *_init() sets the defaults.    *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/
#ifndef SMELT_SMELT_H
#define SMELT_SMELT_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define SMELT_EXPORT __attribute__((visibility("default")))
#else
#define SMELT_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct smelt_model smelt_model;
typedef struct smelt_session smelt_session;

typedef struct smelt_session_options {
  size_t size;     /* of this struct */
  int32_t threads; /* 0: the CPUs of the affinity mask and cgroup quota */
  int32_t context; /* positions; 0: the model's, at most 4096 */
} smelt_session_options;

typedef struct smelt_generate_options {
  size_t size;          /* of this struct */
  int64_t max_tokens;   /* -1: until an end token or the context is full */
  float temperature;    /* 0: the most probable token */
  int32_t top_k;        /* 0: all */
  float top_p;          /* 1: all */
  float min_p;          /* 0: all */
  float repeat_penalty; /* 1: none */
  int32_t ignore_eos;   /* other than 0: go on past end tokens */
  uint64_t seed;
} smelt_generate_options;

/** Receives `bytes` bytes of text, also terminated by a zero, as they are
    generated: whole UTF-8 characters. Returns other than 0 to stop. */
typedef int (*smelt_text_callback)(const char *text, size_t bytes, void *user);

/** The runtime's version, such as "0.1.0". */
SMELT_EXPORT const char *smelt_version(void);

/** What went wrong in this thread's last failed call; never NULL. */
SMELT_EXPORT const char *smelt_last_error(void);

/** Maps a model and checks it. Where it has code for several targets, the best
 * that this processor executes will run, or the one that the environment
 * variable SMELT_TARGET names. NULL on failure. */
SMELT_EXPORT smelt_model *smelt_model_open(const char *path);
/** Frees a model; its sessions stay usable. */
SMELT_EXPORT void smelt_model_close(smelt_model *model);
/** Number of token ids. */
SMELT_EXPORT int64_t smelt_model_vocabulary(const smelt_model *model);
/** The most positions that a session can have. */
SMELT_EXPORT int64_t smelt_model_context(const smelt_model *model);
/** Floats of an embedding; 0 for models that give none. */
SMELT_EXPORT int64_t smelt_model_embedding_width(const smelt_model *model);

/** Encodes `bytes` bytes of text, with special tokens where `add_special` isn't
    0. Writes at most `capacity` ids and returns how many there are; negative on
    failure. */
SMELT_EXPORT int64_t smelt_tokenize(const smelt_model *model, const char *text,
                                    size_t bytes, int add_special, int32_t *ids,
                                    int64_t capacity);
/** Decodes ids without special tokens. Writes at most `capacity` bytes, with a
    zero behind them where it fits, and returns how many bytes the text has;
    negative on failure. */
SMELT_EXPORT int64_t smelt_detokenize(const smelt_model *model,
                                      const int32_t *ids, int64_t count,
                                      char *text, int64_t capacity);

SMELT_EXPORT void smelt_session_options_init(smelt_session_options *options);
/** Takes all memory that steps need. `options` NULL: defaults. NULL on
    failure. */
SMELT_EXPORT smelt_session *
smelt_session_create(smelt_model *model, const smelt_session_options *options);
SMELT_EXPORT void smelt_session_close(smelt_session *session);
/** Forgets all tokens. */
SMELT_EXPORT void smelt_session_reset(smelt_session *session);
/** Tokens that a decoder's session holds. */
SMELT_EXPORT int64_t smelt_session_length(const smelt_session *session);

/** Sets what the model's author recommends, else common values; `model` may be
    NULL. */
SMELT_EXPORT void smelt_generate_options_init(smelt_generate_options *options,
                                              const smelt_model *model);
/** Continues the session's tokens, then `prompt`, and streams the text. With
    `options` NULL the defaults stand; `callback` may be NULL. Returns how many
    tokens were generated, negative on failure. */
SMELT_EXPORT int64_t smelt_generate(smelt_session *session, const char *prompt,
                                    const smelt_generate_options *options,
                                    smelt_text_callback callback, void *user);

/** Embeds a text: smelt_model_embedding_width() floats. 0, or negative on
    failure. */
SMELT_EXPORT int smelt_embed(smelt_session *session, const char *text,
                             float *embedding);

/** Appends tokens to a decoder's session. `logits` takes [count, vocabulary]
    floats, or is NULL. 0, or negative on failure. */
SMELT_EXPORT int smelt_logits(smelt_session *session, const int32_t *ids,
                              int64_t count, float *logits);
/** Logits [vocabulary] after the session's last token, until the session is
    used again; NULL before the first. */
SMELT_EXPORT const float *smelt_last_logits(const smelt_session *session);

#ifdef __cplusplus
}
#endif

#endif /* SMELT_SMELT_H */
