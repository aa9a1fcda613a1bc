//! The schedule of a momentum copy's decay.

/// The decay at `step` of `steps`: `1 - (1 - base) (cos(pi step / steps) + 1) / 2`. It rises from `base` at step 0
/// to 1 along half a cosine and stays 1 from `steps` on, where the copy no longer changes.
///
/// **Recommended values**: base 0.75 to 0.99; steps equal to the run's steps or somewhat fewer (MoCoSE: 0.75 or
/// 0.85, 15,000).
///
/// **Citation**: Grill et al. 2020 (BYOL); Cao et al. 2022 (MoCoSE).
///
/// ```
/// assert_eq!(micse_losses::cosine_ramp(0.75, 0, 1000), 0.75);
/// assert_eq!(micse_losses::cosine_ramp(0.75, 500, 1000), 0.875);
/// assert_eq!(micse_losses::cosine_ramp(0.75, 1000, 1000), 1.0);
/// ```
pub fn cosine_ramp(base: f64, step: usize, steps: usize) -> f64 {
    if step >= steps {
        return 1.0;
    }
    let progress = step as f64 / steps as f64;
    1.0 - (1.0 - base) * ((std::f64::consts::PI * progress).cos() + 1.0) / 2.0
}
