//! scratch
use transformer::beyond::*;
fn main() -> candle_core::Result<()> {
    transformer::single::single_threaded_candle();
    let a: Vec<String> = std::env::args().collect();
    let steps: usize = a[1].parse().unwrap();
    println!("floor {:.3}", floor());
    for p in Positions::ALL {
        let t = std::time::Instant::now();
        let r = train(p, steps, a[2].parse().unwrap())?;
        let s = t.elapsed().as_secs_f64();
        let l = losses_by_position(&r, 100, 256)?;
        let m: Vec<String> = l
            .chunks(16)
            .map(|c| format!("{:.2}", c.iter().sum::<f32>() / c.len() as f32))
            .collect();
        println!("{p:>6} {s:.1}s {}", m.join(" "));
    }
    Ok(())
}
