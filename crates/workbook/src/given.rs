//! What a chapter's exercises may build on: helpers of this workspace, with their signatures and what they do.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use proc_macro2::TokenTree;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, ImplItem, Item, Lit, Meta, Type, UseTree, Visibility};

use crate::text;

/// A helper that is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// As code in scope calls it: `scores(query: &Tensor, key: &Tensor) -> Result<Tensor>`, `enum Align { … }`.
    pub signature: String,
    /// The first sentence of its documentation.
    pub says: String,
    /// Where it comes from, unless from the chapter itself: `week 1`, or a crate.
    pub from: Option<String>,
    /// The signatures of a type's public functions.
    pub methods: Vec<String>,
}

impl Given {
    /// As an item of a Markdown list.
    pub fn markdown(&self) -> String {
        let from = self.from.as_ref().map_or(String::new(), |from| format!(" ({from})"));
        let methods = match self.methods.as_slice() {
            [] => String::new(),
            methods => format!(" Methods: `{}`.", methods.join("`, `")),
        };
        format!("- `{}`{from}: {}{methods}", self.signature, self.says)
    }
}

/// What a line in a solution begins with that names helpers which no `use` shows.
pub(crate) const MARK: &str = "// GIVEN:";

/// The helpers that `source`, the solution in `dir`, a chapter's folder, brings into scope by `use`, or names behind
/// `// GIVEN:`, as far as they are this workspace's. `file` is named in errors.
pub(crate) fn given(source: &str, file: &str, dir: &Path) -> Result<Vec<Given>> {
    let ast = text::rust(source, file)?;
    let mut paths = Vec::new();
    for item in &ast.items {
        if let Item::Use(item) = item {
            leaves(&item.tree, &mut Vec::new(), &mut paths);
        }
    }
    let mut named: Vec<(Vec<String>, String)> =
        paths.into_iter().map(|path| (path.full, path.name)).collect();
    for list in source.lines().filter_map(|line| line.trim().strip_prefix(MARK)) {
        for path in list.split(',').map(str::trim).filter(|path| !path.is_empty()) {
            named.push((path.split("::").map(str::to_owned).collect(), path.to_owned()));
        }
    }
    let houses = Houses::of(dir);
    let own = ["crate", "solution"].map(str::to_owned);
    let mut all = Vec::new();
    // The solution's own parts are given to nobody: the stub says so.
    for (path, name) in named.into_iter().filter(|(path, _)| !path.starts_with(&own)) {
        let (Some((house, from)), true) = (houses.called(&path[0], dir), path.len() > 1) else {
            continue;
        };
        let found = Place::root(&house)
            .and_then(|root| root.find(&path[1..], &name, &houses))
            .with_context(|| format!("{file}: `{}` is given", path.join("::")))?;
        all.extend(found.map(|found| Given { from, ..found }));
    }
    Ok(all)
}

/// A path of a `use`, and the name that it brings into scope.
struct Leaf {
    full: Vec<String>,
    name: String,
}

fn leaves(tree: &UseTree, path: &mut Vec<String>, all: &mut Vec<Leaf>) {
    let mut add = |name: String, shown: String| {
        let full = if name == "self" { path.clone() } else { [&path[..], &[name]].concat() };
        let shown = if shown == "self" { full.last().cloned().unwrap_or_default() } else { shown };
        all.push(Leaf { full, name: shown });
    };
    match tree {
        UseTree::Name(name) => add(name.ident.to_string(), name.ident.to_string()),
        UseTree::Rename(name) => add(name.ident.to_string(), name.rename.to_string()),
        UseTree::Path(part) => {
            path.push(part.ident.to_string());
            leaves(&part.tree, path, all);
            path.pop();
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, path, all)),
        UseTree::Glob(_) => {}
    }
}

/// The crates of the workspace: their names in code, their folders, and what a reader calls them.
struct Houses(Vec<(String, PathBuf, String)>);

