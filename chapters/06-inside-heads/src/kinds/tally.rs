//! Counting, for each head, how far it does what a kind says.

use super::{Kind, looks::Looks};
use std::collections::HashMap;

/// Sums of scores over tokens or pairs of words.
pub struct Tally {
    /// For each head, the sums of its scores, of what they are to be compared with, and of the weights behind them.
    sums: Vec<[f64; 3]>,
    /// How many were summed.
    pub count: usize,
}

impl Tally {
    /// The mean score of a head.
    pub fn score(&self, head: usize) -> f64 {
        self.sums[head][0] / self.count.max(1) as f64
    }

    /// The mean score of all heads but this one: what a head that is drawn at random scores on average.
    pub fn others(&self, head: usize) -> f64 {
        let rest = (0..self.heads()).filter(|&other| other != head);
        rest.map(|other| self.score(other)).sum::<f64>()
            / self.heads().saturating_sub(1).max(1) as f64
    }

    /// The mean of what the score is to be compared with.
    pub fn baseline(&self, head: usize) -> f64 {
        self.sums[head][1] / self.count.max(1) as f64
    }

    /// How many heads there are.
    pub fn heads(&self) -> usize {
        self.sums.len()
    }

    /// The head with the highest score; of several, the one that gives the most weight.
    pub fn best(&self) -> usize {
        let by = |a: &usize, b: &usize| {
            let ([one, _, weight], [other, _, than]) = (self.sums[*a], self.sums[*b]);
            one.total_cmp(&other).then(weight.total_cmp(&than))
        };
        (0..self.heads()).max_by(by).unwrap_or(0)
    }

    /// Both together.
    pub fn joined(&self, other: &Self) -> Self {
        let sums = self.sums.iter().zip(&other.sums);
        Self {
            sums: sums.map(|(a, b)| [0, 1, 2].map(|at| a[at] + b[at])).collect(),
            count: self.count + other.count,
        }
    }

    fn none(looks: &[&Looks]) -> Self {
        Self {
            sums: vec![[0.; 3]; looks.first().map_or(0, |look| look.maps.len())],
            count: 0,
        }
    }

    /// One token or pair more: for each head its score, what that is to be compared with, and the weight behind it.
    fn add(&mut self, score: impl Fn(usize) -> [f64; 3]) {
        self.count += 1;
        for (head, sum) in self.sums.iter_mut().enumerate() {
            let more = score(head);
            *sum = [0, 1, 2].map(|at| sum[at] + more[at]);
        }
    }
}

/// The scores of all heads for `kind` on the sentences `on`; what must be learned first is learned from `from`.
pub fn tally(kind: Kind, from: &[&Looks], on: &[&Looks]) -> Tally {
    match kind {
        Kind::Position => positions(from, on),
        Kind::From(_) | Kind::To(_) => words(kind, on),
        _ => weights(kind, on),
    }
}

// ANCHOR: weights
/// The mean weight that tokens give to those that `kind` names; beside it, what they would give to them by looking at
/// all alike.
fn weights(kind: Kind, on: &[&Looks]) -> Tally {
    let mut tally = Tally::none(on);
    for look in on {
        for query in look.inner() {
            let keys = keys(kind, look, query);
            if !keys.is_empty() {
                let alike = keys.len() as f64 / look.tokens.len() as f64;
                tally.add(|head| {
                    let weight =
                        keys.iter().map(|&key| look.maps[head].at(query, key)).sum();
                    [weight, alike, weight]
                });
            }
        }
    }
    tally
}
// ANCHOR_END: weights

/// The tokens that `query` looks at in a map of this kind.
fn keys(kind: Kind, look: &Looks, query: usize) -> Vec<usize> {
    let inner = look.inner();
    let alike = |&key: &usize| key != query && look.tokens[key] == look.tokens[query];
    match kind {
        Kind::Previous => {
            Some(query - 1).filter(|key| inner.contains(key)).into_iter().collect()
        }
        Kind::Next => {
            Some(query + 1).filter(|key| inner.contains(key)).into_iter().collect()
        }
        Kind::Itself => vec![query],
        Kind::Alike => inner.filter(alike).collect(),
        Kind::First => vec![0],
        Kind::Separator => vec![look.tokens.len() - 1],
        Kind::Stop => inner.filter(|&key| look.tokens[key] == ".").collect(),
        Kind::Position | Kind::From(_) | Kind::To(_) => Vec::new(),
    }
}

