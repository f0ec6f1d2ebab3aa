//! `cargo run -p inside-heads --bin kinds`: what each head of the pretrained encoder does, as a table and figures.

use inside_heads::{kinds, maps, minilm::MiniLm, sentences};
use std::{error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let model = MiniLm::fetched()?;
    let sentences = sentences::labelled()?;
    let texts: Vec<String> = sentences.iter().map(sentences::Sentence::text).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let encoded = model.encode(&texts)?;
    let scored = kinds::score(&encoded, &sentences)?;
    print!("{}", kinds::table(&scored));

    let folder = Path::new("target/figures/06-inside-heads");
    fs::create_dir_all(folder)?;
    maps::by_layer(&scored)?.save(folder.join("kinds.svg"))?;
    for (at, one) in scored.iter().enumerate() {
        maps::clearest(one, &encoded)?.save(folder.join(format!("kind-{at}.svg")))?;
    }
    println!("\nFigures: {}", folder.display());
    Ok(())
}
