//! A value for each parameter of a strategy.

use super::{Parameter, ParameterError};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Integer(i64),
    Real(f64),
    Flag(bool),
    Word(&'static str),
    Text(String),
}

/// A value for each parameter of a strategy's table.
///
/// The accessors panic on a name that the table lacks or that has another type: the strategy contradicts its own table then, which the test that builds
/// each strategy from its defaults finds.
#[derive(Clone, Debug)]
pub struct Values {
    strategy: &'static str,
    values: Vec<(&'static str, Value)>,
}

impl Values {
    /// The values of `table`: as given, else the default.
    ///
    /// # Errors
    /// [`ParameterError`] at the first that is unknown, given twice, or has no such value.
    pub fn parse<'a>(
        strategy: &'static str,
        table: &[Parameter],
        given: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Values, ParameterError> {
        let mut values: Vec<Option<Value>> = vec![None; table.len()];
        for (name, text) in given {
            let Some(index) = table.iter().position(|parameter| parameter.name == name) else {
                let known: Vec<_> = table.iter().map(|parameter| parameter.name).collect();
                let (name, known) = (name.to_owned(), known.join(", "));
                return Err(ParameterError::Unknown { strategy, name, known });
            };
            let Parameter { name, kind, .. } = table[index];
            let value = kind.parse(text).ok_or_else(|| ParameterError::Value {
                strategy,
                name,
                value: text.to_owned(),
                range: kind.to_string(),
                default: kind.default_text(),
            })?;
            if values[index].replace(value).is_some() {
                return Err(ParameterError::Twice { strategy, name });
            }
        }
        let defaulted = values.into_iter().zip(table).map(|(value, parameter)| {
            let default = || parameter.kind.parse(&parameter.kind.default_text());
            let value = value.or_else(default).expect("a default lies in its range");
            (parameter.name, value)
        });
        Ok(Values {
            strategy,
            values: defaulted.collect(),
        })
    }

    fn value(&self, name: &str) -> &Value {
        let found = self.values.iter().find(|(known, _)| *known == name);
        &found
            .unwrap_or_else(|| panic!("the table of `{}` has no `{name}`", self.strategy))
            .1
    }

    fn of_type<T>(&self, name: &str, value: Option<T>) -> T {
        value.unwrap_or_else(|| panic!("`{name}` of `{}` has another type", self.strategy))
    }

    /// A whole number, or the mantissa of an exact one.
    #[must_use]
    pub fn integer(&self, name: &str) -> i64 {
        let Value::Integer(value) = self.value(name) else {
            return self.of_type(name, None);
        };
        *value
    }

    /// A whole number that counts observations.
    #[must_use]
    pub fn period(&self, name: &str) -> usize {
        self.of_type(name, usize::try_from(self.integer(name)).ok())
    }

    /// A real number.
    #[must_use]
    pub fn real(&self, name: &str) -> f64 {
        let Value::Real(value) = self.value(name) else {
            return self.of_type(name, None);
        };
        *value
    }

    /// A flag.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        let Value::Flag(value) = self.value(name) else {
            return self.of_type(name, None);
        };
        *value
    }

    /// A word, or a kind of bar.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        match self.value(name) {
            Value::Word(word) => word,
            Value::Text(text) => text,
            _ => self.of_type(name, None),
        }
    }

    /// The error of values that contradict each other.
    #[must_use]
    pub fn contradiction(&self, what: impl Into<String>) -> ParameterError {
        ParameterError::Contradiction {
            strategy: self.strategy,
            what: what.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ParameterKind;
    use super::*;

    const TABLE: [Parameter; 6] = [
        Parameter {
            name: "n",
            kind: ParameterKind::Integer {
                min: 2,
                max: 9,
                default: 3,
            },
            about: "",
        },
        Parameter {
            name: "x",
            kind: ParameterKind::Real {
                min: 0.0,
                max: 1.0,
                default: 0.25,
            },
            about: "",
        },
        Parameter {
            name: "quantity",
            kind: ParameterKind::Exact {
                min: 1,
                max: 1_000_000_000_000,
                default: 10_000_000,
            },
            about: "",
        },
        Parameter {
            name: "short",
            kind: ParameterKind::Flag { default: false },
            about: "",
        },
        Parameter {
            name: "source",
            kind: ParameterKind::Choice {
                of: &["trade", "mid"],
                default: "trade",
            },
            about: "",
        },
        Parameter {
            name: "bar",
            kind: ParameterKind::Bar { default: "1m" },
            about: "",
        },
    ];

    fn parse(given: &[(&str, &str)]) -> Result<Values, String> {
        Values::parse("s", &TABLE, given.iter().copied()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_given_is_the_default() {
        let values = parse(&[("n", "9"), ("bar", "100t")]).unwrap();
        assert_eq!((values.integer("n"), values.period("n")), (9, 9));
        assert_eq!(values.real("x"), 0.25);
        assert_eq!(values.integer("quantity"), 10_000_000);
        assert!(!values.flag("short"));
        assert_eq!((values.text("source"), values.text("bar")), ("trade", "100t"));
    }

    #[test]
    fn what_is_wrong_is_named_with_what_would_be_right() {
        for (given, message) in [
            (
                ("m", "1"),
                "strategy `s` has no parameter `m`: it has n, x, quantity, short, source, bar",
            ),
            (
                ("n", "1"),
                "`1` is no value for parameter `n` of strategy `s`: 2 to 9 (default 3)",
            ),
            (
                ("x", "NaN"),
                "`NaN` is no value for parameter `x` of strategy `s`: 0 to 1, real (default 0.25)",
            ),
            (
                ("quantity", "0"),
                "`0` is no value for parameter `quantity` of strategy `s`: 0.000000001 to 1000, exact (default 0.01)",
            ),
            (
                ("short", "yes"),
                "`yes` is no value for parameter `short` of strategy `s`: true or false (default false)",
            ),
            (
                ("source", ""),
                "`` is no value for parameter `source` of strategy `s`: trade or mid (default trade)",
            ),
            (
                ("bar", "1w"),
                "`1w` is no value for parameter `bar` of strategy `s`: time (`1m`), ticks (`100t`) or volume (`2.5v`) (default 1m)",
            ),
        ] {
            assert_eq!(parse(&[given]).unwrap_err(), message);
        }
        let twice = parse(&[("n", "3"), ("n", "3")]).unwrap_err();
        assert_eq!(twice, "parameter `n` of strategy `s` is given twice");
    }

    #[test]
    #[should_panic(expected = "the table of `s` has no `z`")]
    fn a_strategy_that_asks_for_what_its_table_lacks_is_found_out() {
        let value = parse(&[]).unwrap().real("z");
        panic!("{value}");
    }
}
