#![allow(unused, clippy::all)]
use candle_core::{D, DType, Device, IndexOp, Result, Tensor, bail};
use checks::{State, Verdict, gpu as check};
use gpu::{Kernel, solution};

fn right(name: &str, v: Verdict) {
    println!("RIGHT {name}: {:?}", v.state());
    if !v.laws.iter().all(|l| matches!(l.state, State::Passed | State::Skipped)) {
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
    right(
        "flops loop",
        check::forward_flops(|b, h, q, k, d, causal| {
            let mut pairs = 0f64;
            for i in 0..q {
                pairs +=
                    if causal { ((i + 1) as f64 + k as f64 - q as f64).max(0.) } else { k as f64 };
            }
            2. * 2. * b as f64 * h as f64 * d as f64 * pairs
        }),
    );
    right(
        "flops closed form",
        check::forward_flops(|b, h, q, k, d, causal| {
            let (b, h, q, k, d) = (b as f64, h as f64, q as f64, k as f64, d as f64);
            let seen = q.min(k);
            let pairs = if causal {
                q.max(0.).min(q) * 0. + seen * (k - seen) + seen * (seen + 1.) / 2.
            } else {
                q * k
            };
            4. * b * h * d * pairs
        }),
    );
    right(
        "bytes 4 tensors",
        check::least_bytes(|b, hq, hk, q, k, d, t| {
            let s = t.size_in_bytes() as f64;
            let n = |h: usize, l: usize| (b * h * l * d) as f64 * s;
            n(hq, q) + n(hk, k) + n(hk, k) + n(hq, q)
        }),
    );
    right(
        "bytes by match",
        check::least_bytes(|b, hq, hk, q, k, d, t| {
            let s = match t {
                DType::F64 => 8u128,
                DType::F32 => 4,
                _ => 2,
            };
            (2 * b as u128 * d as u128 * (hq as u128 * q as u128 + hk as u128 * k as u128) * s)
                as f64
        }),
    );
    right(
        "roof if",
        check::attainable(|p, b, i| {
            let m = b * i;
            if m < p { m } else { p }
        }),
    );
    right("roof by ridge", check::attainable(|p, b, i| if i >= p / b { p } else { i * b }));
    right(
        "layout permute",
        check::flash_layout(|x| {
            if x.rank() != 4 {
                bail!("rank");
            }
            let y = x.permute((0, 2, 1, 3))?;
            if *y.stride().last().unwrap() != 1 { y.contiguous() } else { Ok(y) }
        }),
    );
    right(
        "layout contiguous first",
        check::flash_layout(|x| {
            let (_, _, _, _) = x.dims4()?;
            let x = if x.stride()[3] == 1 { x.clone() } else { x.contiguous()? };
            x.transpose(1, 2)
        }),
    );
    right(
        "split i()",
        check::split_qkv(|x, q, k| {
            let (_, h, _) = x.dims3()?;
            if h != q + k + k {
                bail!("heads");
            }
            Ok([x.i((.., 0..q, ..))?, x.i((.., q..q + k, ..))?, x.i((.., q + k..h, ..))?])
        }),
    );
    right(
        "split loop",
        check::split_qkv(|x, q, k| {
            if x.rank() != 3 || x.dim(1)? != q + 2 * k {
                bail!("heads");
            }
            let mut at = 0;
            let mut out = vec![];
            for n in [q, k, k] {
                out.push(x.narrow(1, at, n)?);
                at += n;
            }
            Ok(out.try_into().unwrap())
        }),
    );
    right(
        "pad cat zeros",
        check::pad_head_dim(|x| {
            let d = x.dim(D::Minus1)?;
            let m = (8 - d % 8) % 8;
            if m == 0 {
                return Ok(x.clone());
            }
            let mut s = x.dims().to_vec();
            *s.last_mut().unwrap() = m;
            Tensor::cat(&[x, &Tensor::zeros(s, x.dtype(), x.device())?], D::Minus1)
        }),
    );
    right(
        "pad by rank",
        check::pad_head_dim(|x| {
            if x.rank() == 0 {
                bail!("scalar");
            }
            let last = x.rank() - 1;
            let d = x.dims()[last];
            let w = d.div_ceil(8) * 8;
            if w == d { Ok(x.clone()) } else { x.pad_with_zeros(last, 0, w - d) }
        }),
    );
    right(
        "check loop",
        check::check_seqlens(|c, total, max| {
            if c.len() < 2 || c[0] != 0 {
                bail!("start");
            }
            for i in 1..c.len() {
                if c[i] < c[i - 1] {
                    bail!("falls");
                }
                if (c[i] - c[i - 1]) as usize > max {
                    bail!("long");
                }
            }
            let end = *c.last().unwrap();
            if end as u64 != total as u64 || end > i32::MAX as u32 {
                bail!("end");
            }
            Ok(())
        }),
    );
    right(
        "check i64",
        check::check_seqlens(|c, total, max| {
            let c: Vec<i128> = c.iter().map(|&x| x.into()).collect();
            let ok = c.len() > 1
                && c[0] == 0
                && c.windows(2).all(|w| (0..=max as i128).contains(&(w[1] - w[0])))
                && c[c.len() - 1] == total as i128
                && total <= i32::MAX as usize;
            if ok { Ok(()) } else { bail!("bad") }
        }),
    );
    right(
        "gpu checked_add",
        check::gpu_seqlens(|l, d| {
            if l.is_empty() {
                bail!("none");
            }
            let mut ends = vec![0u32];
            let mut t = 0i32;
            let mut max = 0;
            for &n in l {
                let Some(next) = i32::try_from(n).ok().and_then(|n| t.checked_add(n)) else {
                    bail!("many")
                };
                t = next;
                ends.push(t as u32);
                max = max.max(n);
            }
            Ok((Tensor::new(ends, d)?, max))
        }),
    );
    right(
        "gpu via own check",
        check::gpu_seqlens(|l, d| {
            let ends = varlen::solution::cu_seqlens(l, d)?;
            let max = varlen::solution::max_seqlen(&ends)?;
            let e = ends.to_vec1::<u32>()?;
            solution::check_seqlens(&e, e[e.len() - 1] as usize, max)?;
            Ok((ends, max))
        }),
    );
    right(
        "half f64 loop",
        check::half_dtype(|ts| {
            for t in ts {
                if !t.dtype().is_float() {
                    bail!("float");
                }
            }
            if !ts.is_empty() && ts.iter().all(|t| t.dtype() == DType::F16) {
                return Ok(DType::F16);
            }
            if !ts.is_empty() && ts.iter().all(|t| t.dtype() == DType::BF16) {
                return Ok(DType::BF16);
            }
            for t in ts {
                for x in t.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()? {
                    if x.abs() > 65504. {
                        return Ok(DType::BF16);
                    }
                }
            }
            Ok(DType::F16)
        }),
    );
    right(
        "half sum of mask",
        check::half_dtype(|ts| {
            for t in ts {
                if !matches!(t.dtype(), DType::F16 | DType::BF16 | DType::F32 | DType::F64) {
                    bail!("float");
                }
            }
            if let Some(first) = ts.first() {
                let d = first.dtype();
                if d.size_in_bytes() == 2 && ts.iter().all(|t| t.dtype() == d) {
                    return Ok(d);
                }
            }
            let mut n = 0f32;
            for t in ts {
                if t.elem_count() > 0 {
                    n += t
                        .to_dtype(DType::F64)?
                        .abs()?
                        .gt(65504f64)?
                        .to_dtype(DType::F32)?
                        .sum_all()?
                        .to_scalar::<f32>()?;
                }
            }
            Ok(if n > 0. { DType::BF16 } else { DType::F16 })
        }),
    );
    right(
        "accurate loop",
        check::as_accurate(|o, n, r| {
            if o.dims() != r.dims() || n.dims() != r.dims() {
                bail!("shape");
            }
            let v = |x: &Tensor| x.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
            let (o, n, r) = (v(o)?, v(n)?, v(r)?);
            let (mut a, mut b) = (0f64, 0f64);
            for i in 0..r.len() {
                let (x, y) = ((o[i] - r[i]).abs(), (n[i] - r[i]).abs());
                if x.is_nan() || y.is_nan() {
                    return Ok(false);
                }
                if x > a {
                    a = x;
                }
                if y > b {
                    b = y;
                }
            }
            Ok(a <= b * 2.)
        }),
    );
    right(
        "accurate total_cmp",
        check::as_accurate(|o, n, r| {
            let e = |x: &Tensor| -> Result<f64> {
                let mut e = x
                    .to_dtype(DType::F64)?
                    .sub(&r.to_dtype(DType::F64)?)?
                    .abs()?
                    .flatten_all()?
                    .to_vec1::<f64>()?;
                e.sort_by(f64::total_cmp);
                Ok(e.last().copied().unwrap_or(0.))
            };
            let (a, b) = (e(o)?, e(n)?);
            Ok(a / 2. <= b)
        }),
    );
    right(
        "pick match",
        check::pick_kernel(|c, t, d, g| match (c, t, d, g) {
            (None, ..) => Kernel::Cpu,
            (Some((8.., _)), DType::F16 | DType::BF16, 0..=512, false) => Kernel::Flash,
            _ => Kernel::Naive,
        }),
    );
    right(
        "pick ifs",
        check::pick_kernel(|c, t, d, g| {
            if c.is_none() {
                return Kernel::Cpu;
            }
            if c < Some((8, 0)) || t == DType::F32 || t == DType::F64 || d > 512 || g {
                return Kernel::Naive;
            }
            Kernel::Flash
        }),
    );
    // wrong
    wrong(
        "check fall panics",
        check::check_seqlens(|c, total, max| {
            let longest = c.windows(2).map(|p| p[1] - p[0]).max().unwrap_or(0);
            if longest as usize > max {
                bail!("max");
            }
            solution::check_seqlens(c, total, max)
        }),
    );
    wrong(
        "flops one product",
        check::forward_flops(|b, h, q, k, d, c| {
            let f = solution::forward_flops(b, h, q, k, d, c);
            if c { f / 2. } else { f }
        }),
    );
    wrong(
        "flops usize",
        check::forward_flops(|b, h, q, k, d, c| {
            let pairs = if c { (0..q).map(|i| (i + 1 + k).saturating_sub(q)).sum() } else { q * k };
            (4usize.wrapping_mul(b).wrapping_mul(h).wrapping_mul(d).wrapping_mul(pairs)) as f64
        }),
    );
    wrong(
        "accurate ref f32",
        check::as_accurate(|o, n, r| solution::as_accurate(o, n, &r.to_dtype(DType::F32)?)),
    );
    wrong(
        "gpu overflow",
        check::gpu_seqlens(|l, d| {
            let t: usize = l.iter().sum();
            if l.is_empty() || t > i32::MAX as usize {
                bail!("x");
            }
            solution::gpu_seqlens(l, d)
        }),
    );
}
