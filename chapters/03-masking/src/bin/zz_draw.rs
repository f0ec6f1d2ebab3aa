#![allow(missing_docs, unused_must_use)]
fn main() {
    dot_products::diagrams::attention()
        .map_err(|e| eprintln!("1: {e}"))
        .map(|f| f.save("/tmp/figs/svg/1.svg"))
        .ok();
    scaling::diagrams::scaled_attention()
        .map_err(|e| eprintln!("2: {e}"))
        .map(|f| f.save("/tmp/figs/svg/2.svg"))
        .ok();
    masking::diagrams::masked_attention()
        .map_err(|e| eprintln!("3: {e}"))
        .map(|f| f.save("/tmp/figs/svg/3.svg"))
        .ok();
}
