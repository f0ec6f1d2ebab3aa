//! Weights and slopes of a tile: a group of queries and a panel of keys, on the way back.

use crate::kernel::data::real::Real;
use crate::kernel::data::rows::Rows;
use crate::kernel::instructions::lanes::Lanes;
use crate::kernel::tile::product::{Left, product};
use crate::kernel::tile::shape::{Edit, ROWS, Scores, WIDEST};
use crate::kernel::tile::sized::{each_row, sized};

/// A group of queries and a panel of keys.
pub(super) struct Step<'a, T> {
    /// Queries, 1 ..= [`ROWS`].
    pub(super) rows: usize,
    /// Keys, 1 ..= [`KEYS`](crate::kernel::tile::shape::KEYS).
    pub(super) keys: usize,
    /// `(rows, dim)`
    pub(super) queries: Rows<'a, T>,
    /// dO, `(rows, dim_v)`
    pub(super) grads: Rows<'a, T>,
    /// Kᵀ, `(dim, KEYS)`
    pub(super) keys_panel: &'a [T],
    /// Vᵀ, `(dim_v, KEYS)`
    pub(super) values_panel: &'a [T],
    pub(super) dim: usize,
    pub(super) dim_v: usize,
    /// What Q·Kᵀ is multiplied by before the edit, and so that scores are in log2 units after it.
    pub(super) factor: T,
    /// What dO·Vᵀ is multiplied by.
    pub(super) scale: T,
    /// Log-sum-exp of each query in log2 units; +∞, and so weights of 0, where a query has nothing to see.
    pub(super) lse: [T; ROWS],
    /// rowsum(dO∘O) · scale of each query.
    pub(super) delta: [T; ROWS],
}

impl<T: Real> Step<'_, T> {
    /// The columns of the tile that are computed.
    pub(super) fn columns(&self) -> usize {
        self.keys.next_multiple_of(WIDEST)
    }

    /// `weights` = P = 2^(factor · Q·Kᵀ − lse), with the scores changed by `edit` before; `slopes` =
    /// P∘(scale · dO·Vᵀ − delta). Columns after the keys are 0 in both; the edit makes those of the last [`WIDEST`] of the
    /// keys −∞. Rows after the queries are left anyhow.
    pub(super) fn slopes<L: Lanes<Number = T>>(
        &self,
        lanes: L,
        edit: Option<Edit<T>>,
        weights: &mut Scores<T>,
        slopes: &mut Scores<T>,
    ) {
        let vectors = (self.columns() / L::WIDTH).min(L::VECTORS);
        sized!(lanes: L, R = self.rows, C = vectors => {
            self.differentiate::<L, R, C>(lanes, edit, weights, slopes)
        });
    }

    /// `R` queries, and keys in parts of `C` vectors.
    #[inline(always)]
    fn differentiate<L: Lanes<Number = T>, const R: usize, const C: usize>(
        &self,
        lanes: L,
        edit: Option<Edit<T>>,
        weights: &mut Scores<T>,
        slopes: &mut Scores<T>,
    ) {
        let (queries, grads) = (Left::rows(self.queries), Left::rows(self.grads));
        let parts = || (0..self.columns()).step_by(C * L::WIDTH);
        for column in parts() {
            let mut tile = product::<L, R, C>(lanes, queries, (self.keys_panel, column), self.dim);
            match edit {
                None => self.soften(lanes, &mut tile, self.factor),
                Some(_) => {
                    let factor = lanes.splat(self.factor);
                    each_row!(R, row, {
                        tile[row].iter_mut().for_each(|lane| *lane = lanes.mul(*lane, factor));
                    });
                }
            }
            weights.put(lanes, column, &tile);
        }
        if let Some(edit) = edit {
            edit(weights);
            for column in parts() {
                let mut tile = weights.get::<L, R, C>(lanes, column);
                self.soften(lanes, &mut tile, T::from_f64(1.));
                weights.put(lanes, column, &tile);
            }
        }
        let scale = lanes.splat(self.scale);
        for column in parts() {
            let panel = (self.values_panel, column);
            let mut tile = product::<L, R, C>(lanes, grads, panel, self.dim_v);
            each_row!(R, row, {
                let delta = lanes.splat(self.delta[row]);
                let weights = &lanes.vectors(&mut weights.0[row])[column / L::WIDTH..];
                for (lane, weight) in tile[row].iter_mut().zip(weights) {
                    *lane = lanes.mul(*weight, lanes.mul_sub(*lane, scale, delta));
                }
            });
            slopes.put(lanes, column, &tile);
        }
        for row in weights.0[..R].iter_mut().chain(&mut slopes.0[..R]) {
            row[self.columns()..].fill(T::ZERO);
        }
    }

    /// Scores become weights, once they are multiplied by `factor`.
    #[inline(always)]
    fn soften<L: Lanes<Number = T>, const R: usize, const C: usize>(
        &self,
        lanes: L,
        tile: &mut [[L::Vector; C]; R],
        factor: T,
    ) {
        let (factor, zero) = (lanes.splat(factor), lanes.splat(T::ZERO));
        each_row!(R, row, {
            let lse = lanes.splat(self.lse[row]);
            for lane in &mut tile[row] {
                // A weight is 1 at most; of NaN and a number, `min` gives the second.
                *lane = lanes.exp2(lanes.min(zero, lanes.mul_sub(*lane, factor, lse)));
            }
        });
    }
}
