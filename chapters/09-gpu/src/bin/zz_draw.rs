#![allow(missing_docs, unused_must_use)]
fn main() {
    flash::diagrams::tiles()
        .map_err(|e| eprintln!("7a: {e}"))
        .map(|f| f.save("/tmp/figs/svg/7a.svg"))
        .ok();
    flash::diagrams::running_state()
        .map_err(|e| eprintln!("7b: {e}"))
        .map(|f| f.save("/tmp/figs/svg/7b.svg"))
        .ok();
    varlen::diagrams::padded_and_packed()
        .map_err(|e| eprintln!("8: {e}"))
        .map(|f| f.save("/tmp/figs/svg/8.svg"))
        .ok();
    gpu::diagrams::memory_levels()
        .map_err(|e| eprintln!("9: {e}"))
        .map(|f| f.save("/tmp/figs/svg/9.svg"))
        .ok();
}
