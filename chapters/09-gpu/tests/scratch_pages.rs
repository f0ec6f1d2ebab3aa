#![allow(unused, clippy::all)]
mod course {
    pub use candle_core;
    pub use compare;
    pub use flash;
    pub use gpu;
    pub use masking;
    pub use multi_head;
    pub use varlen;
    pub mod scaling {
        pub mod solution {
            use candle_core::*;
            pub fn scaled_dot_product_attention(
                q: &Tensor,
                k: &Tensor,
                v: &Tensor,
            ) -> Result<(Tensor, Tensor)> {
                masking::solution::masked_attention(q, k, v, None)
            }
        }
    }
    pub mod transformer {
        pub mod solution {
            use candle_core::*;
            pub fn positional_encoding(n: usize, d: usize, dev: &Device) -> Result<Tensor> {
                seeded::normal(7, (n, d))
            }
            pub fn rope(x: &Tensor, at: usize) -> Result<Tensor> {
                Ok(x.clone())
            }
        }
    }
}
use candle_core::{D, DType, Device, Result, Tensor, Var};

#[test]
fn page_08_varlen() -> std::result::Result<(), Box<dyn std::error::Error>> {
    use varlen::solution;
    println!("--- cell");
    {}
    use crate::course::varlen::{batch, plots};
    let lengths = batch::log_normal_lengths(1, 32)?;
    println!("{lengths:?}");
    println!("--- cell");
    {}
    plots::padding("32 requests in one padded batch", &lengths)?;
    println!("--- cell");
    {}
    let (tokens, pairs) = solution::padding_waste(&lengths);
    println!("{:.1} % of the tokens are padding", 100. * tokens);
    println!("{:.1} % of the scores are waste", 100. * pairs);
    let (tokens, pairs) = solution::padding_waste(&[512; 32]);
    println!("32 texts of 512 tokens: {:.1} % and {:.1} %", 100. * tokens, 100. * pairs);
    println!("--- cell");
    {}
    use crate::course::varlen::{batch::Batch, timing};
    let requests = Batch::new(1, &lengths, 4, 64)?; // 4 heads of 64 numbers
    let [padded, one_by_one, packed] = timing::three_ways(&requests, 5)?;
    println!("padded, with a mask: {padded:6.1} ms");
    println!("one by one:          {one_by_one:6.1} ms");
    println!("packed:              {packed:6.1} ms");
    println!("packed is {:.1} times as fast as padded", padded / packed);
    println!("--- cell");
    {}
    let [copies, everything, masked] = timing::padded_parts(&requests, 5)?;
    let places = lengths.len() * 512;
    let total: usize = lengths.iter().sum();
    fn millions(queries: usize) -> f64 {
        queries as f64 * 512. / 1e6
    }
    println!("copies into heads and back: {copies:6.1} ms");
    println!("kernel, nothing hidden:     {everything:6.1} ms");
    println!("kernel, padded keys hidden: {masked:6.1} ms\n");
    println!("million scores per head: {:.1} with nothing hidden,", millions(places));
    println!("at least {:.1} with padded keys hidden", millions(total));
    println!("--- cell");
    {}
    // For the stubs of this notebook: what the exercise file imports.
    use crate::course::varlen::{flash_attention_varlen, packed::Packed};
    println!("--- cell");
    {}
    let keep = Tensor::new(&[[1u8, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]], &Device::Cpu)?;
    let ids = Tensor::arange(10u32, 22, &Device::Cpu)?.reshape((3, 4))?; // tokens 10 to 21
    let batch = solution::unpad(&ids, &keep)?;
    println!("tokens  {:?}", batch.tokens.to_vec1::<u32>()?);
    println!("indices {:?}", batch.indices.to_vec1::<u32>()?);
    let again = solution::pad(&batch.tokens, &batch.indices, 3, 4)?;
    println!("again   {:?}", again.to_vec2::<u32>()?);
    println!("--- cell");
    {}
    use crate::course::compare::largest_error as off;
    use crate::course::scaling::solution::scaled_dot_product_attention as attend;
    use crate::course::transformer::solution::{positional_encoding, rope};
    let x = seeded::normal(1, (9, 8))?; // 2 + 3 + 4 tokens
    let (table, third) = (positional_encoding(9, 8, &Device::Cpu)?, x.narrow(0, 5, 4)?);
    let alone = (&third + table.narrow(0, 0, 4)?)?;
    let right = attend(&alone, &alone, &third)?.0;
    let in_row = (&third + table.narrow(0, 5, 4)?)?;
    let wrong = attend(&in_row, &in_row, &third)?.0;
    println!("sinusoidal: output off by {:.3}", off(&right, &wrong)?);
    println!("--- cell");
    {}
    let turn = third.reshape((1, 1, 4, 8))?;
    let at_0 = rope(&turn, 0)?.reshape((4, 8))?;
    let at_5 = rope(&turn, 5)?.reshape((4, 8))?;
    let right_rope = attend(&at_0, &at_0, &third)?.0;
    let wrong_rope = attend(&at_5, &at_5, &third)?.0;
    println!("RoPE: output off by {:.3}", off(&right_rope, &wrong_rope)?);
    println!("RoPE: keys off by   {:.3}", off(&at_0, &at_5)?);
    println!("--- cell");
    {}
    let cu = solution::cu_seqlens(&[2, 3, 4], &Device::Cpu)?;
    let positions = solution::position_ids(&cu)?;
    println!("{:?}", positions.to_vec1::<u32>()?);
    let in_row = (&x + table.index_select(&positions, 0)?)?.narrow(0, 5, 4)?;
    let now = attend(&in_row, &in_row, &third)?.0;
    println!("sinusoidal: output off by {:.3}", off(&right, &now)?);
    println!("--- cell");
    {}
    plots::documents(&cu)?;
    println!("--- cell");
    {}
    use crate::course::masking::solution::masked_attention;
    let [q, k, v] = [1, 2, 3].map(|seed| seeded::normal(seed, (9, 2, 8))); // 2 heads of 8
    let (q, k, v) = (q?, k?, v?);
    fn heads(x: &Tensor) -> Result<Tensor> {
        x.transpose(0, 1)?.unsqueeze(0)?.contiguous() // (9, 2, 8) → (1, 2, 9, 8)
    }
    let mask = solution::document_mask(&cu, true)?;
    let (dense, _) = masked_attention(&heads(&q)?, &heads(&k)?, &heads(&v)?, Some(&mask))?;
    let scale = 1. / 8f32.sqrt();
    let ragged = flash_attention_varlen(&q, &k, &v, &cu, &cu, 4, 4, scale, true)?;
    println!("off by {:.4}", off(&heads(&ragged)?, &dense)?);
    println!("--- cell");
    {}
    println!("padded:                {:>8} scores", lengths.len() * 512 * 512);
    println!("packed, document mask: {:>8}", total * total);
    println!("packed, cu_seqlens:    {:>8}", lengths.iter().map(|n| n * n).sum::<usize>());
    println!("--- cell");
    {}
    let last = Tensor::new(&[1u32, 4, 8], &Device::Cpu)?; // the last token of each text
    let new = q.index_select(&last, 0)?; // (3, 2, 8)
    let one_each = solution::cu_seqlens(&[1, 1, 1], &Device::Cpu)?;
    let next = flash_attention_varlen(&new, &k, &v, &one_each, &cu, 1, 4, scale, true)?;
    let before = ragged.index_select(&last, 0)?;
    println!("three texts, one token each: off by {:.4}", off(&next, &before)?);
    println!("--- cell");
    {}
    crate::course::masking::plots::alignments(2, 5)?;
    println!("--- cell");
    {}
    let all = Tensor::new(&[0u32, 9], &Device::Cpu)?; // one sequence of 9
    let leaky = flash_attention_varlen(&q, &k, &v, &all, &all, 9, 9, scale, true)?;
    for (text, start, length) in [("first", 0, 2), ("second", 2, 3), ("third", 5, 4)] {
        let right = ragged.narrow(0, start, length)?;
        let wrong = leaky.narrow(0, start, length)?;
        println!("{text:>6} text: off by {:.3}", off(&right, &wrong)?);
    }
    println!("--- cell");
    {}
    fn says(result: Result<Tensor>) {
        let text = result.err().map_or("no error".to_string(), |error| error.to_string());
        println!("{}", text.lines().next().unwrap_or_default());
    }
    for wrong in [vec![2u32, 3, 4], vec![0, 2, 5], vec![0, 5, 2, 9]] {
        let wrong = Tensor::new(wrong, &Device::Cpu)?;
        says(flash_attention_varlen(&q, &k, &v, &wrong, &wrong, 4, 4, scale, true));
    }
    let wrong = cu.to_dtype(DType::I64)?;
    says(flash_attention_varlen(&q, &k, &v, &wrong, &wrong, 4, 4, scale, true));
    println!("--- cell");
    {}
    for longest in [3, 100] {
        says(flash_attention_varlen(&q, &k, &v, &cu, &cu, longest, longest, scale, true));
    }
    println!("--- cell");
    {}
    // For the stubs of this notebook: what the exercise file imports and gives.
    use crate::course::flash::{Causal, SdpaOptions, sdpa};
    use crate::course::masking::{
        conventions::Align,
        solution::{causal_mask, combine_masks},
    };
    use crate::course::multi_head::solution::{combine_heads, split_heads};
    use crate::course::varlen::solution::{keys, split, split_packed};
    println!("--- cell");
    {}
    use crate::course::varlen::six;
    print!("{}", six::table(&requests, 3)?);
    println!("--- cell");
    {}
    fn first_fit(lengths: &[usize], budget: usize) -> Vec<Vec<usize>> {
        let mut rows: Vec<Vec<usize>> = vec![];
        for &length in lengths {
            let fits = |row: &&mut Vec<usize>| row.iter().sum::<usize>() + length <= budget;
            match rows.iter_mut().find(fits) {
                Some(row) => row.push(length),
                None => rows.push(vec![length]),
            }
        }
        rows
    }
    let mut longest_first = lengths.clone();
    longest_first.sort_by(|a, b| b.cmp(a));
    for row in first_fit(&longest_first, 1024) {
        let tokens = row.iter().sum::<usize>();
        println!("{tokens:4} of 1024 tokens, {:2} sequences", row.len());
    }
    println!("as they come: {} rows", first_fit(&lengths, 1024).len());

    Ok(())
}

