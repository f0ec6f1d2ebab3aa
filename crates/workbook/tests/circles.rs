//! No two modules of a crate import each other, directly or in a circle: arrows point one way inside a crate, too.
//!
//! A module may name what it holds: that it calls its children, or exports them, is no import. What a child takes from the
//! module that holds it is one, and so is what modules take from each other, wherever they stand.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use workbook::Workspace;

/// Circles that are known and not yet gone: a crate's folder, and the modules of one.
const KNOWN: [(&str, &[&str]); 0] = [];

#[test]
fn no_modules_import_each_other() {
    let here = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap());
    let root = Workspace::find(&here).unwrap().root().to_owned();
    let mut found = Vec::new();
    for folder in ["chapters", "crates", "tools", "."] {
        for house in folders(&root.join(folder)) {
            for target in targets(&house.join("src")) {
                let tree = Tree::read(&target);
                let name = house.strip_prefix(&root).unwrap().display().to_string();
                found.extend(tree.circles().into_iter().map(|circle| (name.clone(), circle)));
            }
        }
    }
    found.retain(|(house, circle)| {
        !KNOWN.iter().any(|(known, modules)| known == house && modules.iter().eq(circle))
    });
    let told: Vec<String> =
        found.iter().map(|(house, circle)| format!("{house}: {}", circle.join(" ↔ "))).collect();
    assert!(told.is_empty(), "modules that import each other:\n{}", told.join("\n"));
}

#[test]
fn a_circle_is_found_and_a_table_of_contents_is_none() {
    let tree = |files: &[(&str, &str)]| {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        Tree::read(&folder.path().join("lib.rs")).circles()
    };
    let none: [Vec<String>; 0] = [];
    let lib = ("lib.rs", "mod a; mod b;\npub use a::One;\npub use b::Two;\n");
    // Through what the root exports, by a path in the code, and in a group.
    let a = ("a.rs", "use crate::{Two, b};\npub struct One(Two);");
    assert_eq!(tree(&[lib, a, ("b.rs", "pub struct Two;")]), none);
    assert_eq!(tree(&[lib, a, ("b.rs", "fn f() { crate::One; }")]), [["a", "b"]]);
    assert_eq!(tree(&[lib, a, ("b.rs", "#[cfg(test)]\nmod t { use crate::One; }")]), none);
    // Three in a circle; a child that uses its sibling through its parent.
    let lib = ("lib.rs", "mod a; mod b; mod c;");
    let c = ("c/mod.rs", "mod d; mod e; pub use d::D; pub use e::E;");
    let d = ("c/d.rs", "use super::E; pub struct D;");
    let b = ("b.rs", "use crate::c::D;");
    let e = ("c/e.rs", "use crate::a; pub struct E;");
    assert_eq!(tree(&[lib, ("a.rs", ""), b, c, d, e]), none);
    assert_eq!(tree(&[lib, ("a.rs", "use crate::b;"), b, c, d, e]), [["a", "b", "c::d", "c::e"]]);
    // A module may call its children, and they may use it, but not each other through it.
    let c = ("c/mod.rs", "mod d; mod e; use d::D; fn f() { e::g() } pub use e::E; struct Own;");
    let e = ("c/e.rs", "use super::Own; pub struct E;");
    assert_eq!(tree(&[lib, ("a.rs", ""), ("b.rs", ""), c, d, e]), none);
    let c = ("c/mod.rs", "mod d; mod e; pub use d::D; pub use e::E;");
    let e = ("c/e.rs", "use super::D; pub struct E;");
    assert_eq!(tree(&[lib, ("a.rs", ""), ("b.rs", ""), c, d, e]), [["c::d", "c::e"]]);
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("Cargo.toml").is_file())
        .collect();
    all.sort();
    all
}

/// The root files of what is built from `src`.
fn targets(src: &Path) -> Vec<PathBuf> {
    let mut all = vec![src.join("lib.rs"), src.join("main.rs")];
    for entry in fs::read_dir(src.join("bin")).into_iter().flatten() {
        let path = entry.unwrap().path();
        all.push(if path.is_dir() { path.join("main.rs") } else { path });
    }
    all.retain(|path| path.is_file());
    all
}