impl Houses {
    /// Those of the workspace that `chapter`, a folder `chapters/03-masking`, is in.
    fn of(chapter: &Path) -> Self {
        let chapters = chapter.parent().unwrap_or(chapter);
        let crates = chapters.with_file_name("crates");
        let mut all = Vec::new();
        for folder in [chapters, crates.as_path()] {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                // A chapter's package is called after its topic: `03-masking`.
                let week = name.split_once('-').and_then(|(week, topic)| {
                    Some((topic.to_owned(), format!("week {}", week.parse::<u32>().ok()?)))
                });
                let (name, called) = week.unwrap_or((name.clone(), format!("crate `{name}`")));
                all.push((name.replace('-', "_"), entry.path(), called));
            }
        }
        Self(all)
    }

    /// The folder of the crate that code in `own` calls `name`, and what a reader calls it unless it is `own` itself.
    fn called(&self, name: &str, own: &Path) -> Option<(PathBuf, Option<String>)> {
        if name == "crate" {
            return Some((own.to_owned(), None));
        }
        let found = self.0.iter().find(|(other, ..)| other == name)?;
        Some((found.1.clone(), Some(found.2.clone())))
    }
}

/// A module: where its crate, its file and its children are, and what it holds.
struct Place {
    house: PathBuf,
    children: PathBuf,
    source: String,
    items: Vec<Item>,
}

impl Place {
    fn root(house: &Path) -> Result<Self> {
        let children = house.join("src");
        Self::read(house, children.join("lib.rs"), children)
    }

    fn read(house: &Path, file: PathBuf, children: PathBuf) -> Result<Self> {
        let source = text::read(&file)?;
        let ast = syn::parse_file(&source).with_context(|| format!("in `{}`", file.display()))?;
        Ok(Self { house: house.to_owned(), children, source, items: ast.items })
    }

    fn child(&self, name: &str) -> Result<Option<Self>> {
        let declared =
            self.items.iter().any(|item| matches!(item, Item::Mod(m) if m.ident == name));
        if !declared {
            return Ok(None);
        }
        let children = self.children.join(name);
        let file = self.children.join(format!("{name}.rs"));
        let file = if file.is_file() { file } else { children.join("mod.rs") };
        Self::read(&self.house, file, children).map(Some)
    }

    /// The item at `path` below this module, `name` in scope; none when it is a module.
    fn find(&self, path: &[String], name: &str, houses: &Houses) -> Result<Option<Given>> {
        let [first, rest @ ..] = path else { return Ok(None) };
        if let Some(child) = self.child(first)? {
            return child.find(rest, name, houses);
        }
        if let Some(found) = self.described(first, rest.first(), name) {
            return Ok(Some(found));
        }
        for item in &self.items {
            let Item::Use(item) = item else { continue };
            let mut exports = Vec::new();
            leaves(&item.tree, &mut Vec::new(), &mut exports);
            if let Some(export) = exports.into_iter().find(|export| export.name == *first) {
                let full = [&export.full[..], rest].concat();
                return match full[0].as_str() {
                    "crate" => Self::root(&self.house)?.find(&full[1..], name, houses),
                    "self" => self.find(&full[1..], name, houses),
                    // A module of one's own comes before a crate of the same name.
                    other if self.child(other)?.is_some() => self.find(&full, name, houses),
                    other => match houses.called(other, &self.house) {
                        Some((house, _)) => Self::root(&house)?.find(&full[1..], name, houses),
                        None => self.find(&full, name, houses),
                    },
                };
            }
        }
        bail!("there is no `{first}` in `{}`", self.children.display())
    }

