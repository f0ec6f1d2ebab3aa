//! Pictures of what heads look at.

use crate::{kinds::Scored, minilm::Encoded};
use candle_core::{DType, Error, Result, Tensor, bail};
use figures::{Figure, FigureError, Heatmap};

/// What the heads of one layer look at, with the tokens' names.
#[derive(Clone, Debug)]
pub struct LayerMaps {
    /// Which layer, in words.
    pub name: String,
    /// The tokens that look.
    pub queries: Vec<String>,
    /// The tokens that are looked at.
    pub keys: Vec<String>,
    /// The weights, `(heads, queries, keys)`.
    pub weights: Tensor,
}

impl LayerMaps {
    /// All heads of the layer, one panel each. Errors when the weights do not fit the names, or there are more than 128
    /// tokens.
    pub fn heads(&self) -> Result<Figure> {
        let heads = self.weights.dims3()?.0;
        let panel = |head: usize| Ok((format!("head {head}"), self.values(head)?));
        let panels = (0..heads).map(panel).collect::<Result<Vec<_>>>()?;
        let (queries, keys) = (self.queries.len(), self.keys.len());
        drawn(self.labelled(Heatmap::grid(&self.name, queries, keys, panels)).draw())
    }

    /// One head, counted from 0, with its weights printed where they fit. Errors as [`heads`](Self::heads) does, and
    /// when there is no such head.
    pub fn head(&self, head: usize) -> Result<Figure> {
        let title = format!("{}, head {head}", self.name);
        let (queries, keys) = (self.queries.len(), self.keys.len());
        let map =
            self.labelled(Heatmap::new(title, queries, keys, &self.values(head)?));
        drawn(map.clone().print_values(2).draw().or_else(|_| map.draw()))
    }

    fn values(&self, head: usize) -> Result<Vec<f32>> {
        let heads = self.weights.dims3()?.0;
        if head >= heads {
            bail!(
                "head: expected a number below {heads}, the number of heads; got {head}"
            );
        }
        self.weights.get(head)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
    }

    fn labelled(&self, map: Heatmap) -> Heatmap {
        map.row_labels(self.queries.clone())
            .col_labels(self.keys.clone())
            .range(0, 1)
            .x("key")
            .y("query")
    }
}

/// The maps of one sentence, layer by layer.
pub fn of_sentence(encoded: &Encoded, sentence: usize) -> Result<Vec<LayerMaps>> {
    let map = |layer| {
        let weights = encoded.map(sentence, layer)?;
        let tokens = encoded.tokens[sentence].clone();
        let name = format!("layer {layer}");
        Ok(LayerMaps { name, queries: tokens.clone(), keys: tokens, weights })
    };
    (0..encoded.maps.len()).map(map).collect()
}

/// One panel per kind, with a cell for each head: layers go down, heads go right.
pub fn by_layer(scored: &[Scored]) -> Result<Figure> {
    let layers = scored.first().map_or(0, |one| one.heads.len());
    let heads = scored.first().and_then(|one| one.heads.first()).map_or(0, Vec::len);
    let panels = scored.iter().map(|one| (one.kind.to_string(), one.heads.concat()));
    let map = Heatmap::grid("What each head does", layers, heads, panels).range(0, 1);
    let count = |many: usize| (0..many).map(|at| at.to_string());
    drawn(
        map.row_labels(count(layers))
            .col_labels(count(heads))
            .x("head")
            .y("layer")
            .draw(),
    )
}

/// The map of a kind's best head, in the sentence where it is clearest.
pub fn clearest(scored: &Scored, encoded: &Encoded) -> Result<Figure> {
    let Scored { kind, layer, head, sentence, .. } = *scored;
    let tokens = encoded.tokens.get(sentence).cloned().unwrap_or_default();
    let name = format!("{kind}: layer {layer}");
    let weights = encoded.map(sentence, layer)?;
    LayerMaps { name, queries: tokens.clone(), keys: tokens, weights }.head(head)
}

/// A figure of what a model read; where there is no model, a line that says so.
pub struct Shown(Option<Figure>);

impl Shown {
    /// What `draw` makes of `read`, if there is one.
    pub fn of<T>(
        read: Option<&T>,
        draw: impl FnOnce(&T) -> Result<Figure>,
    ) -> Result<Self> {
        Ok(Self(read.map(draw).transpose()?))
    }

    /// Shows it in an evcxr notebook when it is a cell's last expression.
    pub fn evcxr_display(&self) {
        match &self.0 {
            Some(figure) => figure.evcxr_display(),
            None => println!(
                "left out: this cell needs the model (`cargo study fetch minilm`)"
            ),
        }
    }
}

fn drawn(figure: std::result::Result<Figure, FigureError>) -> Result<Figure> {
    figure.map_err(Error::wrap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn maps() -> Result<LayerMaps> {
        let weights = [[[0.25f32, 0.75], [1., 0.]], [[0.5, 0.5], [0.5, 0.5]]];
        let names = |names: [&str; 2]| names.map(String::from).to_vec();
        Ok(LayerMaps {
            name: "layer 3".into(),
            queries: names(["le", "chat"]),
            keys: names(["the", "cat"]),
            weights: Tensor::new(&weights, &Device::Cpu)?,
        })
    }

    #[test]
    fn pictures_name_tokens_heads_and_weights() -> Result<()> {
        let all = maps()?.heads()?;
        for text in ["layer 3", "head 0", "head 1", "chat", "cat"] {
            assert!(all.svg().contains(text), "{text}");
        }
        let one = maps()?.head(0)?;
        assert!(one.svg().contains("layer 3, head 0") && one.svg().contains("0.75"));
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_refused() -> Result<()> {
        let error = maps()?.head(2).unwrap_err().to_string();
        assert!(error.starts_with("head: expected a number below 2"), "{error}");
        let short = LayerMaps { keys: vec!["the".into()], ..maps()? };
        assert!(short.heads().is_err() && short.head(0).is_err());
        Ok(())
    }
}
