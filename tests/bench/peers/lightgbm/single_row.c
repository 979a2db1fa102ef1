/* LightGBM's C API: trains a model, and scores one row after another by the fast path for single rows.
 *
 *   single_row train ROWS LABELS COUNT WIDTH MODEL
 *   single_row score ROWS COUNT WIDTH MODEL MARGINS SECONDS
 *
 * ROWS holds COUNT rows of WIDTH doubles, LABELS as many floats, MARGINS gets as many doubles: raw scores. MODEL is
 * LightGBM's text. `score` prints the nanoseconds of CPU time that a row took, over at least SECONDS.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* From LightGBM's c_api.h, which the wheel does not bring. */
typedef void *Handle;
enum { FLOAT32 = 0, FLOAT64 = 1 };
enum { RAW_SCORE = 1 };
const char *LGBM_GetLastError(void);
int LGBM_DatasetCreateFromMat(const void *data, int data_type, int32_t nrow, int32_t ncol, int is_row_major,
                              const char *parameters, const Handle reference, Handle *out);
int LGBM_DatasetSetField(Handle handle, const char *field_name, const void *field_data, int num_element, int type);
int LGBM_BoosterCreate(const Handle train_data, const char *parameters, Handle *out);
int LGBM_BoosterUpdateOneIter(Handle handle, int *is_finished);
int LGBM_BoosterSaveModel(Handle handle, int start_iteration, int num_iteration, int feature_importance_type,
                          const char *filename);
int LGBM_BoosterCreateFromModelfile(const char *filename, int *out_num_iterations, Handle *out);
int LGBM_BoosterPredictForMatSingleRowFastInit(Handle handle, const int predict_type, const int start_iteration,
                                               const int num_iteration, const int data_type, const int32_t ncol,
                                               const char *parameter, Handle *out_fastConfig);
int LGBM_BoosterPredictForMatSingleRowFast(Handle fastConfig, const void *data, int64_t *out_len, double *out_result);

static const int ROUNDS = 200;
static const char *TRAINING =
    "objective=binary num_leaves=31 learning_rate=0.05 num_threads=1 deterministic=true force_row_wise=true seed=7 "
    "verbosity=-1";

static void fail(const char *what, const char *why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(1);
}

static void ok(int returned, const char *what) {
  if (returned != 0) fail(what, LGBM_GetLastError());
}

static void *read_all(const char *path, size_t size) {
  void *bytes = malloc(size);
  FILE *file = fopen(path, "rb");
  if (!bytes || !file || fread(bytes, 1, size, file) != size) fail(path, "cannot be read in full");
  fclose(file);
  return bytes;
}

static double cpu_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * 1e9 + now.tv_nsec;
}

static void train(char **args) {
  int count = atoi(args[2]), width = atoi(args[3]);
  double *rows = read_all(args[0], sizeof(double) * count * width);
  float *labels = read_all(args[1], sizeof(float) * count);
  Handle data, booster;
  ok(LGBM_DatasetCreateFromMat(rows, FLOAT64, count, width, 1, TRAINING, NULL, &data), "data set");
  ok(LGBM_DatasetSetField(data, "label", labels, count, FLOAT32), "labels");
  ok(LGBM_BoosterCreate(data, TRAINING, &booster), "booster");
  for (int round = 0, finished = 0; round < ROUNDS && !finished; round++)
    ok(LGBM_BoosterUpdateOneIter(booster, &finished), "round");
  ok(LGBM_BoosterSaveModel(booster, 0, -1, 0, args[4]), "model");
}

static void score(char **args) {
  int count = atoi(args[1]), width = atoi(args[2]), rounds;
  double *rows = read_all(args[0], sizeof(double) * count * width);
  double *margins = calloc(count, sizeof(double));
  double wanted_ns = atof(args[5]) * 1e9;
  Handle booster, fast;
  int64_t length;
  ok(LGBM_BoosterCreateFromModelfile(args[3], &rounds, &booster), "model");
  ok(LGBM_BoosterPredictForMatSingleRowFastInit(booster, RAW_SCORE, 0, -1, FLOAT64, width,
                                                "num_threads=1 verbosity=-1", &fast),
     "fast path");
  /* The first pass warms up and is the one that is looked at. */
  for (int row = 0; row < count; row++)
    ok(LGBM_BoosterPredictForMatSingleRowFast(fast, rows + (size_t)row * width, &length, margins + row), "row");
  FILE *file = fopen(args[4], "wb");
  if (!file || fwrite(margins, sizeof(double), count, file) != (size_t)count || fclose(file))
    fail(args[4], "cannot be written");
  double begin = cpu_ns(), spent = 0, passes = 0, sum = 0, margin;
  while (spent < wanted_ns) {
    for (int row = 0; row < count; row++) {
      LGBM_BoosterPredictForMatSingleRowFast(fast, rows + (size_t)row * width, &length, &margin);
      sum += margin;
    }
    passes++;
    spent = cpu_ns() - begin;
  }
  printf("%.3f\n", spent / (passes * count));
  /* What nobody reads might not be worked out. */
  fprintf(stderr, "%g\n", sum);
}

int main(int count, char **args) {
  if (count == 7 && !strcmp(args[1], "train")) train(args + 2);
  else if (count == 8 && !strcmp(args[1], "score")) score(args + 2);
  else fail("usage", "see the head of single_row.c");
  return 0;
}