/// A module's name, from the root: empty for the root itself.
type Name = Vec<String>;

/// A crate's modules, a file each; what is inline counts to its file.
#[derive(Default)]
struct Tree {
    modules: BTreeMap<Name, Module>,
}

#[derive(Default)]
struct Module {
    children: BTreeSet<String>,
    /// What other modules see here: names, and the paths that they stand for.
    exports: BTreeMap<String, Vec<String>>,
    /// Every path in the file that may lead into a module.
    paths: Vec<Vec<String>>,
}

impl Tree {
    fn read(root: &Path) -> Self {
        let mut tree = Self::default();
        tree.add(root, root.parent().unwrap(), vec![]);
        tree
    }

    fn add(&mut self, file: &Path, children: &Path, name: Name) {
        let source =
            fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let tokens: TokenStream = source.parse().unwrap_or_else(|_| panic!("{}", file.display()));
        let (mut module, mut files) = (Module::default(), vec![]);
        module.read(tokens, &mut files);
        for (child, path) in files {
            let own = children.join(&child);
            let flat = children.join(format!("{child}.rs"));
            let (file, below) = match path {
                Some(path) => {
                    let file = file.parent().unwrap().join(path);
                    // A `mod.rs` has its children beside it, another file in a folder of its name.
                    let beside = file.file_name().is_some_and(|name| name == "mod.rs");
                    let below =
                        if beside { file.with_file_name("") } else { file.with_extension("") };
                    (file, below)
                }
                None if flat.is_file() => (flat, own),
                None => (own.join("mod.rs"), own),
            };
            module.children.insert(child.clone());
            self.add(&file, &below, [&name[..], &[child]].concat());
        }
        self.modules.insert(name, module);
    }

    /// The module in which what `path`, written in `module`, names is defined.
    fn home(&self, module: &Name, path: &[String], depth: usize) -> Option<Name> {
        let mut at = module.clone();
        let mut rest = path;
        match rest.first()?.as_str() {
            "crate" => (at, rest) = (vec![], &rest[1..]),
            "self" => rest = &rest[1..],
            "super" => {}
            first if self.modules[&at].children.contains(first) => {}
            _ => return None,
        }
        while let Some(first) = rest.first() {
            if first == "super" {
                at.pop()?;
            } else if self.modules[&at].children.contains(first) {
                at.push(first.clone());
            } else if let Some(export) = self.modules[&at].exports.get(first).filter(|_| depth < 9)
            {
                let full = [&export[..], &rest[1..]].concat();
                return self.home(&at, &full, depth + 1).or(Some(at));
            } else {
                break;
            }
            rest = &rest[1..];
        }
        Some(at)
    }

    fn circles(&self) -> Vec<Vec<String>> {
        let arrows: BTreeMap<&Name, BTreeSet<Name>> = self
            .modules
            .iter()
            .map(|(name, module)| {
                let homes = module.paths.iter().filter_map(|path| self.home(name, path, 0));
                // What a module holds begins with its name.
                (name, homes.filter(|home| !home.starts_with(name)).collect())
            })
            .collect();
        let reached = |from: &Name| {
            let (mut seen, mut open) = (BTreeSet::new(), vec![from.clone()]);
            while let Some(name) = open.pop() {
                for next in &arrows[&name] {
                    if seen.insert(next.clone()) {
                        open.push(next.clone());
                    }
                }
            }
            seen
        };
        let reach: BTreeMap<&Name, BTreeSet<Name>> =
            arrows.keys().map(|name| (*name, reached(name))).collect();
        let mut circles = BTreeSet::new();
        for (name, seen) in &reach {
            if seen.contains(*name) {
                let with = seen.iter().filter(|other| reach[other].contains(*name));
                let shown = |name: &Name| match name.is_empty() {
                    true => "(root)".to_owned(),
                    false => name.join("::"),
                };
                circles.insert(with.map(shown).collect::<Vec<String>>());
            }
        }
        circles.into_iter().collect()
    }
}

