//! Wrong layers of an encoder.

use super::{right, two};
use crate::{
    transformer::{
        EncoderLayer,
        NormOrder::{Post, Pre},
    },
    wrong::{Wrong, wrong},
};
use candle_core::{Result, Tensor};

pub fn encoder_layer() -> Vec<Wrong<EncoderLayer>> {
    vec![
        wrong!(
            "norms exchanged",
            "the norms have changed places: the first belongs to attention, the second to feed-forward.",
            |x, order, [first, second], attend, feed_forward| {
                two(x, order, [(second, attend), (first, feed_forward)])
            }
        ),
        wrong!(
            "sublayers exchanged",
            "feed-forward comes before attention: attention is first, with the first norm.",
            |x, order, [first, second], attend, feed_forward| {
                two(x, order, [(first, feed_forward), (second, attend)])
            }
        ),
        wrong!(
            "sublayers exchanged with their norms",
            "feed-forward comes before attention, each with its right norm: attention is first.",
            |x, order, [first, second], attend, feed_forward| {
                two(x, order, [(second, feed_forward), (first, attend)])
            }
        ),
        wrong!(
            "one norm for both",
            "both sublayers use the first norm: each has its own.",
            |x, order, [first, _], attend, feed_forward| {
                two(x, order, [(first, attend), (first, feed_forward)])
            }
        ),
        wrong!(
            "feed-forward forgotten",
            "feed-forward is missing: attention only mixes tokens, feed-forward works on each of them.",
            |x, order, [first, _], attend, _| right(x, order, first, attend)
        ),
        wrong!(
            "attention forgotten",
            "attention is missing: no token learns anything from the others.",
            |x, order, [_, second], _, feed_forward| right(x, order, second, feed_forward)
        ),
        wrong!(
            "attention twice",
            "the second sublayer is attention again: it should be feed-forward.",
            |x, order, [first, second], attend, _| two(
                x,
                order,
                [(first, attend), (second, attend)]
            )
        ),
        wrong!(
            "feed-forward from the layer's input",
            "feed-forward gets the layer's input, and what attention gave is lost: it goes on with the first sublayer's result.",
            |x, order, [first, second], attend, feed_forward| {
                right(x, order, first, attend)?;
                right(x, order, second, feed_forward)
            }
        ),
        wrong!(
            "sublayers side by side",
            "attention and feed-forward work side by side on the same input, and both results are added. Some models do that; in the paper's, one follows the other.",
            |x, order, [first, second], attend, feed_forward| match order {
                Pre => (x + attend(&first(x)?)?)? + feed_forward(&second(x)?)?,
                Post => two(x, Post, [(first, attend), (second, feed_forward)]),
            }
        ),
        wrong!(
            "one shortcut around both",
            "there is one shortcut around both sublayers: each has its own.",
            |x, order, [first, second], attend, feed_forward| match order {
                Pre => x + feed_forward(&second(&attend(&first(x)?)?)?)?,
                Post => second(&(x + feed_forward(&first(&attend(x)?)?)?)?),
            }
        ),
        wrong!(
            "always post",
            "`order` is not handed on: for `Pre` the norms stand before the sublayers.",
            |x, _, [first, second], attend, feed_forward| {
                two(x, Post, [(first, attend), (second, feed_forward)])
            }
        ),
        wrong!(
            "always pre",
            "`order` is not handed on: for `Post` the norms stand after the sums.",
            |x, _, [first, second], attend, feed_forward| {
                two(x, Pre, [(first, attend), (second, feed_forward)])
            }
        ),
        wrong!(
            "token by token",
            "attention is called for one token at a time, and sees no other: hand it all tokens at once.",
            |x, order, [first, second], attend, feed_forward| {
                let tokens = (0..x.dim(1)?).map(|at| x.narrow(1, at, 1));
                let tokens = tokens.map(|token| right(&token?, order, first, attend));
                match tokens.collect::<Result<Vec<_>>>()? {
                    tokens if tokens.len() > 1 => {
                        right(&Tensor::cat(&tokens, 1)?, order, second, feed_forward)
                    }
                    _ => two(x, order, [(first, attend), (second, feed_forward)]),
                }
            }
        ),
        wrong!(
            "attends twice",
            "a part runs twice: attention's result is used once; the other run costs as much again, and draws new dropout.",
            |x, order, [first, second], attend, feed_forward| {
                attend(x)?;
                two(x, order, [(first, attend), (second, feed_forward)])
            }
        ),
    ]
}
