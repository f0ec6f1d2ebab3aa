//! Who calls whom in a learner's `exercise.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use anyhow::{Context, Result};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::{ImplItem, Item, Type, UseTree};

use crate::{Chapter, text};

/// The learner's exercises that `exercise` of `chapter` needs: those which its code calls, what these call, and so on,
/// also in the `exercise` modules of other chapters. What is called comes before what calls it; `exercise` itself is not
/// among them. The course's own functions, `solution::…`, are not the learner's and do not count.
///
/// Fails when a chapter's files can't be read, or when an `exercise.rs` is not valid Rust.
pub fn needed(
    chapters: &[Chapter],
    chapter: &Chapter,
    exercise: &str,
) -> Result<Vec<(Chapter, String)>> {
    let mut search =
        Search { chapters, read: BTreeMap::new(), seen: BTreeSet::new(), order: vec![] };
    search.visit(chapter, exercise)?;
    search.order.pop(); // the exercise itself
    Ok(search.order)
}

/// A walk along the calls.
struct Search<'a> {
    chapters: &'a [Chapter],
    read: BTreeMap<String, (Calls, BTreeSet<String>)>,
    seen: BTreeSet<(String, String)>,
    order: Vec<(Chapter, String)>,
}

impl Search<'_> {
    fn visit(&mut self, chapter: &Chapter, name: &str) -> Result<()> {
        if !self.seen.insert((chapter.crate_name.clone(), name.to_owned())) {
            return Ok(());
        }
        if !self.read.contains_key(&chapter.crate_name) {
            let path = chapter.exercise_path();
            let calls = Calls::read(&text::read(&path)?)
                .with_context(|| format!("`{}` is not valid Rust", path.display()))?;
            let exercises = chapter.exercises()?.into_iter().map(|exercise| exercise.name);
            self.read.insert(chapter.crate_name.clone(), (calls, exercises.collect()));
        }
        let (calls, exercises) = &self.read[&chapter.crate_name];
        let is_exercise = exercises.contains(name);
        for Callee { crate_name, name } in calls.of(name) {
            let chapters = self.chapters;
            let other = match &crate_name {
                None => Some(chapter),
                Some(called) => chapters.iter().find(|other| other.crate_name == *called),
            };
            if let Some(other) = other {
                self.visit(other, &name)?;
            }
        }
        if is_exercise {
            self.order.push((chapter.clone(), name.to_owned()));
        }
        Ok(())
    }
}

/// Something that is called: of this file, or of the `exercise` module of another crate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Callee {
    crate_name: Option<String>,
    name: String,
}

/// What each function and type of a file calls.
struct Calls(BTreeMap<String, Vec<Callee>>);

impl Calls {
    fn read(source: &str) -> Result<Self> {
        let ast = syn::parse_file(source)?;
        let mut imports = BTreeMap::new();
        let mut bodies: BTreeMap<String, Vec<Range<usize>>> = BTreeMap::new();
        for item in &ast.items {
            match item {
                Item::Use(item) => import(&item.tree, &mut Vec::new(), &mut imports),
                Item::Fn(function) => {
                    let body = function.span().byte_range();
                    bodies.entry(function.sig.ident.to_string()).or_default().push(body);
                }
                Item::Impl(block) => {
                    let Type::Path(path) = &*block.self_ty else { continue };
                    let Some(name) = path.path.segments.last() else { continue };
                    let methods = block.items.iter().filter_map(|item| match item {
                        ImplItem::Fn(method) => Some(method.span().byte_range()),
                        _ => None,
                    });
                    bodies.entry(name.ident.to_string()).or_default().extend(methods);
                }
                _ => {}
            }
        }
        let own: BTreeSet<String> = bodies.keys().cloned().collect();
        let mut calls = BTreeMap::new();
        for (name, ranges) in bodies {
            let mut paths = Paths::default();
            for range in ranges {
                // Spans count from behind a byte-order mark.
                let code = source.trim_start_matches('\u{feff}').get(range).unwrap_or_default();
                let tokens: TokenStream = code.parse().map_err(|_| anyhow::anyhow!("no tokens"))?;
                paths.walk(tokens);
            }
            let mut callees: Vec<Callee> = Vec::new();
            for path in paths.called() {
                if let Some(callee) = resolved(path, &imports, &own)
                    && (callee.crate_name.is_some() || callee.name != name)
                    && !callees.contains(&callee)
                {
                    callees.push(callee);
                }
            }
            calls.insert(name, callees);
        }
        Ok(Self(calls))
    }

    fn of(&self, name: &str) -> Vec<Callee> {
        self.0.get(name).cloned().unwrap_or_default()
    }
}

/// Notes which path each name of a `use` stands for.
fn import(tree: &UseTree, path: &mut Vec<String>, imports: &mut BTreeMap<String, Vec<String>>) {
    let mut add = |name: &str, shown: String, path: &[String]| {
        let full = if name == "self" { path.to_vec() } else { [path, &[name.to_owned()]].concat() };
        let shown = if shown == "self" { full.last().cloned().unwrap_or_default() } else { shown };
        imports.insert(shown, full);
    };
    match tree {
        UseTree::Path(part) => {
            path.push(part.ident.to_string());
            import(&part.tree, path, imports);
            path.pop();
        }
        UseTree::Name(name) => add(&name.ident.to_string(), name.ident.to_string(), path),
        UseTree::Rename(name) => add(&name.ident.to_string(), name.rename.to_string(), path),
        UseTree::Group(group) => {
            for tree in &group.items {
                import(tree, path, imports);
            }
        }
        _ => {}
    }
}

