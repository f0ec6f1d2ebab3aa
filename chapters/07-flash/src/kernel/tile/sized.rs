//! Code for numbers of rows and vectors that are constants: only then does a tile stay in registers.

/// `$work`, compiled for the instructions `$lanes`, in which `$R` and `$C` are constants: numbers of rows, up to
/// [`ROWS`](super::shape::ROWS), and of vectors, up to
/// [`Lanes::VECTORS`](crate::kernel::instructions::lanes::Lanes::VECTORS), that are known only now.
macro_rules! sized {
    ($lanes:ident: $L:ty, $R:ident = $rows:expr, $C:ident = $vectors:expr => $work:expr) => {
        match $rows {
            1 => sized!(@ $lanes: $L, $R = 1, $C = $vectors => $work),
            2 => sized!(@ $lanes: $L, $R = 2, $C = $vectors => $work),
            3 => sized!(@ $lanes: $L, $R = 3, $C = $vectors => $work),
            4 => sized!(@ $lanes: $L, $R = 4, $C = $vectors => $work),
            5 => sized!(@ $lanes: $L, $R = 5, $C = $vectors => $work),
            _ => sized!(@ $lanes: $L, $R = 6, $C = $vectors => $work),
        }
    };
    (@ $lanes:ident: $L:ty, $R:ident = $rows:literal, $C:ident = $vectors:expr => $work:expr) => {{
        const $R: usize = $rows;
        match $vectors {
            4 if const { <$L>::VECTORS >= 4 } => sized!(@ $lanes, $C = 4 => $work),
            3 if const { <$L>::VECTORS >= 3 } => sized!(@ $lanes, $C = 3 => $work),
            2 if const { <$L>::VECTORS >= 2 } => sized!(@ $lanes, $C = 2 => $work),
            _ => sized!(@ $lanes, $C = 1 => $work),
        }
    }};
    (@ $lanes:ident, $C:ident = $vectors:literal => $work:expr) => {{
        const $C: usize = $vectors;
        $lanes.vectorised(#[inline(always)] || $work)
    }};
}

/// `$body` for each row `0..$rows`, written out: a loop that the compiler leaves a loop would keep the tile in memory.
macro_rules! each_row {
    ($rows:ident, $row:ident, $body:block) => { each_row!(@0 1 2 3 4 5, $rows, $row, $body) };
    (@$($at:literal)*, $rows:ident, $row:ident, $body:block) => {
        $(if $at < $rows {
            let $row = $at;
            $body
        })*
    };
}

pub(crate) use {each_row, sized};
