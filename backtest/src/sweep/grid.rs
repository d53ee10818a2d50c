//! Parameters as they are typed, and every combination of them.

use std::collections::BTreeMap;

/// Combinations of one sweep.
pub const COMBINATIONS_MAX: usize = 10_000;

/// One value for each name, as typed.
pub type Params = BTreeMap<String, String>;

/// Names with the values that are tried, in order of name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grid {
    axes: BTreeMap<String, Vec<String>>,
}

/// What was typed is no parameter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GridError {
    /// It has no equals sign, no name or an empty value.
    #[error("`{0}` is no parameter: write NAME=VALUE, or NAME=VALUE,VALUE,… to try several")]
    Form(String),
    /// It is there twice.
    #[error("parameter `{0}` is given twice: write all values in one, as {0}=5,10,20")]
    Twice(String),
    /// The same value is there twice.
    #[error("parameter `{name}` has the value {value} twice")]
    SameValue {
        /// The parameter.
        name: String,
        /// The value.
        value: String,
    },
    /// There are too many combinations.
    #[error("{0} combinations are too many: a sweep tries up to {COMBINATIONS_MAX}")]
    TooMany(usize),
}

impl Grid {
    /// Of `name=value` and `name=value,value,…`.
    ///
    /// # Errors
    /// As [`GridError`] says.
    pub fn parse<T: AsRef<str>>(typed: &[T]) -> Result<Grid, GridError> {
        let mut axes = BTreeMap::new();
        for text in typed.iter().map(AsRef::as_ref) {
            let form = || GridError::Form(text.to_owned());
            let (name, values) = text.split_once('=').ok_or_else(form)?;
            let values: Vec<String> = values.split(',').map(|value| value.trim().to_owned()).collect();
            let name = name.trim().to_owned();
            if name.is_empty() || values.iter().any(String::is_empty) {
                return Err(form());
            }
            if let Some(at) = (1..values.len()).find(|at| values[..*at].contains(&values[*at])) {
                let value = values[at].clone();
                return Err(GridError::SameValue { name, value });
            }
            if axes.insert(name.clone(), values).is_some() {
                return Err(GridError::Twice(name));
            }
        }
        let grid = Grid { axes };
        let count = grid
            .axes
            .values()
            .try_fold(1_usize, |count, values| count.checked_mul(values.len()));
        match count {
            Some(count) if count <= COMBINATIONS_MAX => Ok(grid),
            count => Err(GridError::TooMany(count.unwrap_or(usize::MAX))),
        }
    }

    /// Whether there is more than one combination.
    #[must_use]
    pub fn is_sweep(&self) -> bool {
        self.axes.values().any(|values| values.len() > 1)
    }

    /// The names of which several values are tried.
    #[must_use]
    pub fn varied(&self) -> Vec<&str> {
        let varied = self.axes.iter().filter(|(_, values)| values.len() > 1);
        varied.map(|(name, _)| name.as_str()).collect()
    }

    /// Every combination, the last name's values changing fastest.
    #[must_use]
    pub fn combinations(&self) -> Vec<Params> {
        let mut all = vec![Params::new()];
        for (name, values) in &self.axes {
            let with = |params: &Params| {
                let params = params.clone();
                values.iter().map(move |value| {
                    let mut params = params.clone();
                    params.insert(name.clone(), value.clone());
                    params
                })
            };
            all = all.iter().flat_map(with).collect();
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_once() {
        let grid = Grid::parse(&["slow=20, 50", "fast=5,10,15", "size=1"]).unwrap();
        assert!(grid.is_sweep());
        assert_eq!(grid.varied(), ["fast", "slow"]);
        let all = grid.combinations();
        assert_eq!(all.len(), 6);
        let texts: Vec<String> = all
            .iter()
            .map(|params| format!("{} {}", params["fast"], params["slow"]))
            .collect();
        assert_eq!(texts, ["5 20", "5 50", "10 20", "10 50", "15 20", "15 50"]);
        assert!(all.iter().all(|params| params["size"] == "1"));
    }

    #[test]
    fn nothing_typed_is_one_combination() {
        let none: [&str; 0] = [];
        let grid = Grid::parse(&none).unwrap();
        assert!(!grid.is_sweep());
        assert_eq!(grid.combinations(), [Params::new()]);
    }

    #[test]
    fn what_is_no_grid_is_refused() {
        for text in ["fast", "=5", "fast=", "fast=5,,6"] {
            assert_eq!(Grid::parse(&[text]), Err(GridError::Form(text.into())));
        }
        assert_eq!(Grid::parse(&["a=1", "a=2"]), Err(GridError::Twice("a".into())));
        assert!(matches!(Grid::parse(&["a=1,2,1"]), Err(GridError::SameValue { .. })));
        let many = (0..101).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        let error = Grid::parse(&[format!("a={many}"), format!("b={many}")]).unwrap_err();
        assert_eq!(error, GridError::TooMany(10_201));
    }
}