#[test]
fn page_08_engine_room() -> std::result::Result<(), Box<dyn std::error::Error>> {
    use varlen::solution;
    println!("--- cell");
    {}
    use crate::course::varlen::{batch, plots};
    let lengths = batch::log_normal_lengths(1, 32)?;
    println!("--- cell");
    {}
    plots::time_lines("Two threads share five sequences", &plots::PLANS)?;
    println!("--- cell");
    {}
    fn last_to_finish(work: &[usize], threads: usize) -> usize {
        let mut free_at = vec![0; threads];
        for piece in work {
            let first_free = free_at.iter_mut().min().expect("a thread");
            *first_free += piece;
        }
        free_at.into_iter().max().unwrap_or(0)
    }
    let mut work: Vec<usize> = lengths.iter().map(|n| n * n).collect();
    let ideal = work.iter().sum::<usize>() as f64 / 4.;
    println!("as they come:   {:.2} × the ideal", last_to_finish(&work, 4) as f64 / ideal);
    work.sort();
    println!("shortest first: {:.2} × the ideal", last_to_finish(&work, 4) as f64 / ideal);
    work.reverse();
    println!("longest first:  {:.2} × the ideal", last_to_finish(&work, 4) as f64 / ideal);

    Ok(())
}

#[test]
fn page_09_gpu() -> std::result::Result<(), Box<dyn std::error::Error>> {
    use gpu::solution;
    println!("--- cell");
    {}
    // For the stubs of this notebook: what the exercise file has at hand.
    use crate::course::gpu::{Kernel, device};
    use crate::course::varlen;
    println!("--- cell");
    {}
    use crate::course::gpu::cards::{CARDS, Card};
    fn mib(bytes: f64) -> f64 {
        bytes / 1_048_576.
    }
    println!("                 on the chip, MiB      memory  TB/s from   TB/s from");
    println!("card            registers  sh.+L1  L2      GB     shared      memory");
    for card in CARDS {
        let all = card.multiprocessors as f64;
        println!(
            "{:<15} {:>9.1} {:>7.1} {:>3.0} {:>7.0} {:>10.1} {:>11.2}",
            card.name,
            mib(all * Card::REGISTERS),
            mib(all * card.shared),
            mib(card.l2),
            card.memory / 1e9,
            card.shared_bandwidth() / 1e12,
            card.bandwidth / 1e12,
        );
    }
    println!("--- cell");
    {}
    for seq in [8192, 1] {
        let q = Tensor::zeros((1, 16, seq, 64), DType::F16, &Device::Cpu)?;
        let (batch, heads, seq, _) = q.dims4()?;
        let blocks = batch * heads * seq.div_ceil(128);
        let a100 = CARDS[2].multiprocessors;
        println!("{seq:>4} queries: {blocks:>4} blocks for the {a100} of an A100");
    }
    println!("--- cell");
    {}
    let flops = solution::forward_flops(1, 16, 8192, 8192, 64, false); // 16 heads of 64
    let least = solution::least_bytes(1, 16, 16, 8192, 8192, 64, DType::F16);
    let scores = 16. * 8192f64.powi(2) * 2. * 4.; // 2 bytes, four trips of each
    println!("{:.0} billion operations", flops / 1e9);
    println!("q, k, v and output {:.0} MB, scores {:.0} MB", least / 1e6, scores / 1e6);
    println!("\nat least, ms    products  q, k, v and output  scores");
    for Card { name, flops: peak, bandwidth, .. } in CARDS {
        let seconds = [flops / peak, least / bandwidth, scores / bandwidth];
        let [a, b, c] = seconds.map(|seconds| 1e3 * seconds);
        println!("{name:<15} {a:>8.2} {b:>20.2} {c:>7.2}");
    }
    println!("--- cell");
    {}
    let (queries, keys, dim) = (128, 128, 64);
    let (rows, columns, tile) = (queries * dim, keys * dim, queries * keys); // numbers
    let [q_kib, k_kib] = [rows, columns].map(|numbers| numbers * 2 / 1024); // f16 or bf16
    let [tile_kib, out_kib] = [tile, rows].map(|numbers| numbers * 4 / 1024); // f32
    println!("shared memory: q {q_kib} + k {k_kib} + v {k_kib} KiB");
    println!("registers: scores {tile_kib} + output {out_kib} KiB");
    println!("for each of 128 threads: {} + {} numbers", tile / 128, rows / 128);
    println!("--- cell");
    {}
    use crate::course::gpu::plots::{self, Work, intensities};
    let half = DType::F16;
    let (_, one_query) = intensities(1, 8192, 64, half); // of naive, of flash
    let (naive, long) = intensities(8192, 8192, 64, half);
    let (_, short) = intensities(512, 512, 64, half);
    let work = vec![
        Work::counted("one query", one_query),
        Work::counted("naive", naive),
        Work::counted("flash, 512 tokens", short),
        Work::counted("flash, 8,192 tokens", long),
    ];
    println!("% of the peak      per byte  RTX 3090  RTX 4090  A100  H100");
    for Work { name, intensity, .. } in &work {
        let [a, b, c, d] = CARDS.map(|Card { flops: peak, bandwidth, .. }| {
            100. * solution::attainable(peak, bandwidth, *intensity) / peak
        });
        println!("{name:<20} {intensity:>6.0} {a:>9.1} {b:>9.1} {c:>5.1} {d:>5.1}");
    }
    let bends = CARDS.map(|card| format!("{:.0}", card.ridge())).join(", ");
    println!("The roofs bend at {bends} operations per byte.");
    println!("--- cell");
    {}
    plots::rooflines("Four cards, on paper", &CARDS, &work)?;
    println!("--- cell");
    {}
    use crate::course::gpu::processor;
    let (peak, bandwidth) = (processor::peak(3)?, processor::bandwidth(3));
    println!("{:.0} GFLOP/s, {:.1} GB/s", peak / 1e9, bandwidth / 1e9);
    println!("the roof bends at {:.0} operations per byte\n", peak / bandwidth);
    let timed = processor::attention(3)?;
    for Work { name, intensity, flops } in &timed {
        let roof = solution::attainable(peak, bandwidth, *intensity) / 1e9;
        println!("{name:<27} {:>4.0} GFLOP/s of {roof:>4.0}", flops.unwrap_or(0.) / 1e9);
    }
    println!("--- cell");
    {}
    plots::under_roof("This processor, measured", peak, bandwidth, &timed)?;
    println!("--- cell");
    {}
    let [products, all] = processor::naive_parts(3)?;
    println!("naive attention, 2,048 tokens: {all:.0} ms");
    println!("its two products alone:        {products:.0} ms");
    println!("--- cell");
    {}
    let x = Tensor::new(&[0f32, 1., 2., 10., 11., 12.], &Device::Cpu)?;
    let x = x.reshape((1, 2, 3, 1))?; // (batch, heads, seq, head_dim)
    let right = solution::flash_layout(&x)?; // (1, 3, 2, 1)
    let wrong = x.reshape((1, 3, 2, 1))?;
    for (name, y) in [("flash_layout", &right), ("reshape", &wrong)] {
        println!("{name:>12}: token by token {:?}", y.reshape((3, 2))?.to_vec2::<f32>()?);
    }
    println!("strides: {:?} became {:?}", x.stride(), right.stride());
    println!("--- cell");
    {}
    let qkv = seeded::normal(1, (100, 8 + 2 + 2, 64))?; // 8 query heads, 2 key-value heads
    let [q, k, v] = solution::split_qkv(&qkv, 8, 2)?;
    for (name, x) in [("q", &q), ("k", &k), ("v", &v)] {
        println!("{name}: {:?}, strides {:?}", x.dims(), x.stride());
    }
    println!("--- cell");
    {}
    use crate::course::compare::largest_error as off;
    use crate::course::gpu::solution::pad_head_dim as pad;
    use crate::course::gpu::{Attend, Cpu};
    let (q, k) = (seeded::normal(1, (1, 2, 50, 20))?, seeded::normal(2, (1, 2, 50, 20))?);
    let v = seeded::normal(3, (1, 2, 50, 20))?;
    let right = Cpu.dense(&q, &k, &v, 1. / 20f32.sqrt(), true)?;
    for dim in [20f32, 24.] {
        let out = Cpu.dense(&pad(&q)?, &pad(&k)?, &pad(&v)?, 1. / dim.sqrt(), true)?;
        println!("scale 1/√{dim}: off by {:.4}", off(&out.narrow(3, 0, 20)?, &right)?);
    }
    println!("--- cell");
    {}
    fn written(cu: &[u32], max_seqlen: usize, total: usize) -> (usize, usize) {
        let (mut rows, mut outside) = (vec![false; total], 0);
        let blocks = max_seqlen.div_ceil(128); // the grid is fixed before anything runs
        for ends in cu.windows(2) {
            let (start, end) = (ends[0] as usize, ends[1] as usize);
            for row in start..end.min(start + 128 * blocks) {
                match rows.get_mut(row) {
                    Some(row) => *row = true,
                    None => outside += 1,
                }
            }
        }
        (rows.iter().filter(|row| !**row).count(), outside)
    }
    println!("--- cell");
    {}
    for (what, cu, max_seqlen) in [
        ("right", vec![0u32, 130, 300], 170),
        ("plain lengths", vec![130, 170], 170),
        ("the previous batch's max_seqlen", vec![0, 130, 300], 128),
        ("the previous batch's cu_seqlens", vec![0, 130, 320], 190),
    ] {
        let (never, outside) = written(&cu, max_seqlen, 300);
        println!("{what:<31} {never:>3} rows not written, {outside:>2} elsewhere");
    }
    println!("--- cell");
    {}
    for (cu, total, max_seqlen) in [
        (vec![0u32, 130, 300], 300, 170),
        (vec![130, 170], 300, 170),
        (vec![0, 130, 300], 300, 128),
        (vec![0, 130, 320], 300, 190),
        (vec![0, 170, 130, 300], 300, 170),
        (vec![], 0, 0),
    ] {
        let said = match solution::check_seqlens(&cu, total, max_seqlen) {
            Ok(()) => "fine".to_string(),
            Err(error) => error.to_string(),
        };
        println!("{}", said.lines().next().unwrap_or_default());
    }
    println!("--- cell");
    {}
    let (cu_seqlens, longest) = solution::gpu_seqlens(&[130, 0, 170], &Device::Cpu)?;
    println!("{:?}, longest {longest}", cu_seqlens.to_vec1::<u32>()?);
    println!("--- cell");
    {}
    fn through(x: f32, dtype: DType) -> Result<f32> {
        Tensor::new(x, &Device::Cpu)?.to_dtype(dtype)?.to_dtype(DType::F32)?.to_scalar()
    }
    for x in [0.1f32, 1.001, 1000.7, 65_504., 70_000., 1e-8] {
        let (f16, bf16) = (through(x, DType::F16)?, through(x, DType::BF16)?);
        println!("{x:>10} in f16 {f16:>9}, in bf16 {bf16}");
    }
    println!("--- cell");
    {}
    let sample = seeded::normal(1, 10_000)?;
    for dtype in [DType::F16, DType::BF16] {
        let back = sample.to_dtype(dtype)?.to_dtype(DType::F32)?;
        let error = ((&back - &sample)?.abs()? / sample.abs()?)?.mean_all()?;
        println!("{dtype:?}: mean relative error {:.1e}", error.to_scalar::<f32>()?);
    }
    println!("--- cell");
    {}
    let large = Tensor::new(&[0.5f32, -70_000.], &Device::Cpu)?;
    println!("normal: {:?}", solution::half_dtype(&[&sample])?);
    println!("with a -70,000: {:?}", solution::half_dtype(&[&sample, &large])?);
    println!("--- cell");
    {}
    for dtype in [DType::F32, DType::F16, DType::BF16] {
        let one = Tensor::new(1f32, &Device::Cpu)?.to_dtype(dtype)?;
        let mut sum = one.zeros_like()?;
        for _ in 0..4096 {
            sum = (sum + &one)?;
        }
        println!("{dtype:?}: {}", sum.to_dtype(DType::F32)?.to_scalar::<f32>()?);
    }
    println!("--- cell");
    {}
    let nan = f64::NAN;
    for errors in [[nan, nan, nan], [0.002, nan, 0.001], [nan, 0.002, 0.001]] {
        let largest = errors.into_iter().fold(0., f64::max);
        let max_all = Tensor::new(&errors, &Device::Cpu)?.max_all()?.to_scalar::<f64>()?;
        let passes = largest < 0.01;
        println!("{errors:?}: fold {largest}, passes {passes}; max_all {max_all}");
    }
    println!("--- cell");
    {}
    use crate::course::gpu::Naive;
    fn round(inputs: &[Tensor], dtype: DType) -> Result<Vec<Tensor>> {
        inputs.iter().map(|x| x.to_dtype(dtype)).collect()
    }
    fn attend(by: &dyn Attend, inputs: &[Tensor]) -> Result<Tensor> {
        by.dense(&inputs[0], &inputs[1], &inputs[2], 0.125, true)
    }
    let inputs = [1, 2, 3].map(|seed| seeded::normal(seed, (1, 4, 256, 64)));
    let inputs = inputs.into_iter().collect::<Result<Vec<_>>>()?;
    println!("--- cell");
    {}
    for dtype in [DType::F16, DType::BF16] {
        let rounded = round(&inputs, dtype)?;
        let reference = attend(&Naive, &round(&rounded, DType::F64)?)?;
        let (naive, kernel) = (attend(&Naive, &rounded)?, attend(&Cpu, &rounded)?);
        let (plain, ours) = (off(&naive, &reference)?, off(&kernel, &reference)?);
        println!("{dtype:?}: naive off by {plain:.0e}, kernel by {ours:.0e}");
        for (what, factor) in [("kernel", 1.), ("2 % too large", 1.02), ("NaN", f64::NAN)] {
            let good = solution::as_accurate(&(&kernel * factor)?, &naive, &reference)?;
            println!("    {what:<13} as accurate: {good}");
        }
    }
    println!("--- cell");
    {}
    let weight = Var::from_tensor(&seeded::normal(1, (8, 8))?)?;
    let q = seeded::normal(2, (4, 8))?.matmul(&weight)?;
    println!("from a Var: {}, detached: {}", q.track_op(), q.detach().track_op());
    println!("--- cell");
    {}
    for capability in [None, Some((7, 5)), Some((8, 6))] {
        let pick = |dtype, trains| solution::pick_kernel(capability, dtype, 128, trains);
        let (bf16, f32) = (pick(DType::BF16, false), pick(DType::F32, false));
        let training = pick(DType::BF16, true);
        println!("{capability:?}: bf16 {bf16:?}, f32 {f32:?}, training {training:?}");
    }
    println!("--- cell");
    {}
    use crate::course::gpu::device::{Found, Kind, decide};
    fn card(name: &str, capability: (usize, usize)) -> device::Card {
        device::Card { name: name.into(), capability, memory: 24 << 30 }
    }
    let none = "this build has no CUDA".to_string();
    for cuda in [Ok(card("RTX 4090", (8, 9))), Ok(card("Tesla T4", (7, 5))), Err(none)] {
        let found = Found { cuda, metal: Err("no Metal".into()) };
        println!("{}", decide("auto", &[Kind::Cpu, Kind::Cuda], &found)?.1);
    }
    println!("\nyours: {}", device::choose("auto", &[Kind::Cpu, Kind::Cuda])?.said);
    println!("--- cell");
    {}
    use crate::course::gpu::six;
    use crate::course::varlen::batch::{Batch, log_normal_lengths};
    let batch = Batch::new(1, &log_normal_lengths(1, 32)?, 4, 64)?;
    print!("{}", six::table(&six::run(&batch, &Device::Cpu, DType::F32, &Cpu, 3)?)?);
    println!("--- cell");
    {}
    use std::{
        sync::mpsc,
        thread,
        time::{Duration, Instant},
    };
    type Kernels = mpsc::Sender<Box<dyn FnOnce() + Send>>;
    fn gpu() -> Kernels {
        let (queue, kernels) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
        thread::spawn(move || kernels.into_iter().for_each(|kernel| kernel()));
        queue
    }
    fn launch(queue: &Kernels) {
        let kernel = Box::new(|| thread::sleep(Duration::from_millis(20)));
        queue.send(kernel).expect("a GPU at work");
    }
    fn synchronize(queue: &Kernels) {
        let (done, wait) = mpsc::channel();
        let last = Box::new(move || done.send(()).expect("a host"));
        queue.send(last).expect("a GPU at work");
        wait.recv().expect("an answer");
    }
    println!("--- cell");
    {}
    let queue = gpu();
    let start = Instant::now();
    launch(&queue);
    println!("no synchronize:   {:>3.0} ms", 1e3 * start.elapsed().as_secs_f64());
    let start = Instant::now();
    launch(&queue);
    synchronize(&queue);
    println!("only at the end:  {:>3.0} ms", 1e3 * start.elapsed().as_secs_f64());
    let start = Instant::now();
    launch(&queue);
    synchronize(&queue);
    println!("before and after: {:>3.0} ms", 1e3 * start.elapsed().as_secs_f64());

    Ok(())
}
