/*===- stream.c - Streams a model's text, and stops it ----------------------===*\
|*                                                                            *|
|* Part of the Smelt project, under the Apache License v2.0 with LLVM         *|
|* Exceptions.                                                                *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
|*===----------------------------------------------------------------------===*|
|*                                                                            *|
|* Usage: stream MODEL PROMPT PIECES. Prints text as it is generated, and     *|
|* stops after so many pieces.                                                *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/
#include <smelt/smelt.h>
#include <stdio.h>
#include <stdlib.h>

static int print(const char *text, size_t bytes, void *user) {
  int *left = user;
  fwrite(text, 1, bytes, stdout);
  fflush(stdout);
  return --*left <= 0;
}

int main(int argc, char **argv) {
  int left = argc == 4 ? atoi(argv[3]) : 0;
  if (left <= 0) {
    fprintf(stderr, "usage: %s MODEL PROMPT PIECES\n", argv[0]);
    return 2;
  }
  smelt_model *model = smelt_model_open(argv[1]);
  smelt_session *session = model ? smelt_session_create(model, NULL) : NULL;
  int64_t tokens = -1;
  if (session) {
    smelt_generate_options options;
    smelt_generate_options_init(&options, model);
    options.temperature = 0;
    tokens = smelt_generate(session, argv[2], &options, print, &left);
    smelt_session_close(session);
  }
  if (tokens < 0)
    fprintf(stderr, "%s: %s\n", argv[0], smelt_last_error());
  else
    printf("\n[%lld tokens]\n", (long long)tokens);
  if (model)
    smelt_model_close(model);
  return tokens < 0;
}
