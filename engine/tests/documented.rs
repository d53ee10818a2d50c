//! `docs/strategies.md` states the parameters that the strategies have.

use tickpath_engine::strategy::registry::{REGISTRY, StrategyInfo};

const DOCUMENT: &str = include_str!("../../docs/strategies.md");

/// The table that the registry makes of a strategy's parameters.
fn table(info: &StrategyInfo) -> String {
    let mut table = String::from("| parameter | values | default | meaning |\n|---|---|---|---|\n");
    for parameter in info.parameters {
        table += &format!(
            "| `{}` | {} | {} | {} |\n",
            parameter.name,
            parameter.kind,
            parameter.kind.default_text(),
            parameter.about
        );
    }
    table
}

#[test]
fn parameters_and_their_defaults() {
    for info in &REGISTRY {
        let heading = format!("\n## {}\n", info.name);
        let section = DOCUMENT.split(&heading).nth(1).expect("a section for each strategy");
        let section = section.split("\n## ").next().unwrap_or(section);
        let table = table(info);
        assert!(
            section.contains(&table),
            "the section of `{}` must have:\n{table}",
            info.name
        );
    }
}