/// The share of labelled pairs in which the first word looks most at the second, among all words but itself; beside it,
/// the share that has the most frequent distance.
fn words(kind: Kind, on: &[&Looks]) -> Tally {
    let pairs: Vec<(&Looks, usize, usize)> = on
        .iter()
        .flat_map(|look| labelled(kind, look).map(move |(from, to)| (*look, from, to)))
        .collect();
    let mut distances: HashMap<isize, usize> = HashMap::new();
    for (_, from, to) in &pairs {
        *distances.entry(*to as isize - *from as isize).or_default() += 1;
    }
    let most = distances.values().max().copied().unwrap_or(0);
    let baseline = most as f64 / pairs.len().max(1) as f64;
    let mut tally = Tally::none(on);
    for (look, from, to) in pairs {
        tally.add(|head| {
            let row = look.word_maps[head].row(from);
            let others = (0..row.len()).filter(|&word| word != from);
            let most = others.max_by(|&a, &b| row[a].total_cmp(&row[b]));
            [f64::from(u8::from(most == Some(to))), baseline, row[to]]
        });
    }
    tally
}

/// The pairs of words that `kind` is about, who looks first.
fn labelled(kind: Kind, look: &Looks) -> impl Iterator<Item = (usize, usize)> {
    look.pairs.iter().filter_map(move |&(relation, from, to)| match kind {
        Kind::From(of) if of == relation => Some((from, to)),
        Kind::To(of) if of == relation => Some((to, from)),
        _ => None,
    })
}

/// How far a guess made of distances alone overlaps with each map, `[CLS]` and `[SEP]` left out: Σ min(weight, guess)
/// over the keys, the mean over tokens; beside it, the overlap of looking at all alike.
///
/// The guess is the mean weight at each distance in the sentences `from`.
fn positions(from: &[&Looks], on: &[&Looks]) -> Tally {
    let mut tally = Tally::none(on);
    let heads = 0..tally.heads();
    let by_distance: Vec<_> = heads.map(|head| mean_by_distance(head, from)).collect();
    for look in on {
        for query in look.inner() {
            let alike = 1. / look.inner().len() as f64;
            tally.add(|head| {
                let weights = inner_row(look, head, query);
                let at = |key| {
                    by_distance[head].get(&distance(query, key)).copied().unwrap_or(0.)
                };
                let guess = normal(look.inner().map(at).collect());
                let overlap = weights.iter().zip(&guess).map(|(w, g)| w.min(*g)).sum();
                [overlap, weights.iter().map(|w| w.min(alike)).sum(), overlap]
            });
        }
    }
    tally
}

fn distance(query: usize, key: usize) -> isize {
    key as isize - query as isize
}

/// The weights of one token over those between `[CLS]` and `[SEP]`, brought to the sum 1.
fn inner_row(look: &Looks, head: usize, query: usize) -> Vec<f64> {
    normal(look.maps[head].row(query)[look.inner()].to_vec())
}

fn normal(mut weights: Vec<f64>) -> Vec<f64> {
    let sum: f64 = weights.iter().sum();
    if sum > 0. {
        weights.iter_mut().for_each(|weight| *weight /= sum);
    }
    weights
}

fn mean_by_distance(head: usize, from: &[&Looks]) -> HashMap<isize, f64> {
    let mut sums: HashMap<isize, (f64, f64)> = HashMap::new();
    for look in from {
        for query in look.inner() {
            for (key, weight) in look.inner().zip(inner_row(look, head, query)) {
                let sum = sums.entry(distance(query, key)).or_default();
                *sum = (sum.0 + weight, sum.1 + 1.);
            }
        }
    }
    sums.into_iter().map(|(distance, (sum, count))| (distance, sum / count)).collect()
}
