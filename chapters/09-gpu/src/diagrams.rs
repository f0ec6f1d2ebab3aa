//! The page's diagram: where numbers can lie on a GPU, and how fast they come from there.

use crate::cards::{CARDS, Card};
use candle_core::{Error, Result};
use figures::{Diagram, Figure, Node, Role};

const KIB: f64 = 1024.;
const MIB: f64 = KIB * KIB;

/// The levels of memory of an A100, the fast and small ones on top, with their sizes and what is known of their speeds.
pub fn memory_levels() -> Result<Figure> {
    let card = &CARDS[2];
    let all = card.multiprocessors as f64;
    let level = |name: &str, size: String, width: f64| {
        Node::tensor(Role::Sequence(0), name).id(name).shape(size).width(width)
    };
    let each = |bytes: f64| format!("{:.0} KiB, {:.0} MiB in all", bytes / KIB, all * bytes / MIB);
    let (registers, shared) = (each(Card::REGISTERS), each(card.shared));
    let (l2, memory) = (card.l2 / MIB, card.memory / 1e9);
    let (fast, slow) = (card.shared_bandwidth() / 1e12, card.bandwidth / 1e12);
    Diagram::new("An A100: near is fast, far is large")
        .row([Node::step("tensor cores")])
        .row([level("registers", registers.clone(), 0.45)])
        .row([level("shared memory and L1", shared.clone(), 0.55)])
        .row([level("L2 cache", format!("{l2:.0} MiB, for all multiprocessors"), 0.75)])
        .row([Node::tensor(Role::Plain, "memory")
            .shape(format!("{memory:.0} GB, off the chip"))
            .width(0.92)])
        .group(
            format!("each of {all} multiprocessors"),
            ["tensor cores", "registers", "shared memory and L1"],
        )
        .arrow("registers", "tensor cores")
        .arrow_with("shared memory and L1", "registers", format!("{fast:.1} TB/s in all"))
        .arrow("L2 cache", "shared memory and L1")
        .arrow_with("memory", "L2 cache", format!("{slow:.2} TB/s"))
        .alt(format!(
            "The memories of an {}, one above the other, the wider the larger. On top, in each of {all} multiprocessors, tensor cores, \
             then registers ({registers}) and shared memory with L1 ({shared}), which give {fast:.1} TB a second together. Below them one L2 cache of \
             {l2:.0} MiB for all. At the bottom, off the chip, {memory:.0} GB of memory, from which {slow:.2} TB a second come: \
             {:.0} times fewer.",
            card.name,
            fast / slow
        ))
        .draw()
        .map_err(Error::wrap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_the_numbers_of_the_data_sheet() -> Result<()> {
        let alt = memory_levels()?.alt().to_owned();
        assert!(alt.contains("27 MiB in all") && alt.contains("2.04 TB a second"), "{alt}");
        Ok(())
    }
}
