//! Holds the code to the import table in `src/ARCHITECTURE.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const PAGE: &str = include_str!("../../src/ARCHITECTURE.md");

/// What each module may import, from the table.
fn table() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    PAGE.lines()
        .skip_while(|line| !line.starts_with("| module | may import |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
            let may = cells[1]
                .split(',')
                .map(|name| name.trim().trim_matches('`'));
            (cells[0], may.filter(|name| !name.is_empty()).collect())
        })
        .collect()
}

/// Every source file with its text, by its path below `src`.
fn sources() -> BTreeMap<String, String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    maitred::ops::files::read_tree(&src)
        .unwrap()
        .into_iter()
        .filter(|(path, _)| path.ends_with(".rs"))
        .map(|(path, text)| (path, String::from_utf8(text).unwrap()))
        .collect()
}

/// The part of a file that is not its tests: those may set up what they need.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap()
}

/// The paths behind every `crate::` in `text`: `crate::domain::{ids::A, text}` gives two.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (place, _) in text.match_indices("crate::") {
        let line_start = text[..place].rfind('\n').map_or(0, |at| at + 1);
        if text[line_start..place].trim_start().starts_with("//") {
            continue;
        }
        let rest = &text[place + "crate::".len()..];
        expand("", rest, &mut found);
    }
    found
}

/// Adds the path that `rest` begins with, or each of a group's.
fn expand(above: &str, rest: &str, found: &mut Vec<String>) {
    let path: String = rest
        .chars()
        .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | ':'))
        .collect();
    let full = format!("{above}{path}");
    match rest[path.len()..].strip_prefix('{') {
        Some(group) if path.is_empty() || path.ends_with("::") => {
            let (mut depth, mut start) = (0_usize, 0);
            for (at, c) in group.char_indices() {
                match c {
                    '{' => depth += 1,
                    ',' if depth == 0 => {
                        expand(&full, group[start..at].trim_start(), found);
                        start = at + 1;
                    }
                    '}' if depth == 0 => {
                        expand(&full, group[start..at].trim_start(), found);
                        return;
                    }
                    '}' => depth -= 1,
                    _ => {}
                }
            }
        }
        _ if full.is_empty() => {}
        _ => found.push(full.trim_end_matches(':').to_owned()),
    }
}

#[test]
fn nobody_imports_what_the_table_does_not_allow() {
    let table = table();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let module = path.split(['/', '.']).next().unwrap();
        let Some(may) = table.get(module) else {
            assert!(
                matches!(module, "lib" | "main"),
                "{path} is in no row of the table"
            );
            continue;
        };
        let is_test_file =
            path.ends_with("tests.rs") || path.contains("/tests/") || path.ends_with("testing.rs");
        for import in imports(without_tests(&text)) {
            let top = import.split("::").next().unwrap();
            // A macro or a name of the crate's root is nobody's module.
            if top == module || !table.contains_key(top) || is_test_file {
                continue;
            }
            let allowed = may
                .iter()
                .any(|allowed| import == *allowed || import.starts_with(&format!("{allowed}::")));
            if !allowed {
                wrong.push(format!("{path}: crate::{import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "against the table:\n{}", wrong.join("\n"));
}

#[test]
fn every_folder_of_src_is_in_the_table_and_every_row_is_a_folder() {
    let folders: BTreeSet<_> = sources()
        .keys()
        .filter_map(|path| path.split_once('/').map(|(folder, _)| folder.to_owned()))
        .collect();
    let rows: BTreeSet<_> = table().keys().map(|row| (*row).to_owned()).collect();
    assert_eq!(folders, rows);
}

#[test]
fn sled_sql_clocks_the_environment_and_programs_have_one_home_each() {
    for (path, text) in sources() {
        // The database of a test.
        if path == "hq/db/scratch.rs" {
            continue;
        }
        let homes = [
            ("sled::", "journal/"),
            ("rusqlite", "hq/db/"),
            ("tokio_postgres", "hq/db/"),
            ("std::env::vars", "config/"),
            ("SystemTime", "ops/"),
            ("process::Command", "admission/"),
        ];
        for (word, home) in homes {
            let uses = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .any(|line| line.contains(word));
            assert!(!uses || path.starts_with(home), "{path} uses {word}");
        }
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for (path, text) in sources() {
        let header = ["//! ", "#![doc = include_str!"];
        assert!(
            header.iter().any(|begins| text.starts_with(begins)),
            "{path} has no header"
        );
    }
}

#[test]
fn groups_of_imports_are_read_to_the_last() {
    let text = "use crate::{config, wire::link::{Hello, Serves}};\n// crate::hq\nlet x = crate::ops::tasks::Tasks::new();";
    assert_eq!(
        imports(text),
        [
            "config",
            "wire::link::Hello",
            "wire::link::Serves",
            "ops::tasks::Tasks::new"
        ]
    );
}
