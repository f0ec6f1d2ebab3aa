//! Which kernel computes what, and the six variants by them.

use crate::{
    common::{inputs::dense, judge::same_bits},
    strict::{api, fault},
};
use candle_core::{DType, Device, Result, Var};
use gpu::{
    Attend, Cpu, Cuda, Kernel, Picked,
    six::{self, Came},
};
use varlen::batch::Batch;

fn stand_in() -> Cuda {
    Cuda::with(&Device::Cpu, api::<{ fault::NONE }>())
}

#[test]
fn without_a_card_it_is_the_cpu() -> Result<()> {
    let picked = Picked::on(&Device::Cpu)?;
    for dtype in [DType::F16, DType::BF16, DType::F32, DType::F64] {
        let [q, k, v] = dense(1, 1, [4, 2], (5, 9), 24, (dtype, &Device::Cpu))?;
        assert_eq!(picked.kernel(&q, &k, &v)?, Kernel::Cpu);
        let out = picked.dense(&q, &k, &v, 0.3, true)?;
        same_bits("dense", &out, &Cpu.dense(&q, &k, &v, 0.3, true)?)?;
    }
    Ok(())
}

#[test]
fn old_cards_get_naive_attention() -> Result<()> {
    let [q, k, v] = dense(1, 1, [4, 2], (5, 9), 24, (DType::F16, &Device::Cpu))?;
    for (capability, expected) in [
        ((7, 0), Kernel::Naive),
        ((7, 5), Kernel::Naive),
        ((8, 0), Kernel::Flash),
        ((8, 9), Kernel::Flash),
        ((9, 0), Kernel::Flash),
        ((12, 0), Kernel::Flash),
    ] {
        let picked = Picked::with(capability, stand_in());
        assert_eq!(picked.kernel(&q, &k, &v)?, expected, "{capability:?}");
    }
    Ok(())
}

#[test]
fn one_gradient_is_enough() -> Result<()> {
    let picked = Picked::with((9, 0), stand_in());
    let inputs = dense(1, 1, [4, 2], (5, 9), 24, (DType::F16, &Device::Cpu))?;
    for at in 0..3 {
        let mut with = inputs.clone();
        with[at] = Var::from_tensor(&inputs[at])?.as_tensor().clone();
        let [q, k, v] = &with;
        assert_eq!(picked.kernel(q, k, v)?, Kernel::Naive, "{at}");
    }
    Ok(())
}

#[test]
fn the_cpu_is_no_card() {
    let error = Cuda::new(&Device::Cpu).expect_err("an error").to_string();
    assert!(error.contains("expected a CUDA device; got Cpu"), "{error}");
}

#[test]
fn kernels_that_do_not_run_are_noticed() {
    assert!(stand_in().answers().is_ok());
    let idle = Cuda::with(&Device::Cpu, api::<{ fault::IDLE }>());
    let error = idle.answers().expect_err("an error").to_string();
    assert!(error.contains("CUDA_COMPUTE_CAP"), "{error}");
}

#[test]
fn on_the_cpu_all_six_run_as_in_week_8() -> Result<()> {
    let batch = Batch::new(3, &[70, 1, 33], 2, 16)?;
    let came = six::run(&batch, &Device::Cpu, DType::BF16, &Cpu, 1)?;
    assert_eq!(came.len(), 6);
    for (name, came) in &came {
        let Came::Ran { dtype, off_by, ms } = came else { panic!("{name}: {came:?}") };
        assert_eq!(*dtype, DType::F32, "{name}");
        assert!(*off_by < 1e-5 && *ms > 0., "{name}: {off_by}, {ms}");
    }
    assert_eq!(six::table(&came)?.lines().count(), 7);
    Ok(())
}

/// Also when a packed batch lies beside a padded one: a kernel without masks leaves one of the six out, and says why.
#[test]
fn on_a_gpu_one_of_six_is_left_out() -> Result<()> {
    let batch = Batch::new(3, &[70, 1, 33], 2, 16)?;
    let came = six::run_by(&batch, &Device::Cpu, DType::BF16, Some(&stand_in()), 1)?;
    let table = six::table(&came)?;
    let lines: Vec<&str> = table.lines().skip(1).collect();
    assert_eq!(lines.len(), 6, "{table}");
    assert!(lines[1].starts_with("sdpa_bidirectional"), "{table}");
    assert!(lines[1].contains("not run: the kernel takes no mask"), "{table}");
    for (at, dtype) in [(0, "f32"), (2, "bf16"), (3, "f32"), (4, "bf16"), (5, "bf16")] {
        assert!(lines[at].split_whitespace().nth(1) == Some(dtype), "{table}");
    }
    Ok(())
}

#[test]
fn a_batch_of_nothing_is_refused() -> Result<()> {
    for lengths in [vec![], vec![0, 0]] {
        let batch = Batch::new(3, &lengths, 2, 16)?;
        let came = six::run(&batch, &Device::Cpu, DType::F32, &Cpu, 1);
        let error = came.expect_err("an error").to_string();
        assert!(error.starts_with("batch: expected at least one token; got none"), "{error}");
    }
    Ok(())
}
