#![allow(missing_docs, unused_must_use)]
fn main() {
    multi_head::diagrams::split_combine()
        .map_err(|e| eprintln!("4: {e}"))
        .map(|f| f.save("/tmp/figs/svg/4.svg"))
        .ok();
    transformer::diagrams::encoder_decoder()
        .map_err(|e| eprintln!("5: {e}"))
        .map(|f| f.save("/tmp/figs/svg/5.svg"))
        .ok();
    inside_heads::diagrams::induction()
        .map_err(|e| eprintln!("6: {e}"))
        .map(|f| f.save("/tmp/figs/svg/6.svg"))
        .ok();
}