    fn described(&self, item: &str, method: Option<&String>, name: &str) -> Option<Given> {
        let told = |signature: String, attributes: &[Attribute], methods| {
            Some(Given { signature, says: first_sentence(attributes), from: None, methods })
        };
        if let Some(method) = method {
            let (signature, attributes) = self.methods(item).find(|(signature, _)| {
                signature.split(['(', '<']).next() == Some(method.as_str())
            })?;
            return told(format!("{item}::{signature}"), attributes, vec![]);
        }
        let methods =
            || -> Vec<String> { self.methods(item).map(|(signature, _)| signature).collect() };
        self.items.iter().find_map(|found| match found {
            Item::Fn(function) if function.sig.ident == item => {
                let signature = self.line(&function.sig).replacen(&format!("fn {item}"), name, 1);
                told(signature, &function.attrs, vec![])
            }
            Item::Struct(found) if found.ident == item => {
                let public = |field: &&syn::Field| matches!(field.vis, Visibility::Public(_));
                let fields: Vec<String> = found
                    .fields
                    .iter()
                    .filter(public)
                    .filter_map(|field| {
                        Some(format!("{}: {}", field.ident.as_ref()?, self.line(&field.ty)))
                    })
                    .collect();
                let fields = match fields.as_slice() {
                    [] => String::new(),
                    fields => format!(" {{ {} }}", fields.join(", ")),
                };
                let default =
                    derives(&found.attrs, "Default").then(|| "default() -> Self".to_owned());
                let methods = default.into_iter().chain(methods()).collect();
                told(format!("struct {name}{fields}"), &found.attrs, methods)
            }
            Item::Enum(found) if found.ident == item => {
                let variants: Vec<String> =
                    found.variants.iter().map(|variant| self.variant(variant)).collect();
                let signature = format!("enum {name} {{ {} }}", variants.join(", "));
                told(signature, &found.attrs, methods())
            }
            Item::Const(found) if found.ident == item => {
                let signature =
                    format!("const {name}: {} = {}", self.line(&found.ty), self.line(&found.expr));
                told(signature, &found.attrs, vec![])
            }
            Item::Type(found) if found.ident == item => {
                told(format!("type {name} = {}", self.line(&found.ty)), &found.attrs, vec![])
            }
            Item::Trait(found) if found.ident == item => {
                told(format!("trait {name}"), &found.attrs, vec![])
            }
            _ => None,
        })
    }

    fn variant(&self, variant: &syn::Variant) -> String {
        format!("{}{}", variant.ident, self.line(&variant.fields))
    }

    /// The signatures and attributes of the public functions of the type `name`.
    fn methods<'a>(&'a self, name: &str) -> impl Iterator<Item = (String, &'a [Attribute])> {
        let of = |item: &'a Item| match item {
            Item::Impl(block) if block.trait_.is_none() => match &*block.self_ty {
                Type::Path(path) if path.path.is_ident(name) => Some(block),
                _ => None,
            },
            _ => None,
        };
        let items: Vec<&ImplItem> =
            self.items.iter().filter_map(of).flat_map(|block| &block.items).collect();
        items.into_iter().filter_map(|item| match item {
            ImplItem::Fn(method) if matches!(method.vis, Visibility::Public(_)) => {
                let signature = self.line(&method.sig);
                let (_, signature) = signature.split_once("fn ")?;
                Some((signature.to_owned(), &method.attrs[..]))
            }
            _ => None,
        })
    }

    /// The source of `node` in one line.
    fn line(&self, node: &impl Spanned) -> String {
        let range = node.span().byte_range();
        let code = self.source.trim_start_matches('\u{feff}').get(range).unwrap_or_default();
        let words: Vec<&str> = code.split_whitespace().collect();
        words.join(" ").replace("( ", "(").replace(", )", ")")
    }
}

/// Whether a type with these attributes derives `name`.
fn derives(attributes: &[Attribute], name: &str) -> bool {
    let is_name = |token| matches!(token, TokenTree::Ident(word) if word == name);
    attributes.iter().filter(|attribute| attribute.path().is_ident("derive")).any(|attribute| {
        let list = attribute.meta.require_list();
        list.is_ok_and(|list| list.tokens.clone().into_iter().any(is_name))
    })
}

/// The first sentence of a documentation.
fn first_sentence(attributes: &[Attribute]) -> String {
    let mut text = String::new();
    for attribute in attributes {
        let Meta::NameValue(pair) = &attribute.meta else { continue };
        let (true, Expr::Lit(value)) = (pair.path.is_ident("doc"), &pair.value) else { continue };
        let Lit::Str(line) = &value.lit else { continue };
        let line = line.value();
        if line.trim().is_empty() {
            break;
        }
        text = format!("{text} {}", line.trim());
    }
    let text = text.trim().replace("[`", "`").replace("`]", "`");
    match text.split_once(". ") {
        Some((first, _)) => format!("{first}."),
        None => text,
    }
}

