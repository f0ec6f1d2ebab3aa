#![allow(unused, clippy::all)]
use candle_core::{D, DType, Device, IndexOp, Result, Tensor, bail};
use checks::{State, Verdict, varlen as check};
use flash::{Causal, SdpaOptions, sdpa};
use masking::{
    conventions::Align,
    solution::{causal_mask, combine_masks, masked_attention, padding_mask},
};
use multi_head::solution::{combine_heads, split_heads};
use varlen::{
    flash_attention_varlen,
    packed::Packed,
    solution::{self, keys, split, split_packed},
};

fn right(name: &str, v: Verdict) {
    println!("RIGHT {name}: {:?}", v.state());
    if v.state() != State::Passed {
        println!("{v}");
    }
}
fn wrong(name: &str, v: Verdict) {
    println!(
        "WRONG {name}: {:?} {}",
        v.state(),
        v.cause.as_ref().map_or("NO CAUSE".into(), |c| format!("{}: {}", c.same, c.diagnosis))
    );
    if v.state() == State::Passed || v.cause.is_none() {
        println!("{v}");
    }
}

#[test]
fn scratch() {
    // padding_waste
    right(
        "waste loops",
        check::padding_waste(|l| {
            let mut m = 0;
            for &n in l {
                if n > m {
                    m = n;
                }
            }
            if m == 0 {
                return (0., 0.);
            }
            let (mut t, mut p) = (0f64, 0f64);
            for &n in l {
                let s = n as f64 / m as f64;
                t += s;
                p += s * s;
            }
            (1. - t / l.len() as f64, 1. - p / l.len() as f64)
        }),
    );
    right(
        "waste u128",
        check::padding_waste(|l| {
            let m = l.iter().max().copied().unwrap_or(0) as u128;
            if m == 0 {
                return (0., 0.);
            }
            let all = l.len() as u128 * m;
            let t: u128 = l.iter().map(|&n| m - n as u128).sum();
            let p: u128 = l.iter().map(|&n| m * m - (n as u128) * (n as u128)).sum();
            (t as f64 / all as f64, p as f64 / (all * m) as f64)
        }),
    );
    // cu_seqlens
    right(
        "cu checked",
        check::cu_seqlens(|l, d| {
            let mut v = Vec::with_capacity(l.len() + 1);
            v.push(0u32);
            let mut t = 0u32;
            for &n in l {
                let n = u32::try_from(n).map_err(candle_core::Error::wrap)?;
                t = match t.checked_add(n) {
                    Some(t) => t,
                    None => bail!("too many"),
                };
                v.push(t);
            }
            Tensor::from_vec(v, l.len() + 1, d)
        }),
    );
    right(
        "cu scan u128",
        check::cu_seqlens(|l, d| {
            let ends: Vec<u128> =
                (0..=l.len()).map(|n| l[..n].iter().map(|&n| n as u128).sum()).collect();
            if *ends.last().unwrap() > u32::MAX as u128 {
                bail!("too many");
            }
            Tensor::from_iter(ends.into_iter().map(|x| x as u32), d)
        }),
    );
    // max_seqlen
    right(
        "max loop",
        check::max_seqlen(|cu| {
            if cu.rank() != 1 || cu.dtype() != DType::U32 {
                bail!("bad");
            }
            let e: Vec<u32> = cu.to_vec1()?;
            if e.is_empty() || e[0] != 0 {
                bail!("bad");
            }
            let mut m = 0;
            for i in 1..e.len() {
                if e[i] < e[i - 1] {
                    bail!("falls");
                }
                m = m.max(e[i] - e[i - 1]);
            }
            Ok(m as usize)
        }),
    );
    right(
        "max i64 tensor",
        check::max_seqlen(|cu| {
            if cu.dtype() != DType::U32 {
                bail!("type");
            }
            let n = cu.dims1()?;
            if n == 0 || cu.i(0)?.to_scalar::<u32>()? != 0 {
                bail!("bad");
            }
            if n == 1 {
                return Ok(0);
            }
            let cu = cu.to_dtype(DType::I64)?;
            let d = (cu.narrow(0, 1, n - 1)? - cu.narrow(0, 0, n - 1)?)?.to_vec1::<i64>()?;
            if d.iter().any(|&x| x < 0) {
                bail!("falls");
            }
            Ok(*d.iter().max().unwrap() as usize)
        }),
    );
    // unpad
    right(
        "unpad cat rows",
        check::unpad(|x, keep| {
            let (b, s) = keep.dims2()?;
            if x.rank() < 2 || x.dim(0)? != b || x.dim(1)? != s {
                bail!("shape");
            }
            let k = keep.flatten_all()?.to_vec1::<u8>()?;
            let (mut idx, mut cu, mut max) = (vec![], vec![0u32], 0);
            for i in 0..b {
                let before = idx.len();
                for j in 0..s {
                    if k[i * s + j] > 0 {
                        idx.push((i * s + j) as u32);
                    }
                }
                max = max.max(idx.len() - before);
                cu.push(idx.len() as u32);
            }
            let shape = [&[b * s], &x.dims()[2..]].concat();
            let indices = Tensor::new(idx.as_slice(), x.device())?;
            let tokens = x.reshape(shape)?.index_select(&indices, 0)?;
            Ok(Packed {
                tokens,
                indices,
                cu_seqlens: Tensor::new(cu, x.device())?,
                max_seqlen: max,
            })
        }),
    );
    right(
        "unpad narrow+cat",
        check::unpad(|x, keep| {
            let p = solution::unpad(x, keep)?;
            if p.indices.elem_count() == 0 {
                return Ok(p);
            }
            let flat = x.flatten(0, 1)?;
            let rows = p
                .indices
                .to_vec1::<u32>()?
                .iter()
                .map(|&i| flat.narrow(0, i as usize, 1))
                .collect::<Result<Vec<_>>>()?;
            Ok(Packed { tokens: Tensor::cat(&rows, 0)?, ..p })
        }),
    );
    // pad
    right(
        "pad index_select with zero row",
        check::pad(|t, i, b, s| {
            let at = i.to_vec1::<u32>()?;
            if at.len() != t.dim(0)? {
                bail!("count");
            }
            let n = t.dim(0)? as u32;
            let mut from = vec![n; b * s];
            for (k, &a) in at.iter().enumerate() {
                if a as usize >= b * s {
                    bail!("outside");
                }
                from[a as usize] = k as u32;
            }
            let rest = &t.dims()[1..];
            let zero = Tensor::zeros([&[1], rest].concat(), t.dtype(), t.device())?;
            let all = Tensor::cat(&[t, &zero], 0)?;
            let from = Tensor::from_vec(from, b * s, t.device())?;
            all.index_select(&from, 0)?.reshape([&[b, s], rest].concat())
        }),
    );
    right(
        "pad stack",
        check::pad(|t, i, b, s| {
            if i.dims1()? != t.dim(0)? {
                bail!("count");
            }
            let at = i.to_vec1::<u32>()?;
            if at.iter().max().is_some_and(|&m| m as usize >= b * s) {
                bail!("outside");
            }
            let rest = t.dims()[1..].to_vec();
            let shape = [&[b, s][..], &rest].concat();
            if b * s == 0 {
                return Tensor::zeros(shape, t.dtype(), t.device());
            }
            let zero = Tensor::zeros(rest.clone(), t.dtype(), t.device())?;
            let rows = (0..b * s)
                .map(|p| match at.iter().position(|&a| a as usize == p) {
                    Some(k) => t.get(k),
                    None => Ok(zero.clone()),
                })
                .collect::<Result<Vec<_>>>()?;
            Tensor::stack(&rows, 0)?.reshape(shape)
        }),
    );
    // position_ids
    right(
        "pos loop",
        check::position_ids(|cu| {
            solution::max_seqlen(cu)?;
            let e = cu.to_vec1::<u32>()?;
            let mut v = vec![];
            for i in 0..e.len() - 1 {
                for p in e[i]..e[i + 1] {
                    v.push(p - e[i]);
                }
            }
            Tensor::from_vec(v.clone(), v.len(), cu.device())
        }),
    );
    right(
        "pos partition_point",
        check::position_ids(|cu| {
            solution::max_seqlen(cu)?;
            let e = cu.to_vec1::<u32>()?;
            let total = *e.last().unwrap();
            Tensor::from_iter(
                (0..total).map(|t| t - e[e.partition_point(|&b| b <= t) - 1]),
                cu.device(),
            )
        }),
    );
    // document_mask
    right(
        "doc blocks",
        check::document_mask(|cu, causal| {
            solution::max_seqlen(cu)?;
            let e = cu.to_vec1::<u32>()?;
            let n = *e.last().unwrap() as usize;
            let mut m = vec![0u8; n * n];
            for w in e.windows(2) {
                for q in w[0]..w[1] {
                    for k in w[0]..if causal { q + 1 } else { w[1] } {
                        m[q as usize * n + k as usize] = 1;
                    }
                }
            }
            Tensor::from_vec(m, (n, n), cu.device())
        }),
    );
    right(
        "doc by tensors",
        check::document_mask(|cu, causal| {
            solution::max_seqlen(cu)?;
            let e = cu.to_vec1::<u32>()?;
            let n = *e.last().unwrap() as usize;
            if n == 0 {
                return Tensor::zeros((0, 0), DType::U8, cu.device());
            }
            let ids: Vec<u32> =
                (0..n as u32).map(|t| e.partition_point(|&b| b <= t) as u32).collect();
            let ids = Tensor::new(ids, cu.device())?;
            let same = ids.unsqueeze(1)?.broadcast_eq(&ids.unsqueeze(0)?)?;
            if causal { same * causal_mask(n, n, Align::TopLeft, cu.device())? } else { Ok(same) }
        }),
    );
    // eager
    fn by_hand(
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        h: usize,
        d: usize,
        keep: &Tensor,
        causal: bool,
    ) -> Result<Tensor> {
        let (b, s, hid) = q.dims3()?;
        if hid != h * d
            || k.dims() != q.dims()
            || v.dims() != q.dims()
            || keep.dims() != [b, s]
            || keep.dtype() != DType::U8
        {
            bail!("shape");
        }
        if q.elem_count() == 0 {
            return Ok(q.clone());
        }
        let heads = |x: &Tensor| x.reshape((b, s, h, d))?.permute((0, 2, 1, 3))?.contiguous();
        // q/d^¼ and k/d^¼, as PyTorch's math path
        let root = (d as f64).sqrt().sqrt();
        let (q, k, v) = ((heads(q)? / root)?, (heads(k)? / root)?, heads(v)?);
        let scores = q.matmul(&k.t()?.contiguous()?)?;
        let mut mask =
            keep.ne(0u8)?.reshape((b, 1, 1, s))?.broadcast_as((b, 1, s, s))?.contiguous()?;
        if causal {
            mask = mask.broadcast_mul(&Tensor::tril2(s, DType::U8, q.device())?)?;
        }
        let mask = mask.broadcast_as(scores.shape())?.contiguous()?;
        let fill = scores.zeros_like()?.affine(0., -1e9)?;
        let w = candle_nn_softmax(&mask.where_cond(&scores, &fill)?)?;
        w.matmul(&v)?.transpose(1, 2)?.reshape((b, s, hid))
    }
    fn candle_nn_softmax(x: &Tensor) -> Result<Tensor> {
        let e = x.broadcast_sub(&x.max_keepdim(D::Minus1)?)?.exp()?;
        e.broadcast_div(&e.sum_keepdim(D::Minus1)?)
    }
    right(
        "eager by hand, quarter root, -1e9",
        check::eager_bidirectional(|q, k, v, h, d, m| by_hand(q, k, v, h, d, m, false)),
    );
    right(
        "eager causal by hand",
        check::eager_causal(|q, k, v, h, d, m| by_hand(q, k, v, h, d, m, true)),
    );
    right(
        "sdpa by hand",
        check::sdpa_bidirectional(|q, k, v, h, d, m| by_hand(q, k, v, h, d, m, false)),
    );
    right(
        "sdpa causal by hand",
        check::sdpa_causal(|q, k, v, h, d, m| by_hand(q, k, v, h, d, m, true)),
    );
    // head by head over sequences
    fn head_by_head(
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        h: usize,
        d: usize,
        keep: &Tensor,
        causal: bool,
    ) -> Result<Tensor> {
        let (b, s, hid) = q.dims3()?;
        if hid != h * d {
            bail!("heads");
        }
        keys(keep, k)?;
        let mut parts = vec![];
        for i in 0..h {
            let one = |x: &Tensor| x.narrow(2, i * d, d)?.contiguous();
            let mask = keep.unsqueeze(1)?;
            let mask = if causal {
                combine_masks(&mask, &causal_mask(s, s, Align::BottomRight, q.device())?)?
            } else {
                mask
            };
            parts.push(masked_attention(&one(q)?, &one(k)?, &one(v)?, Some(&mask))?.0);
        }
        Tensor::cat(&parts, 2)
    }
    right(
        "eager head by head",
        check::eager_bidirectional(|q, k, v, h, d, m| head_by_head(q, k, v, h, d, m, false)),
    );
    right(
        "eager causal head by head",
        check::eager_causal(|q, k, v, h, d, m| head_by_head(q, k, v, h, d, m, true)),
    );
    right(
        "sdpa bottom right",
        check::sdpa_causal(|q, k, v, h, d, m| {
            let o = SdpaOptions::default().causal(Causal::BottomRight).keep(keys(m, k)?);
            let [q, k, v] = [split(q, h, d)?, split(k, h, d)?, split(v, h, d)?];
            sdpa(&q, &k, &v, &o)?.transpose(1, 2)?.flatten_from(2)
        }),
    );
    right(
        "sdpa explicit mask",
        check::sdpa_bidirectional(|q, k, v, h, d, m| {
            let s = m.dim(1)?;
            let mask = keys(m, k)?.broadcast_as((m.dim(0)?, h, s, s))?;
            let o = SdpaOptions::default().keep(mask).scale(1. / (d as f64).sqrt());
            let [q, k, v] = [split(q, h, d)?, split(k, h, d)?, split(v, h, d)?];
            combine_heads(&sdpa(&q, &k, &v, &o)?)
        }),
    );
    // flash
    for causal in [false, true] {
        let by_mask = move |q: &Tensor,
                            k: &Tensor,
                            v: &Tensor,
                            h: usize,
                            d: usize,
                            cu: &Tensor,
                            max: usize|
              -> Result<Tensor> {
            let (t, hid) = q.dims2()?;
            if hid != h * d || k.dims() != q.dims() || v.dims() != q.dims() {
                bail!("shape");
            }
            let m = solution::document_mask(cu, causal)?;
            if m.dim(0)? != t {
                bail!("total");
            }
            if t == 0 {
                return Ok(q.clone());
            }
            let heads = |x: &Tensor| x.reshape((t, h, d))?.transpose(0, 1)?.contiguous();
            let (o, _) = masked_attention(&heads(q)?, &heads(k)?, &heads(v)?, Some(&m))?;
            o.transpose(0, 1)?.reshape((t, hid))
        };
        let one_by_one = move |q: &Tensor,
                               k: &Tensor,
                               v: &Tensor,
                               h: usize,
                               d: usize,
                               cu: &Tensor,
                               max: usize|
              -> Result<Tensor> {
            let (t, hid) = q.dims2()?;
            if hid != h * d || k.dims() != q.dims() || v.dims() != q.dims() {
                bail!("shape");
            }
            solution::max_seqlen(cu)?;
            let e = cu.to_vec1::<u32>()?;
            if *e.last().unwrap() as usize != t {
                bail!("total");
            }
            let mut outs = vec![];
            for w in e.windows(2).filter(|w| w[0] < w[1]) {
                let n = (w[1] - w[0]) as usize;
                let one = |x: &Tensor| {
                    x.narrow(0, w[0] as usize, n)?
                        .reshape((1, n, h, d))?
                        .transpose(1, 2)?
                        .contiguous()
                };
                let o = SdpaOptions::default();
                let o = if causal { o.causal(Causal::TopLeft) } else { o };
                outs.push(combine_heads(&sdpa(&one(q)?, &one(k)?, &one(v)?, &o)?)?.squeeze(0)?);
            }
            if outs.is_empty() {
                return Ok(q.zeros_like()?);
            }
            Tensor::cat(&outs, 0)
        };
        if causal {
            right("flash causal mask", check::flash_causal(by_mask));
            right("flash causal 1x1", check::flash_causal(one_by_one));
        } else {
            right("flash mask", check::flash_bidirectional(by_mask));
            right("flash 1x1", check::flash_bidirectional(one_by_one));
        }
    }
    // wrong
    wrong(
        "scale twice sdpa",
        check::sdpa_bidirectional(|q, k, v, h, d, m| {
            solution::sdpa_bidirectional(&(q / (d as f64).sqrt())?, k, v, h, d, m)
        }),
    );
    wrong(
        "scale twice sdpa causal",
        check::sdpa_causal(|q, k, v, h, d, m| {
            solution::sdpa_causal(&(q / (d as f64).sqrt())?, k, v, h, d, m)
        }),
    );
    wrong(
        "scale twice eager",
        check::eager_bidirectional(|q, k, v, h, d, m| {
            solution::eager_bidirectional(&(q / (d as f64).sqrt())?, k, v, h, d, m)
        }),
    );
    wrong(
        "scale twice flash",
        check::flash_causal(|q, k, v, h, d, c, m| {
            solution::flash_causal(&(q / (d as f64).sqrt())?, k, v, h, d, c, m)
        }),
    );
    wrong(
        "eager_causal keep product",
        check::eager_causal(|q, k, v, h, d, keep| {
            let heads = |x| split(x, h, d);
            let seq = keep.dim(1)?;
            let k4 = keys(keep, k)?;
            let m =
                (k4.broadcast_mul(&causal_mask(seq, seq, Align::TopLeft, keep.device())?)? * 128.)?;
            let (out, _) = masked_attention(&heads(q)?, &heads(k)?, &heads(v)?, Some(&m))?;
            combine_heads(&out)
        }),
    );
    wrong(
        "flash_causal f32",
        check::flash_causal(|q, k, v, h, d, c, m| {
            let f = |t: &Tensor| t.to_dtype(DType::F32);
            solution::flash_causal(&f(q)?, &f(k)?, &f(v)?, h, d, c, m)?.to_dtype(q.dtype())
        }),
    );
    wrong(
        "eager f32",
        check::eager_bidirectional(|q, k, v, h, d, m| {
            let f = |t: &Tensor| t.to_dtype(DType::F32);
            solution::eager_bidirectional(&f(q)?, &f(k)?, &f(v)?, h, d, m)?.to_dtype(q.dtype())
        }),
    );
    wrong(
        "sdpa f32 root",
        check::sdpa_bidirectional(|q, k, v, h, d, m| {
            let o =
                SdpaOptions::default().keep(keys(m, k)?).scale(f64::from(1. / (d as f32).sqrt()));
            combine_heads(&sdpa(&split(q, h, d)?, &split(k, h, d)?, &split(v, h, d)?, &o)?)
        }),
    );
    wrong(
        "waste nan",
        check::padding_waste(|lengths| {
            if lengths.is_empty() {
                return (0., 0.);
            }
            let longest = lengths.iter().copied().max().unwrap_or(0) as f64;
            let batch = lengths.len() as f64;
            let real = |p| lengths.iter().map(|n| (*n as f64).powi(p)).sum::<f64>();
            (1. - real(1) / (batch * longest), 1. - real(2) / (batch * longest * longest))
        }),
    );
    wrong(
        "pos by value",
        check::position_ids(|cu| {
            solution::max_seqlen(cu)?;
            let e = cu.to_vec1::<u32>()?;
            let total = e.last().copied().unwrap_or(0);
            let (mut at, mut ids, mut start) = (0, vec![], 0);
            for t in 0..total {
                if at + 1 < e.len() && e[at + 1] == t {
                    at += 1;
                    start = e[at];
                }
                ids.push(t - start);
            }
            Tensor::new(ids, cu.device())
        }),
    );
    wrong(
        "unpad drops empty",
        check::unpad(|x, keep| {
            let p = solution::unpad(x, keep)?;
            let mut e = p.cu_seqlens.to_vec1::<u32>()?;
            e.dedup();
            Ok(Packed { cu_seqlens: Tensor::new(e, x.device())?, ..p })
        }),
    );
    wrong(
        "cu overflow",
        check::cu_seqlens(|lengths, device| {
            let (mut total, mut ends) = (0usize, vec![0u32]);
            for l in lengths {
                total += l;
                match u32::try_from(total) {
                    Ok(e) => ends.push(e),
                    Err(_) => bail!("total"),
                }
            }
            Tensor::new(ends, device)
        }),
    );
    wrong(
        "flash combine_heads",
        check::flash_causal(|q, k, v, h, d, c, m| {
            let s = |x| split_packed(x, h, d);
            let scale = 1. / (d as f32).sqrt();
            combine_heads(&flash_attention_varlen(&s(q)?, &s(k)?, &s(v)?, c, c, m, m, scale, true)?)
        }),
    );
    wrong(
        "doc with bad max_seqlen",
        check::document_mask(|cu, causal| {
            if cu.to_vec1::<u32>()?.first() != Some(&1) {
                bail!("my max_seqlen is wrong");
            }
            solution::document_mask(cu, causal)
        }),
    );
    wrong(
        "doc max_seqlen accepts falls",
        check::position_ids(|cu| {
            let e = cu.to_vec1::<u32>()?;
            Tensor::new(
                e.windows(2).flat_map(|p| 0..p[1].saturating_sub(p[0])).collect::<Vec<u32>>(),
                cu.device(),
            )
        }),
    );
    wrong(
        "unpad one row",
        check::unpad(|x, keep| {
            let keep = keep.broadcast_as(&x.dims()[..2])?;
            solution::unpad(x, &keep)
        }),
    );
    wrong(
        "pad u32max",
        check::pad(|t, i, b, s| {
            let at = i.to_vec1::<u32>()?;
            if at.len() != t.dim(0)? || at.iter().any(|&a| a != u32::MAX && a as usize >= b * s) {
                bail!("x");
            }
            let ok: Vec<u32> =
                (0..at.len() as u32).filter(|&j| at[j as usize] != u32::MAX).collect();
            let t2 = t.index_select(&Tensor::new(ok.as_slice(), t.device())?, 0)?;
            let at: Vec<u32> = at.into_iter().filter(|&a| a != u32::MAX).collect();
            solution::pad(&t2, &Tensor::new(at, t.device())?, b, s)
        }),
    );
}
