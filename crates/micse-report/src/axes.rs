//! Methods at the points of a sweep's axes, by their names: `micse ami.weight=0.01 steps=400` is `micse` at two values.

/// The method's name without its point on the axes.
pub(crate) fn base(name: &str) -> &str {
    name.split(' ').next().unwrap_or_default()
}

/// Its values on the axes.
fn values(name: &str) -> impl Iterator<Item = &str> {
    name.split(' ').skip(1)
}

/// The method `base` among `names` that shares all its values on the axes with `name`, and most of them. An axis does
/// not apply to every method, so the other may have fewer values.
pub(crate) fn counterpart<'a>(
    names: impl Iterator<Item = &'a str>,
    base: &str,
    name: &str,
) -> Option<&'a str> {
    let shares_all = |other: &&str| values(other).all(|value| values(name).any(|own| own == value));
    names
        .filter(|other| self::base(other) == base)
        .filter(shares_all)
        .max_by_key(|other| values(other).count())
}

/// The row of `reference` that `name` is compared with. A reference that is a row itself is that row for every method;
/// a method that only has rows at points of the axes is its [`counterpart`].
pub(crate) fn reference_row<'a>(
    names: impl Iterator<Item = &'a str> + Clone,
    reference: &str,
    name: &str,
) -> Option<&'a str> {
    names.clone().find(|row| *row == reference).or_else(|| counterpart(names, reference, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counterpart_has_no_other_values() {
        let names =
            ["simcse", "simcse lr=1e-5", "simcse lr=3e-5", "micse lr=1e-5 ami.weight=1", "ct lr=1e-5"];
        let of = |base, name| counterpart(names.into_iter(), base, name);
        assert_eq!(of("simcse", "micse ami.weight=1 lr=3e-5"), Some("simcse lr=3e-5"));
        assert_eq!(of("simcse", "micse ami.weight=1"), Some("simcse"));
        assert_eq!(of("simcse", "micse"), Some("simcse"));
        assert_eq!(of("ct", "ami-ct lr=3e-5"), None);
        let row = |reference, name| reference_row(names.into_iter(), reference, name);
        assert_eq!(row("simcse", "micse lr=1e-5 ami.weight=1"), Some("simcse"));
        assert_eq!(row("ct", "micse lr=1e-5 ami.weight=1"), Some("ct lr=1e-5"));
        assert_eq!(row("ct", "micse lr=3e-5"), None);
        assert_eq!(base("micse lr=1e-5 ami.weight=1"), "micse");
    }
}
