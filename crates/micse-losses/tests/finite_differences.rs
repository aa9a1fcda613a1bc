//! Gradients against central differences in f64.

mod common;

use candle_core::{Device, Tensor, Var};
use common::{attention, gradient_error, normal};
use micse_losses::{
    AlignmentForm, AmiSampler, InfoNce, InfoNceForm, MiForm, Pool, Scaling, Selection, Slicing, alignment,
    ami_loss, batch_norm, contrastive_tension, decorrelation, guide_contrast, information_minimising,
    jensen_shannon, nt_xent, replaced_tokens, self_contrast,
};
use micse_random::Stream;

const TOLERANCE: f64 = 1e-6;

#[test]
fn infonce_in_all_forms() {
    let (z1, z2, queue) = (normal(1, &[4, 5]), normal(2, &[4, 5]), normal(3, &[3, 5]));
    let mask = Tensor::new(&[[1_u8, 0, 0], [0, 0, 0], [0, 1, 1], [0, 0, 1]], &Device::Cpu).unwrap();
    for form in [InfoNceForm::Standard, InfoNceForm::AsPrinted] {
        let infonce = InfoNce { temperature: 0.4, form };
        let losses: [(&str, &dyn Fn() -> Tensor); 3] = [
            ("in-batch", &|| infonce.loss(&z1, &z2, None).unwrap()),
            ("queue", &|| infonce.loss(&z1, &z2, Some(&queue)).unwrap()),
            ("masked queue", &|| infonce.loss_masked(&z1, &z2, &queue, &mask).unwrap()),
        ];
        for (name, loss) in losses {
            let error = gradient_error(&[&z1, &z2], loss);
            assert!(error < TOLERANCE, "{form:?}, {name}: {error:e}");
        }
    }
}

#[test]
fn no_gradient_reaches_the_queue() {
    let (z, queue) = (normal(1, &[4, 5]), normal(3, &[3, 5]));
    let loss = InfoNce { temperature: 0.05, form: InfoNceForm::Standard }.loss(&z, &z, Some(&queue)).unwrap();
    assert!(loss.backward().unwrap().get(&queue).is_none());
}

fn check_ami(selection: &Selection, shape: &[usize]) {
    let (w1, w2) = (attention(4, shape), attention(5, shape));
    for form in [MiForm::Eq4, MiForm::Algorithm1] {
        let loss = || {
            let (x, y) = (selection.gather(&w1).unwrap(), selection.gather(&w2).unwrap());
            ami_loss(&x, &y, selection, form).unwrap()
        };
        let error = gradient_error(&[&w1, &w2], &loss);
        assert!(error < TOLERANCE, "{form:?}: {error:e}");
    }
}

#[test]
fn ami_with_short_rows() {
    let slices = Slicing::Adjacent { heads: 2, layers: 1 }.slices(&[0, 1], 2).unwrap();
    let sampler = AmiSampler { samples: 12, replacement: false, pool: Pool::All, scaling: Scaling::Mean };
    // The second sentence has 2 maps x 2 x 2 positions, the third 2: fewer than 12.
    let selection = sampler.draw(&slices, &[4, 2, 1], None, &|_| true, Stream::new(1)).unwrap();
    assert_eq!(selection.counts, [12, 12, 8, 8, 2, 2]);
    check_ami(&selection, &[3, 2, 2, 4, 4]);
}

#[test]
fn ami_with_repeats() {
    let slices = Slicing::Adjacent { heads: 1, layers: 2 }.slices(&[0, 1], 2).unwrap();
    let sampler = AmiSampler { samples: 30, replacement: true, pool: Pool::All, scaling: Scaling::Mean };
    let selection = sampler.draw(&slices, &[3, 3], None, &|_| true, Stream::new(2)).unwrap();
    check_ami(&selection, &[2, 2, 2, 3, 3]);
}

#[test]
fn ami_as_released() {
    let slices = Slicing::HeadLayerParity.slices(&[0, 1, 2, 3], 2).unwrap();
    let sampler =
        AmiSampler { samples: 8, replacement: false, pool: Pool::Kept, scaling: Scaling::ValidShareSquared };
    let kept = |p: &micse_losses::Position| !(p.query + p.key + p.layer).is_multiple_of(3);
    let selection = sampler.draw(&slices, &[3, 4], Some(4), &kept, Stream::new(3)).unwrap();
    assert!(selection.weight < 1.0);
    check_ami(&selection, &[2, 4, 2, 4, 4]);
}

/// A name, the variables, and the function of them.
type Differentiable<'a> = (&'a str, &'a [&'a Var], &'a dyn Fn() -> Tensor);

#[test]
fn objectives_of_published_methods() {
    let (a, b, c) = (normal(6, &[6, 5]), normal(7, &[6, 5]), normal(8, &[6, 5]));
    let (rows, logits) = (normal(9, &[4, 5]), normal(10, &[6, 2]));
    let flags = [true, false, false, true, true, false];
    let own = [3, 1, 1, 0, 2, 3];
    let views = || [b.as_tensor().clone(), c.as_tensor().clone()];
    let normalised = |x: &Tensor| batch_norm(x, 0.1).unwrap().mul(&c).unwrap().sum_all().unwrap();
    let losses: [Differentiable; 11] = [
        ("NT-Xent", &[&a, &b], &|| nt_xent(&a, &b, 0.4).unwrap()),
        ("contrastive tension", &[&a, &b], &|| contrastive_tension(&a, &b, &flags).unwrap()),
        ("Jensen-Shannon", &[&a, &rows], &|| jensen_shannon(&a, &rows, &own).unwrap()),
        ("guide", &[&a, &b, &c], &|| guide_contrast(&a, &views(), 0.4).unwrap()),
        ("self-contrast", &[&a, &b], &|| self_contrast(&a, &b, 0.4).unwrap()),
        ("alignment", &[&a, &b], &|| alignment(&a, &b, 0.4, AlignmentForm::Cosine).unwrap()),
        ("alignment cross-entropy", &[&a, &b], &|| {
            alignment(&a, &b, 0.4, AlignmentForm::CrossEntropy).unwrap()
        }),
        ("decorrelation", &[&a, &b], &|| decorrelation(&a, &b, 0.3).unwrap()),
        ("information-minimising", &[&a, &b], &|| information_minimising(&a, &b).unwrap()),
        ("replaced tokens", &[&logits], &|| replaced_tokens(&logits, &flags).unwrap()),
        ("batch normalisation", &[&a], &|| normalised(&a)),
    ];
    for (name, variables, loss) in losses {
        let error = gradient_error(variables, loss);
        println!("{name}: {error:.1e}");
        assert!(error < TOLERANCE, "{name}: {error:e}");
    }
}
