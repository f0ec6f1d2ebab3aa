//! How a step is taken: the schedule and Adam.

use candle_core::{Device, Result, Tensor, Var};
use transformer::{
    adam::{Adam, AdamSettings, Named},
    schedule::Schedule,
    solution::learning_rate,
};

#[test]
fn the_rate_rises_to_its_peak_and_falls_to_nothing() {
    let schedule = Schedule::Linear { peak: 0.8, warmup: 4, steps: 11 };
    let rates: Vec<_> = [1, 2, 4, 8, 11, 12].map(|step| schedule.rate(step)).to_vec();
    for (rate, expected) in rates.iter().zip([0.2, 0.4, 0.8, 0.4, 0.1, 0.]) {
        assert!((rate - expected).abs() < 1e-12, "{rates:?}");
    }
    assert_eq!(
        Schedule::Paper { d_model: 64, warmup: 10 }.rate(7),
        learning_rate(7, 64, 10)
    );
}

/// Expected: `torch.optim.Adam([w], betas=…, eps=…)` of PyTorch 2.15.0, `lr` set before each of three steps.
#[test]
fn adam_equals_pytorchs() -> Result<()> {
    let gradients =
        [[0.1f32, -2., 0., 1e-3], [-0.3, 1.5, 0.2, 1e-3], [0.05, 0., -4., 2e-3]];
    let expected = [
        (
            AdamSettings::PAPER,
            [
                [0.4f32, -0.9, 2., -0.0999999],
                [0.4246151, -0.8955277, 1.9629704, -0.1499998],
                [0.4801569, -0.8816323, 2.0836782, -0.3426324],
            ],
        ),
        (
            AdamSettings::PYTORCH,
            [
                [0.4, -0.9, 2., -0.099999],
                [0.4247095, -0.8955338, 1.9627931, -0.1499985],
                [0.4802091, -0.8817241, 2.0846543, -0.343555],
            ],
        ),
    ];
    for (settings, expected) in expected {
        let var = Var::new(&[[0.5f32, -1.], [2., 0.]], &Device::Cpu)?;
        let mut adam = Adam::new(vec![("w".into(), var.clone())], settings)?;
        for ((gradient, rate), expected) in
            gradients.iter().zip([0.1, 0.05, 0.2]).zip(expected)
        {
            let gradient = Tensor::new(gradient, &Device::Cpu)?.reshape((2, 2))?;
            adam.step(rate, &Named::from([("w".into(), gradient)]))?;
            for (got, expected) in
                var.flatten_all()?.to_vec1::<f32>()?.iter().zip(expected)
            {
                assert!((got - expected).abs() < 1e-6, "{var}");
            }
        }
    }
    Ok(())
}

#[test]
fn adam_takes_a_transposed_gradient() -> Result<()> {
    let gradient = Tensor::new(&[[1f32, 2.], [3., 4.]], &Device::Cpu)?;
    let moments = |gradient: Tensor| -> Result<Vec<f32>> {
        let vars =
            vec![("w".into(), Var::zeros((2, 2), gradient.dtype(), &Device::Cpu)?)];
        let mut adam = Adam::new(vars, AdamSettings::PAPER)?;
        adam.step(0.1, &Named::from([("w".into(), gradient)]))?;
        Ok(adam.moments()["w"].first.clone())
    };
    assert_eq!(moments(gradient.t()?)?, moments(gradient.t()?.contiguous()?)?);
    Ok(())
}

#[test]
fn adam_names_a_variable_without_a_gradient_and_moves_none() -> Result<()> {
    let vars: Vec<(String, Var)> = ["a", "b"]
        .iter()
        .map(|name| Ok((name.to_string(), Var::new(&[1f32], &Device::Cpu)?)))
        .collect::<Result<_>>()?;
    let mut adam = Adam::new(vars.clone(), AdamSettings::PAPER)?;
    let gradient = Tensor::new(&[1f32], &Device::Cpu)?;
    let told =
        adam.step(0.1, &Named::from([("a".into(), gradient)])).unwrap_err().to_string();
    assert!(told.contains("b: no gradient"), "{told}");
    assert_eq!(vars[0].1.to_vec1::<f32>()?, [1.]);
    assert_eq!(adam.steps(), 0);
    Ok(())
}