/// What `path` names, if it is the learner's: something in this file, or in another chapter's `exercise`.
fn resolved(
    path: &[String],
    imports: &BTreeMap<String, Vec<String>>,
    own: &BTreeSet<String>,
) -> Option<Callee> {
    let first = path.first()?;
    let full = match imports.get(first) {
        Some(full) => [full, &path[1..]].concat(),
        None => path.to_vec(),
    };
    let parts: Vec<&str> = full.iter().map(String::as_str).collect();
    let (crate_name, name) = match parts.as_slice() {
        ["crate", "exercise", name, ..] | ["self", name, ..] => (None, *name),
        ["crate" | "super", ..] => return None,
        [other, "exercise", name, ..] => (Some((*other).to_owned()), *name),
        // A type's own function, or a plain one.
        [name, ..] if own.contains(*name) => (None, *name),
        _ => return None,
    };
    (crate_name.is_some() || own.contains(name))
        .then(|| Callee { crate_name, name: name.to_owned() })
}

/// The paths in a function's code, in order.
#[derive(Default)]
struct Paths {
    /// Each path, and whether it is called there and then.
    found: Vec<(Vec<String>, bool)>,
    /// What `let`, `for` and parameters give a name to.
    bound: BTreeSet<String>,
}

impl Paths {
    /// What is called, or handed on as a function: a name that the code gives to a value is neither.
    fn called(&self) -> impl Iterator<Item = &[String]> {
        let counts = |(path, called): &&(Vec<String>, bool)| {
            *called || path.len() > 1 || !self.bound.contains(&path[0])
        };
        self.found.iter().filter(counts).map(|(path, _)| path.as_slice())
    }

    fn walk(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.walk(group.stream()),
                // A method of a value, and the name in a definition, are no paths.
                TokenTree::Punct(dot) if dot.as_char() == '.' => {
                    at += usize::from(matches!(tokens.get(at + 1), Some(TokenTree::Ident(_))));
                }
                TokenTree::Ident(word) => match word.to_string().as_str() {
                    "fn" => at += 1,
                    "let" | "for" => {
                        let end = |token: &TokenTree| match token {
                            TokenTree::Punct(punct) => matches!(punct.as_char(), '=' | ';'),
                            TokenTree::Ident(word) => word == "in",
                            _ => false,
                        };
                        let pattern = tokens[at..].iter().skip(1).take_while(|token| !end(token));
                        let pattern: Vec<&TokenTree> = pattern.collect();
                        pattern.iter().for_each(|token| self.bind(token));
                        at += pattern.len();
                    }
                    _ => at = self.path(&tokens, at),
                },
                _ => {}
            }
            at += 1;
        }
    }

    fn bind(&mut self, token: &TokenTree) {
        match token {
            TokenTree::Ident(word) => {
                self.bound.insert(word.to_string());
            }
            TokenTree::Group(group) => {
                group.stream().into_iter().for_each(|token| self.bind(&token));
            }
            _ => {}
        }
    }

    /// Notes the path that begins at `at`, and returns where it ends.
    fn path(&mut self, tokens: &[TokenTree], mut at: usize) -> usize {
        let is = |at: usize, char| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == char);
        let mut path = Vec::new();
        while let Some(TokenTree::Ident(word)) = tokens.get(at) {
            path.push(word.to_string());
            if !is(at + 1, ':') || !is(at + 2, ':') {
                break;
            }
            at += 3;
        }
        let call = |at: usize| matches!(tokens.get(at), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis);
        if path.len() == 1 && is(at + 1, ':') {
            self.bound.insert(path.remove(0)); // a parameter, or a field
        } else if !path.is_empty() {
            self.found.push((path, call(at + 1)));
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
use crate::{expect::expect, solution::given};
use other::{exercise::{self, far}, solution::near};
pub fn split(x: u32) -> u32 { todo!() }
pub fn repeat() { todo!() }
pub fn drop(delta: u32) { repeat(); delta }
pub fn delta() {}
fn own() { HELP }
pub struct Attention;
/// Like `split()`.
impl Attention {
    pub fn new() -> Self { own() }
    pub fn forward(&self) {
        CALL
    }
}
";

    fn called(name: &str, call: &str, help: &str) -> Vec<String> {
        let source = SOURCE.replace("CALL", call).replace("HELP", help);
        let calls = Calls::read(&source).unwrap().of(name);
        calls
            .into_iter()
            .map(|callee| match callee.crate_name {
                Some(other) => format!("{other}::{}", callee.name),
                None => callee.name,
            })
            .collect()
    }

    #[test]
    fn what_the_learners_code_calls_is_found() {
        assert_eq!(called("Attention", "1", "1"), ["own"]);
        assert_eq!(called("Attention", "split(x)", "1"), ["own", "split"]);
        assert_eq!(called("Attention", "map(drop)", "1"), ["own", "drop"]);
        assert_eq!(called("Attention", "let split = split(x);", "1"), ["own", "split"]);
        assert_eq!(called("own", "1", "vec![split ()]; Attention::new()"), ["split", "Attention"]);
        assert_eq!(called("drop", "1", "1"), ["repeat"]);
        assert_eq!(
            called("own", "1", "far(1) + exercise::farther(1)"),
            ["other::far", "other::farther"]
        );
        assert_eq!(
            called("own", "1", "other::exercise::far(crate::exercise::drop())"),
            ["other::far", "drop"]
        );
    }

    #[test]
    fn what_is_not_the_learners_is_not_counted() {
        for call in [
            "crate::solution::split(x)",
            "given(x) + near(x) + expect(x)",
            "split_heads(x) + my_split(x) // split(x)",
            "x.split(1)",
            "let (split, drop) = x; y(split, drop)",
            "Pair { split: 1 }",
            "\"split(x)\"",
        ] {
            assert_eq!(called("Attention", call, "1"), ["own"], "{call}");
        }
    }
}
