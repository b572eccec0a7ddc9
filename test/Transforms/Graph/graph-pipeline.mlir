// RUN: smelt-opt %s --smelt-graph | FileCheck %s

// A decoder of three equal layers as the importer writes it, through the whole
// stage.
// CHECK: module attributes {{.*}}llm.stage = "graph"
// CHECK: llm.param @layers.qkv : tensor<16x8xf32>
// CHECK-SAME: recipe [#llm.concat<parts = 3>, #llm.scale_columns<by = 3>]
// CHECK: llm.param @layers.gate_up
// CHECK-LABEL: func.func @step
// CHECK: %[[C:[a-z_0-9]+]], %[[S:[a-z_0-9]+]] = llm.rope_table
// CHECK: %[[X:.+]] = scf.for %[[I:[a-z0-9]+]] =
// CHECK: func.call @layers(%[[I]], %{{.+}}, %[[C]], %[[S]]
// CHECK: %[[R:.+]] = llm.gather_rows %[[X]]
// CHECK: %[[N:.+]] = llm.rms_norm %[[R]] {
// CHECK: %[[Y:.+]] = llm.linear %[[N]]
// CHECK: return %[[Y]]
// CHECK-LABEL: func.func private @layers
// CHECK-NOT: llm.add
// CHECK-COUNT-2: llm.rotate
// CHECK: llm.linear {{.*}} residual
// CHECK: llm.glu
// CHECK: llm.linear {{.*}} residual
// CHECK-NEXT: return
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
  llm.param @layers.2.norm1 : tensor<8xf32> from [[#llm.source<"layers.2.norm1", file = "m", offset = 4320, type = tensor<8xf32>>]]
  llm.param @layers.2.q : tensor<8x8xf32> from [[#llm.source<"layers.2.q", file = "m", offset = 4352, type = tensor<8x8xf32>>]]
  llm.param @layers.2.k : tensor<4x8xf32> from [[#llm.source<"layers.2.k", file = "m", offset = 4608, type = tensor<4x8xf32>>]]
  llm.param @layers.2.v : tensor<4x8xf32> from [[#llm.source<"layers.2.v", file = "m", offset = 4736, type = tensor<4x8xf32>>]]
  llm.param @layers.2.o : tensor<8x8xf32> from [[#llm.source<"layers.2.o", file = "m", offset = 4864, type = tensor<8x8xf32>>]]
  llm.param @layers.2.norm2 : tensor<8xf32> from [[#llm.source<"layers.2.norm2", file = "m", offset = 5120, type = tensor<8xf32>>]]
  llm.param @layers.2.gate : tensor<12x8xf32> from [[#llm.source<"layers.2.gate", file = "m", offset = 5152, type = tensor<12x8xf32>>]]
  llm.param @layers.2.up : tensor<12x8xf32> from [[#llm.source<"layers.2.up", file = "m", offset = 5536, type = tensor<12x8xf32>>]]
  llm.param @layers.2.down : tensor<8x12xf32> from [[#llm.source<"layers.2.down", file = "m", offset = 5920, type = tensor<8x12xf32>>]]
  llm.param @norm : tensor<8xf32> from [[#llm.source<"norm", file = "m", offset = 6304, type = tensor<8xf32>>]]
  llm.param @head : tensor<11x8xf32> from [[#llm.source<"head", file = "m", offset = 6336, type = tensor<11x8xf32>>]]
  func.func @step(%ids: tensor<?xi32> {llm.input = "ids"}, %positions: tensor<?xi32> {llm.input = "positions"}, %slots: tensor<?xi32> {llm.input = "slots"}, %rows: tensor<?xi32> {llm.input = "rows"}, %kv: !llm.kv<layers = 3, heads = 1, size = 4, type = f32> {llm.input = "kv"}) -> (tensor<?x11xf32> {llm.output = "logits"}) {
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
    %k0, %w0 = llm.kv_append %kv[%v3], %v13, %v11 at %slots, %positions : !llm.kv<layers = 3, heads = 1, size = 4, type = f32>, tensor<?x4xf32>, tensor<?xi32>
    %v14 = llm.cached_attention %v12, %kv[%v3] at %slots, %positions {heads = 2 : i64, scale = 0.5 : f32} : tensor<?x8xf32>, !llm.kv<layers = 3, heads = 1, size = 4, type = f32>, tensor<?xi32>
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
    %k1, %w1 = llm.kv_append %kv[%v29], %v39, %v37 at %slots, %positions : !llm.kv<layers = 3, heads = 1, size = 4, type = f32>, tensor<?x4xf32>, tensor<?xi32>
    %v40 = llm.cached_attention %v38, %kv[%v29] at %slots, %positions {heads = 2 : i64, scale = 0.5 : f32} : tensor<?x8xf32>, !llm.kv<layers = 3, heads = 1, size = 4, type = f32>, tensor<?xi32>
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
    %v55 = arith.constant 2 : index
    %v56 = llm.get_param @layers.2.norm1 : tensor<8xf32>
    %v57 = llm.rms_norm %v54 weight %v56 {eps = 1.0e-5 : f32} : tensor<?x8xf32> weight tensor<8xf32>
    %v58 = llm.get_param @layers.2.q : tensor<8x8xf32>
    %v59 = llm.linear %v57, %v58 {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    %v60 = llm.get_param @layers.2.k : tensor<4x8xf32>
    %v61 = llm.linear %v57, %v60 {compute = f32} : tensor<?x8xf32>, tensor<4x8xf32>
    %v62 = llm.get_param @layers.2.v : tensor<4x8xf32>
    %v63 = llm.linear %v57, %v62 {compute = f32} : tensor<?x8xf32>, tensor<4x8xf32>
    %v64 = llm.rope %v59, %positions {heads = 2 : i64, base = 1.0e4 : f64} : tensor<?x8xf32>, tensor<?xi32>
    %v65 = llm.rope %v61, %positions {heads = 1 : i64, base = 1.0e4 : f64} : tensor<?x4xf32>, tensor<?xi32>
    %k2, %w2 = llm.kv_append %kv[%v55], %v65, %v63 at %slots, %positions : !llm.kv<layers = 3, heads = 1, size = 4, type = f32>, tensor<?x4xf32>, tensor<?xi32>
    %v66 = llm.cached_attention %v64, %kv[%v55] at %slots, %positions {heads = 2 : i64, scale = 0.5 : f32} : tensor<?x8xf32>, !llm.kv<layers = 3, heads = 1, size = 4, type = f32>, tensor<?xi32>
    %v67 = llm.get_param @layers.2.o : tensor<8x8xf32>
    %v68 = llm.linear %v66, %v67 {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    %v69 = llm.add %v54, %v68 : tensor<?x8xf32>
    %v70 = llm.get_param @layers.2.norm2 : tensor<8xf32>
    %v71 = llm.rms_norm %v69 weight %v70 {eps = 1.0e-5 : f32} : tensor<?x8xf32> weight tensor<8xf32>
    %v72 = llm.get_param @layers.2.gate : tensor<12x8xf32>
    %v73 = llm.linear %v71, %v72 {compute = f32} : tensor<?x8xf32>, tensor<12x8xf32>
    %v74 = llm.silu %v73 : tensor<?x12xf32>
    %v75 = llm.get_param @layers.2.up : tensor<12x8xf32>
    %v76 = llm.linear %v71, %v75 {compute = f32} : tensor<?x8xf32>, tensor<12x8xf32>
    %v77 = llm.mul %v74, %v76 : tensor<?x12xf32>
    %v78 = llm.get_param @layers.2.down : tensor<8x12xf32>
    %v79 = llm.linear %v77, %v78 {compute = f32} : tensor<?x12xf32>, tensor<8x12xf32>
    %v80 = llm.add %v69, %v79 : tensor<?x8xf32>
    %v81 = llm.get_param @norm : tensor<8xf32>
    %v82 = llm.rms_norm %v80 weight %v81 {eps = 1.0e-5 : f32} : tensor<?x8xf32> weight tensor<8xf32>
    %v83 = llm.get_param @head : tensor<11x8xf32>
    %v84 = llm.linear %v82, %v83 {compute = f32} : tensor<?x8xf32>, tensor<11x8xf32>
    %v85 = llm.gather_rows %v84, %rows : tensor<?x11xf32>, tensor<?xi32>
    return %v85 : tensor<?x11xf32>
  }
}
