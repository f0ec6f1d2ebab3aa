//! The place that `--device` asks for.

use crate::card::OnCard;
use crate::place::Place;
use crate::processor::Processor;
use crate::report::Card;
use anyhow::Result;
use device::{Kind, choose};
use options::bench::Options;

/// The place that `--device` asks for, and the card if it is one.
pub fn place(options: &Options) -> Result<(Box<dyn Place>, Option<Card>)> {
    let processor = || Processor::new(options.threads());
    match &*options.device {
        "auto" => {
            eprintln!("Device: cpu (auto; to measure a card, ask with --device cuda)");
            return Ok((Box::new(processor()?), None));
        }
        "rehearsal" => {
            let (place, card) = OnCard::rehearsal();
            return Ok((Box::new(place), Some(card)));
        }
        _ => {}
    }
    let choice = choose(&options.device, &[Kind::Cpu, Kind::Cuda])?;
    eprintln!("Device: {}", choice.said);
    if !choice.device.is_cuda() {
        return Ok((Box::new(processor()?), None));
    }
    let (place, card) = OnCard::new(&choice.device)?;
    Ok((Box::new(place), Some(card)))
}
