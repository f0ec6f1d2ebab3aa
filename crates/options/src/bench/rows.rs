//! What is measured: the rows of the table.

use std::sync::LazyLock;

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Every query sees every key.
    Dense,
    /// A query sees the keys up to its own position.
    Causal,
    /// Forward and backward, dense.
    Backward,
    /// Forward and backward, causal.
    BackwardCausal,
    /// Sequences of different lengths.
    Ragged,
    /// The same, causal.
    RaggedCausal,
    /// A product of two matrices, as a yardstick.
    Matmul,
}

impl Case {
    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dense => "dense",
            Self::Causal => "causal",
            Self::Backward => "backward",
            Self::BackwardCausal => "backward-causal",
            Self::Ragged => "ragged",
            Self::RaggedCausal => "ragged-causal",
            Self::Matmul => "matmul",
        }
    }

    /// Whether queries see only the keys up to their own position.
    pub fn causal(self) -> bool {
        matches!(self, Self::Causal | Self::BackwardCausal | Self::RaggedCausal)
    }

    /// Whether sequences have different lengths.
    pub fn ragged(self) -> bool {
        matches!(self, Self::Ragged | Self::RaggedCausal)
    }
}

/// One row: q `(batch, heads, queries, dim)`, k and v `(batch, heads_kv, keys, dim)`; for a matrix product `(queries,
/// dim)` times `(dim, keys)`.
#[derive(Clone, Debug)]
pub struct Row {
    /// What `--only` asks for.
    pub name: &'static str,
    /// What is computed.
    pub case: Case,
    /// How many sequences.
    pub batch: usize,
    /// Of the queries.
    pub heads: usize,
    /// Of keys and values.
    pub heads_kv: usize,
    /// A sequence's length; of ragged ones the longest.
    pub queries: usize,
    /// The same on the keys' side.
    pub keys: usize,
    /// Numbers of a query, a key and a value.
    pub dim: usize,
    /// The numbers' type: `f32`, `f16` or `bf16`.
    pub dtype: &'static str,
}

impl Row {
    /// What a reader calls it: `causal, 2,048 tokens, 8 heads of 64`, and the type behind it unless it is f32.
    pub fn title(&self) -> String {
        let Self { case, heads, dim, dtype, .. } = *self;
        match dtype {
            "f32" => self.plain_title(),
            _ if case.ragged() => {
                format!("{}, {heads} heads of {dim}, {dtype}", self.plain_title())
            }
            _ => format!("{}, {dtype}", self.plain_title()),
        }
    }

    fn plain_title(&self) -> String {
        let Self { heads, heads_kv, dim, .. } = *self;
        let (queries, keys) = (thousands(self.queries), thousands(self.keys));
        let case = match self.case {
            Case::Dense => "dense",
            Case::Causal => "causal",
            Case::Backward => "forward + backward, dense",
            Case::BackwardCausal => "forward + backward, causal",
            Case::Ragged => return format!("{} sequences of up to {keys} tokens", self.batch),
            Case::RaggedCausal => {
                return format!("causal, {} sequences of up to {keys} tokens", self.batch);
            }
            Case::Matmul => {
                let dim = thousands(dim);
                return format!("matrix product, {queries} × {dim} × {keys}");
            }
        };
        let tokens = match self.queries == self.keys {
            true => format!("{queries} tokens"),
            false => format!("{queries} query, {keys} keys"),
        };
        let heads = match heads == heads_kv {
            true => format!("{heads} heads of {dim}"),
            false => format!("{heads} heads of {dim}, {heads_kv} key-value heads"),
        };
        format!("{case}, {tokens}, {heads}")
    }

    /// Whether ways that hold all scores, or take minutes, are left out.
    pub fn huge(&self) -> bool {
        self.queries * self.keys > 100_000_000
    }
}

/// `12345` as `12,345`.
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).unwrap_or_default())
        .collect();
    groups.join(",")
}

