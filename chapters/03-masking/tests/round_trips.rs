//! Conversions undo each other.

use candle_core::{Device, Result, Tensor};
use masking::{
    Convention,
    solution::{from_keep, padding_lengths, padding_mask, to_keep},
};

#[test]
fn every_convention_and_back_is_the_same_mask() -> Result<()> {
    for bits in 0..64u8 {
        let values: Vec<u8> = (0..6).map(|bit| bits >> bit & 1).collect();
        let keep = Tensor::from_vec(values.clone(), (2, 3), &Device::Cpu)?;
        for convention in
            [Convention::OneAttends, Convention::OneHides, Convention::Additive]
        {
            let back = to_keep(&from_keep(&keep, convention)?, convention)?;
            assert_eq!(back.flatten_all()?.to_vec1::<u8>()?, values, "{convention:?}");
        }
    }
    Ok(())
}

#[test]
fn lengths_and_back_are_the_same_lengths() -> Result<()> {
    for lengths in [vec![], vec![0, 3], vec![2, 1, 3]] {
        assert_eq!(
            padding_lengths(&padding_mask(&lengths, 3, &Device::Cpu)?)?,
            lengths
        );
    }
    Ok(())
}