/// `items`, one Markdown list, as module documentation in lines of at most `width` characters.
pub(crate) fn as_docs(items: &[Given], width: usize, newline: &str) -> String {
    let mut docs = String::new();
    for item in items {
        let mut line = String::from("//!");
        for word in item.markdown().split(' ') {
            if line.chars().count() + 1 + word.chars().count() > width {
                docs += &format!("{line}{newline}");
                line = String::from("//!  ");
            }
            line = format!("{line} {word}");
        }
        docs += &format!("{line}{newline}");
    }
    docs
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A workspace in which week 2's `solution.rs` begins with `uses`; what is given then, as Markdown.
    fn listed(uses: &str) -> Result<Vec<String>> {
        let folder = tempfile::tempdir()?;
        for (file, text) in [
            (
                "chapters/01-dot/src/lib.rs",
                "mod matmul;\npub mod solution;\npub use matmul::product;\n",
            ),
            (
                "chapters/01-dot/src/matmul.rs",
                "/// A product.\n///\n/// Of two.\npub fn product(a: f32,\n    b: f32) -> f32 { a * b }\n",
            ),
            (
                "chapters/01-dot/src/solution.rs",
                "/// Scores; see [`product`]. More.\npub fn scores(q: f32) -> f32 { q }\n",
            ),
            ("chapters/02-scale/src/lib.rs", "mod options;\npub mod solution;\n"),
            ("chapters/02-scale/src/options.rs", OPTIONS),
            ("crates/seeded/src/lib.rs", "/// Draws.\npub fn normal(seed: u64) -> u64 { seed }\n"),
        ] {
            let file = folder.path().join(file);
            fs::create_dir_all(file.parent().unwrap())?;
            fs::write(file, text)?;
        }
        let dir = folder.path().join("chapters").join("02-scale");
        Ok(given(uses, "solution.rs", &dir)?.iter().map(Given::markdown).collect())
    }

    const OPTIONS: &str = "\
/// What to do.
#[derive(Clone, Default)]
pub struct Options {
    /// How far.
    pub scale: Option<f64>,
    hidden: u8,
}
impl Options {
    /// With a scale.
    pub fn scale(self, scale: f64) -> Self { self }
    fn own() {}
}
/// Which corner.
pub enum Align { Left, Right(u8) }
/// A floor.
pub const LEAST: f32 = -1.;
";

    #[test]
    fn what_is_imported_is_given_with_its_signature_and_first_sentence() -> Result<()> {
        let list = listed(
            "use candle::Tensor;\nuse crate::options::{Align, LEAST, Options};\nuse dot::{product as times, solution::scores};\n",
        )?;
        assert_eq!(
            list,
            [
                "- `enum Align { Left, Right(u8) }`: Which corner.",
                "- `const LEAST: f32 = -1.`: A floor.",
                "- `struct Options { scale: Option<f64> }`: What to do. Methods: `default() -> Self`, `scale(self, scale: f64) -> Self`.",
                "- `times(a: f32, b: f32) -> f32` (week 1): A product.",
                "- `scores(q: f32) -> f32` (week 1): Scores; see `product`.",
            ]
        );
        Ok(())
    }

    #[test]
    fn what_is_named_is_given_by_its_path() -> Result<()> {
        let list = listed("// GIVEN: seeded::normal, crate::options::Options::scale\n")?;
        assert_eq!(
            list,
            [
                "- `seeded::normal(seed: u64) -> u64` (crate `seeded`): Draws.",
                "- `Options::scale(self, scale: f64) -> Self`: With a scale.",
            ]
        );
        let error = listed("// GIVEN: seeded::uniform\n").unwrap_err();
        assert!(format!("{error:#}").contains("there is no `uniform`"), "{error:#}");
        Ok(())
    }
}
