//! The cases: the grid of head dims, types and lengths, and one case for each thing that is promised beside.

use super::{
    Twin,
    accuracy::{self, HALVES, HEADS, dense_grid, packed_grid},
    refusals, sameness, variants,
};
use candle_core::Result;

type Run = dyn Fn(&Twin) -> Result<()> + Send;
type Other = (&'static str, fn(&Twin, usize) -> Result<()>);

/// Something that must hold.
pub struct Case {
    pub name: String,
    /// The head dims whose kernels it needs.
    pub kernels: Vec<usize>,
    pub run: Box<Run>,
}

impl Case {
    fn new(
        name: String,
        head_dims: &[usize],
        run: impl Fn(&Twin) -> Result<()> + Send + 'static,
    ) -> Self {
        let kernels = head_dims.iter().map(|head_dim| kernel_of(*head_dim)).collect();
        Self { name, kernels, run: Box::new(run) }
    }
}

/// The head dim of the kernel that computes this one: candle-flash-attn's `HEADDIM_SWITCH`.
fn kernel_of(head_dim: usize) -> usize {
    const KERNELS: [usize; 8] = [32, 64, 96, 128, 160, 192, 224, 256];
    KERNELS.into_iter().find(|kernel| head_dim <= *kernel).unwrap_or(512)
}

/// The grid's head dims: one for each kernel, and two that lie between.
pub const HEAD_DIMS: [usize; 11] = [20, 32, 64, 72, 96, 128, 160, 192, 224, 256, 512];

/// All cases: the grid over these head dims, the others at the head dim `one`.
pub fn cases(head_dims: &[usize], one: usize) -> Vec<Case> {
    let mut cases = vec![];
    for (at, &head_dim) in head_dims.iter().enumerate() {
        for (dtype, causal) in HALVES.into_iter().flat_map(|dtype| [(dtype, false), (dtype, true)])
        {
            let heads = HEADS[(at + usize::from(causal)) % HEADS.len()];
            let ([heads_q, heads_kv], its) = (heads, dtype.as_str());
            let causally = if causal { ", causal" } else { "" };
            let of = format!("{its}, head dim {head_dim}, {heads_q} on {heads_kv} heads{causally}");
            let run = move |twin: &Twin| dense_grid(twin, dtype, head_dim, heads, causal);
            cases.push(Case::new(format!("dense: {of}"), &[head_dim], run));
            let run = move |twin: &Twin| packed_grid(twin, dtype, head_dim, heads, causal);
            cases.push(Case::new(format!("packed: {of}"), &[head_dim], run));
        }
    }
    let others: [Other; 16] = [
        ("the kernels run on this device", |twin, _| twin.cuda.answers()),
        ("every sharing of heads", accuracy::every_sharing),
        ("hundreds of short sequences", accuracy::short_sequences),
        ("a token alone gets its value", sameness::tokens_alone),
        ("two runs give the same bits", sameness::runs_are_equal),
        ("packed equals dense", sameness::packed_equals_dense),
        ("lengths may be said too large, and lie anywhere", sameness::said_too_large),
        ("lengths that do not fit are refused", refusals::lengths_refused),
        ("tensors elsewhere are refused", refusals::elsewhere),
        ("f32 and f64 come back as such", accuracy::other_types),
        ("any strides", sameness::strides),
        ("any scale", accuracy::scales),
        ("nothing to see, nothing to ask", accuracy::nothing),
        ("backward says that it is not supported", refusals::no_gradient),
        ("each call gets the kernel that fits", refusals::picks),
        ("the six variants", variants::six_variants),
    ];
    cases.extend(others.map(|(name, run)| {
        Case::new(name.to_owned(), &[one, 64], move |twin: &Twin| run(twin, one))
    }));
    let padded =
        |twin: &Twin| [1, 7, 8].iter().try_for_each(|dim| accuracy::every_sharing(twin, *dim));
    cases.push(Case::new("head dims that are padded".to_owned(), &[8, 64], padded));
    cases
}