const fn row(
    name: &'static str,
    case: Case,
    heads: [usize; 2],
    tokens: [usize; 2],
    dim: usize,
) -> Row {
    let ([heads, heads_kv], [queries, keys]) = (heads, tokens);
    Row { name, case, batch: 1, heads, heads_kv, queries, keys, dim, dtype: "f32" }
}

/// All rows of the processor, in the order in which they are measured.
pub static ROWS: [Row; 19] = [
    row("dense", Case::Dense, [8, 8], [2048; 2], 64),
    row("causal", Case::Causal, [8, 8], [2048; 2], 64),
    row("dense-d128", Case::Dense, [8, 8], [2048; 2], 128),
    row("causal-d128", Case::Causal, [8, 8], [2048; 2], 128),
    row("dense-n4096", Case::Dense, [8, 8], [4096; 2], 64),
    row("causal-n4096", Case::Causal, [8, 8], [4096; 2], 64),
    row("grouped", Case::Dense, [8, 2], [2048; 2], 64),
    row("n1000", Case::Dense, [8, 8], [1000; 2], 64),
    row("n1537", Case::Dense, [8, 8], [1537; 2], 64),
    row("n16", Case::Dense, [8, 8], [16; 2], 64),
    row("n64", Case::Dense, [8, 8], [64; 2], 64),
    row("n128", Case::Dense, [8, 8], [128; 2], 64),
    row("n256", Case::Dense, [8, 8], [256; 2], 64),
    row("decode", Case::Dense, [8, 8], [1, 2048], 64),
    row("backward", Case::Backward, [8, 8], [2048; 2], 64),
    row("backward-causal", Case::BackwardCausal, [8, 8], [2048; 2], 64),
    row("n16384", Case::Dense, [8, 8], [16_384; 2], 64),
    Row { batch: 32, ..row("ragged", Case::Ragged, [8, 8], [1894; 2], 64) },
    row("matmul", Case::Matmul, [1, 1], [2048; 2], 2048),
];

/// All rows of a card: 16 heads in half precision.
pub static CARD: LazyLock<Vec<Row>> = LazyLock::new(|| card(1));

/// A card's rows with a thirty-second of the tokens, for a processor that stands in for the card.
static REHEARSAL: LazyLock<Vec<Row>> = LazyLock::new(|| card(32));

fn card(shorter: usize) -> Vec<Row> {
    let each = |cases: [Case; 2], batch, tokens: &[usize]| {
        let mut rows = vec![];
        for case in cases {
            for &tokens in tokens {
                for (dim, dtype) in [(64, "f16"), (64, "bf16"), (128, "f16"), (128, "bf16")] {
                    let length = if case.ragged() { String::new() } else { format!("-n{tokens}") };
                    // Leaked once a program: rows live as long as it does.
                    let name = format!("{}{length}-d{dim}-{dtype}", case.name()).leak();
                    let plain = row(name, case, [16, 16], [tokens / shorter; 2], dim);
                    rows.push(Row { batch, dtype, ..plain });
                }
            }
        }
        rows
    };
    let dense = each([Case::Dense, Case::Causal], 1, &[512, 1024, 2048, 4096, 8192, 16_384]);
    [dense, each([Case::Ragged, Case::RaggedCausal], 32, &[1894])].concat()
}

/// The rows that are measured where `--device` says.
pub fn on(device: &str) -> &'static [Row] {
    match device {
        "cuda" => &CARD,
        "rehearsal" => &REHEARSAL,
        _ => &ROWS,
    }
}

/// Those of `rows` that `patterns` asks for: names divided by commas, `*` for anything.
pub fn chosen(patterns: &str, rows: &'static [Row]) -> Vec<&'static Row> {
    let asked = |row: &&Row| patterns.split(',').any(|pattern| matches(pattern.trim(), row.name));
    rows.iter().filter(asked).collect()
}

/// Whether `name` is what `pattern` says, `*` for anything.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            (0..=name.len()).any(|at| name.is_char_boundary(at) && matches(rest, &name[at..]))
        }),
    }
}