impl Module {
    /// Notes what stands in `tokens`; `files` gets the modules that have a file, each with its `#[path]`.
    fn read(&mut self, tokens: TokenStream, files: &mut Vec<(String, Option<String>)>) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let (mut at, mut public, mut test, mut path) = (0, false, false, None);
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    let attribute = tokens.get(at + 1).map(ToString::to_string).unwrap_or_default();
                    let plain = attribute.replace(' ', "");
                    test |= plain == "[cfg(test)]" || plain == "[test]";
                    if let Some(text) = plain.strip_prefix("[path=\"") {
                        path = text.strip_suffix("\"]").map(str::to_owned);
                    }
                    at += 2;
                    continue;
                }
                TokenTree::Punct(punct) if punct.as_char() == ';' => {
                    (public, test, path) = (false, false, None)
                }
                TokenTree::Group(group) => {
                    // What only tests import is not imported.
                    if !test {
                        self.read(group.stream(), files);
                    }
                    if group.delimiter() == Delimiter::Brace {
                        (public, test, path) = (false, false, None);
                    }
                }
                TokenTree::Ident(word) => match word.to_string().as_str() {
                    "pub" => public = true,
                    "mod" => {
                        let named = tokens.get(at + 1).map(ToString::to_string).unwrap_or_default();
                        let ends = tokens.get(at + 2).is_some_and(|token| token.to_string() == ";");
                        if ends && !test {
                            files.push((named, path.take()));
                        }
                        at += 1;
                    }
                    "use" => {
                        let mut leaves = vec![];
                        at = leaves_of(&tokens, at + 1, &[], &mut leaves);
                        for (full, name) in leaves.into_iter().filter(|_| !test) {
                            if public && name != "*" {
                                self.exports.insert(name, full.clone());
                            } else {
                                self.paths.push(full);
                            }
                        }
                        continue;
                    }
                    _ => {
                        let mut leaves = vec![];
                        let end = leaves_of(&tokens, at, &[], &mut leaves);
                        // A name alone is a value's, not a module's.
                        let paths = leaves.into_iter().map(|(full, _)| full);
                        self.paths.extend(paths.filter(|full| !test && full.len() > 1));
                        at = end.max(at + 1);
                        continue;
                    }
                },
                TokenTree::Literal(_) | TokenTree::Punct(_) => {}
            }
            at += 1;
        }
    }
}

/// The paths, each with the name that it gets in a `use`, of the tree or the path that begins at `at`; where it ends.
fn leaves_of(
    tokens: &[TokenTree],
    mut at: usize,
    before: &[String],
    leaves: &mut Vec<(Vec<String>, String)>,
) -> usize {
    let is = |at: usize, char| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == char);
    let mut path = before.to_vec();
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(word)) => path.push(word.to_string()),
            Some(TokenTree::Group(group))
                if group.delimiter() == Delimiter::Brace && at > 0 && is(at - 1, ':') =>
            {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let mut from = 0;
                while from < inner.len() {
                    from = leaves_of(&inner, from, &path, leaves) + 1;
                }
                return at + 1;
            }
            Some(TokenTree::Punct(star)) if star.as_char() == '*' => {
                path.push("*".to_owned());
                leaves.push((path, "*".to_owned()));
                return at + 1;
            }
            _ => return at,
        }
        at += 1;
        if is(at, ':') && is(at + 1, ':') {
            at += 2;
            continue;
        }
        let mut name = path.last().cloned().unwrap_or_default();
        if name == "self" && path.len() > 1 {
            path.pop();
            name = path.last().cloned().unwrap_or_default();
        }
        if matches!(tokens.get(at), Some(TokenTree::Ident(word)) if word == "as") {
            name = tokens.get(at + 1).map(ToString::to_string).unwrap_or_default();
            at += 2;
        }
        leaves.push((path, name));
        return at;
    }
}
