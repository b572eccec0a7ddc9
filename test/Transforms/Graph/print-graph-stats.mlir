// RUN: smelt-opt %s --llm-print-graph-stats 2>&1 >/dev/null | FileCheck %s --check-prefix=BEFORE
// RUN: smelt-opt %s --smelt-graph --llm-print-graph-stats="tokens=10 rows=2" 2>&1 >/dev/null | FileCheck %s --check-prefix=AFTER

// BEFORE: a step of 1 tokens, 1 rows of output
// BEFORE: layers.0 {{ *}}9 ops {{ *}}1984 weight bytes {{ *}}960 flops
// BEFORE: layers.1 {{ *}}9 ops {{ *}}1984 weight bytes {{ *}}960 flops
// BEFORE: total {{ *}}38 ops {{ *}}4384 weight bytes {{ *}}2096 flops
// AFTER: step {{ *}}5 ops {{ *}}672 weight bytes {{ *}}352 flops
// AFTER: layers {{ *}}22 ops {{ *}}3840 weight bytes {{ *}}19200 flops
// AFTER: biggest: llm.linear @layers.gate_up, 34 % of the bytes

module attributes {llm.stage = "import", llm.compute = f32} {
  llm.param @embed : tensor<11x8xf32> from [[#llm.source<"embed", file = "m", offset = 0, type = tensor<11x8xf32>>]]
  llm.param @layers.0.norm1 : tensor<8xf32> from [[#llm.source<"layers.0.norm1", file = "m", offset = 352, type = tensor<8xf32>>]]
  llm.param @layers.0.q : tensor<8x8xf32> from [[#llm.source<"layers.0.q", file = "m", offset = 384, type = tensor<8x8xf32>>]]
  llm.param @layers.0.k : tensor<4x8xf32> from [[#llm.source<"layers.0.k", file = "m", offset = 640, type = tensor<4x8xf32>>]]
  llm.param @layers.0.v : tensor<4x8xf32> from [[#llm.source<"layers.0.v", file = "m", offset = 768, type = tensor<4x8xf32>>]]
  llm.param @layers.0.o : tensor<8x8xf32> from [[#llm.source<"layers.0.o", file = "m", offset = 896, type = tensor<8x8xf32>>]]
  llm.param @layers.0.norm2 : tensor<8xf32> from [[#llm.source<"layers.0.norm2", file = "m", offset = 1152, type = tensor<8xf32>>]]
  llm.param @layers.0.gate : tensor<12x8xf32> from [[#llm.source<"layers.0.gate", file = "m", offset = 1184, type = tensor<12x8xf32>>]]
  llm.param @layers.0.up : tensor<12x8xf32> from [[#llm.source<"layers.0.up", file = "m", offset = 1568, type = tensor<12x8xf32>>]]
  llm.param @layers.0.down : tensor<8x12xf32> from [[#llm.source<"layers.0.down", file = "m", offset = 1952, type = tensor<8x12xf32>>]]
  llm.param @layers.1.norm1 : tensor<8xf32> from [[#llm.source<"layers.1.norm1", file = "m", offset = 2336, type = tensor<8xf32>>]]
  llm.param @layers.1.q : tensor<8x8xf32> from [[#llm.source<"layers.1.q", file = "m", offset = 2368, type = tensor<8x8xf32>>]]
  llm.param @layers.1.k : tensor<4x8xf32> from [[#llm.source<"layers.1.k", file = "m", offset = 2624, type = tensor<4x8xf32>>]]
  llm.param @layers.1.v : tensor<4x8xf32> from [[#llm.source<"layers.1.v", file = "m", offset = 2752, type = tensor<4x8xf32>>]]
  llm.param @layers.1.o : tensor<8x8xf32> from [[#llm.source<"layers.1.o", file = "m", offset = 2880, type = tensor<8x8xf32>>]]
  llm.param @layers.1.norm2 : tensor<8xf32> from [[#llm.source<"layers.1.norm2", file = "m", offset = 3136, type = tensor<8xf32>>]]
  llm.param @layers.1.gate : tensor<12x8xf32> from [[#llm.source<"layers.1.gate", file = "m", offset = 3168, type = tensor<12x8xf32>>]]
  llm.param @layers.1.up : tensor<12x8xf32> from [[#llm.source<"layers.1.up", file = "m", offset = 3552, type = tensor<12x8xf32>>]]
  llm.param @layers.1.down : tensor<8x12xf32> from [[#llm.source<"layers.1.down", file = "m", offset = 3936, type = tensor<8x12xf32>>]]
  llm.param @norm : tensor<8xf32> from [[#llm.source<"norm", file = "m", offset = 4320, type = tensor<8xf32>>]]
  llm.param @head : tensor<11x8xf32> from [[#llm.source<"head", file = "m", offset = 4352, type = tensor<11x8xf32>>]]
  func.func @step(%ids: tensor<?xi32> {llm.input = "ids"}, %positions: tensor<?xi32> {llm.input = "positions"}, %slots: tensor<?xi32> {llm.input = "slots"}, %rows: tensor<?xi32> {llm.input = "rows"}, %kv: !llm.kv<layers = 2, heads = 1, size = 4, type = f32> {llm.input = "kv"}) -> (tensor<?x11xf32> {llm.output = "logits"}) {
    %v1 = llm.get_param @embed : tensor<11x8xf32>
    %v2 = llm.embedding %ids, %v1 : tensor<?xi32>, tensor<11x8xf32>
    %v3 = arith.constant 0 : index
    %v4 = llm.get_param @layers.0.norm1 : tensor<8xf32>
    %v5 = llm.rms_norm %v2 weight %v4 {eps = 1.0e-5 : f32} : tensor<?x8xf32> weight tensor<8xf32>
    %v6 = llm.get_param @layers.0.q : tensor<8x8xf32>
    %v7 = llm.linear %v5, %v6 {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    %v8 = llm.get_param @layers.0.k : tensor<4x8xf32>
    %v9 = llm.linear %v5, %v8 {compute = f32} : tensor<?x8xf32>, tensor<4x8xf32>
    %v10 = llm.get_param @layers.0.v : tensor<4x8xf32>
    %v11 = llm.linear %v5, %v10 {compute = f32} : tensor<?x8xf32>, tensor<4x8xf32>
    %v12 = llm.rope %v7, %positions {heads = 2 : i64, base = 1.0e4 : f64} : tensor<?x8xf32>, tensor<?xi32>
    %v13 = llm.rope %v9, %positions {heads = 1 : i64, base = 1.0e4 : f64} : tensor<?x4xf32>, tensor<?xi32>
    %k0, %w0 = llm.kv_append %kv[%v3], %v13, %v11 at %slots, %positions : !llm.kv<layers = 2, heads = 1, size = 4, type = f32>, tensor<?x4xf32>, tensor<?xi32>
    %v14 = llm.cached_attention %v12, %kv[%v3] at %slots, %positions {heads = 2 : i64, scale = 0.5 : f32} : tensor<?x8xf32>, !llm.kv<layers = 2, heads = 1, size = 4, type = f32>, tensor<?xi32>
    %v15 = llm.get_param @layers.0.o : tensor<8x8xf32>
    %v16 = llm.linear %v14, %v15 {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    %v17 = llm.add %v2, %v16 : tensor<?x8xf32>
    %v18 = llm.get_param @layers.0.norm2 : tensor<8xf32>
    %v19 = llm.rms_norm %v17 weight %v18 {eps = 1.0e-5 : f32} : tensor<?x8xf32> weight tensor<8xf32>
    %v20 = llm.get_param @layers.0.gate : tensor<12x8xf32>
    %v21 = llm.linear %v19, %v20 {compute = f32} : tensor<?x8xf32>, tensor<12x8xf32>
    %v22 = llm.silu %v21 : tensor<?x12xf32>
    %v23 = llm.get_param @layers.0.up : tensor<12x8xf32>
    %v24 = llm.linear %v19, %v23 {compute = f32} : tensor<?x8xf32>, tensor<12x8xf32>
    %v25 = llm.mul %v22, %v24 : tensor<?x12xf32>
    %v26 = llm.get_param @layers.0.down : tensor<8x12xf32>
    %v27 = llm.linear %v25, %v26 {compute = f32} : tensor<?x12xf32>, tensor<8x12xf32>
    %v28 = llm.add %v17, %v27 : tensor<?x8xf32>
    %v29 = arith.constant 1 : index
    %v30 = llm.get_param @layers.1.norm1 : tensor<8xf32>
    %v31 = llm.rms_norm %v28 weight %v30 {eps = 1.0e-5 : f32} : tensor<?x8xf32> weight tensor<8xf32>
    %v32 = llm.get_param @layers.1.q : tensor<8x8xf32>
    %v33 = llm.linear %v31, %v32 {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    %v34 = llm.get_param @layers.1.k : tensor<4x8xf32>
    %v35 = llm.linear %v31, %v34 {compute = f32} : tensor<?x8xf32>, tensor<4x8xf32>
    %v36 = llm.get_param @layers.1.v : tensor<4x8xf32>
    %v37 = llm.linear %v31, %v36 {compute = f32} : tensor<?x8xf32>, tensor<4x8xf32>
    %v38 = llm.rope %v33, %positions {heads = 2 : i64, base = 1.0e4 : f64} : tensor<?x8xf32>, tensor<?xi32>
    %v39 = llm.rope %v35, %positions {heads = 1 : i64, base = 1.0e4 : f64} : tensor<?x4xf32>, tensor<?xi32>
    %k1, %w1 = llm.kv_append %kv[%v29], %v39, %v37 at %slots, %positions : !llm.kv<layers = 2, heads = 1, size = 4, type = f32>, tensor<?x4xf32>, tensor<?xi32>
    %v40 = llm.cached_attention %v38, %kv[%v29] at %slots, %positions {heads = 2 : i64, scale = 0.5 : f32} : tensor<?x8xf32>, !llm.kv<layers = 2, heads = 1, size = 4, type = f32>, tensor<?xi32>
    %v41 = llm.get_param @layers.1.o : tensor<8x8xf32>
    %v42 = llm.linear %v40, %v41 {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    %v43 = llm.add %v28, %v42 : tensor<?x8xf32>
    %v44 = llm.get_param @layers.1.norm2 : tensor<8xf32>
    %v45 = llm.rms_norm %v43 weight %v44 {eps = 1.0e-5 : f32} : tensor<?x8xf32> weight tensor<8xf32>
    %v46 = llm.get_param @layers.1.gate : tensor<12x8xf32>
    %v47 = llm.linear %v45, %v46 {compute = f32} : tensor<?x8xf32>, tensor<12x8xf32>
    %v48 = llm.silu %v47 : tensor<?x12xf32>
    %v49 = llm.get_param @layers.1.up : tensor<12x8xf32>
    %v50 = llm.linear %v45, %v49 {compute = f32} : tensor<?x8xf32>, tensor<12x8xf32>
    %v51 = llm.mul %v48, %v50 : tensor<?x12xf32>
    %v52 = llm.get_param @layers.1.down : tensor<8x12xf32>
    %v53 = llm.linear %v51, %v52 {compute = f32} : tensor<?x12xf32>, tensor<8x12xf32>
    %v54 = llm.add %v43, %v53 : tensor<?x8xf32>
    %v55 = llm.get_param @norm : tensor<8xf32>
    %v56 = llm.rms_norm %v54 weight %v55 {eps = 1.0e-5 : f32} : tensor<?x8xf32> weight tensor<8xf32>
    %v57 = llm.get_param @head : tensor<11x8xf32>
    %v58 = llm.linear %v56, %v57 {compute = f32} : tensor<?x8xf32>, tensor<11x8xf32>
    %v59 = llm.gather_rows %v58, %rows : tensor<?x11xf32>, tensor<?xi32>
    return %v59 : tensor<?x11xf32>
  }
}
