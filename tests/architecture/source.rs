//! The sources as the rules see them: files, the names they mention, what they hold. Tests are
//! left out; everything here is plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Meta, Signature, UseTree, Visibility};

/// All of `src`, or a few lines that break a rule on purpose.
pub(crate) struct Source {
    pub(crate) files: Vec<File>,
}

/// One file without its tests.
pub(crate) struct File {
    /// Below `src`: `core/job.rs`.
    pub(crate) path: String,
    /// The text up to the tests at the bottom.
    pub(crate) product: String,
    /// Where it is in the tree of modules: `["core", "job"]`.
    pub(crate) module: Vec<String>,
    /// Every name that is mentioned, as it would be written without imports.
    pub(crate) mentions: Vec<Mention>,
    /// All words and signs, flat, without what stands in quotes.
    pub(crate) tokens: Vec<Token>,
    pub(crate) functions: Vec<Function>,
    pub(crate) types: Vec<Type>,
    /// Names of traits that others may see.
    pub(crate) traits: Vec<String>,
    /// Names that `type` gives to others, outside of traits and their implementations.
    pub(crate) aliases: Vec<(String, usize)>,
    /// Blocks that implement no trait.
    pub(crate) inherent: Vec<Inherent>,
    /// Of each `impl X for Y` the X.
    pub(crate) implemented: Vec<String>,
    pub(crate) silences: Vec<Silence>,
    /// Lines of constants, which are worked out when the program is built.
    pub(crate) constants: Vec<RangeInclusive<usize>>,
    /// Lines with a `cfg(test)` that is not on `mod tests`.
    pub(crate) tests_elsewhere: Vec<usize>,
    /// `#[path = "…"] mod tests;`: the file that holds them.
    tests_beside: Option<String>,
    /// Names that stand for others: `use` items, by the name they bring.
    imports: BTreeMap<String, Vec<String>>,
    /// Modules declared here.
    children: BTreeSet<String>,
}

/// A name and where it stands.
pub(crate) struct Mention {
    pub(crate) name: Vec<String>,
    pub(crate) line: usize,
    /// A `pub use` of a module below: it shows, it does not lean.
    pub(crate) shown: bool,
}

/// A word or a sign.
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// A function, the lines it takes and what it is given.
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) lines: usize,
    pub(crate) inputs: String,
    /// The type it belongs to, if any.
    pub(crate) of: Option<String>,
    pub(crate) public: bool,
}

/// A struct or an enum.
pub(crate) struct Type {
    pub(crate) name: String,
    pub(crate) line: usize,
    /// What it derives, in one text.
    pub(crate) derives: String,
    /// Whether another file can see a field of it.
    pub(crate) open: bool,
}

/// An `impl` of no trait.
pub(crate) struct Inherent {
    /// Of which type, as it would be written without imports.
    pub(crate) of: Vec<String>,
    /// What it defines.
    pub(crate) functions: BTreeSet<String>,
    /// What it calls as `self.x()` or names as `Self::x`.
    pub(crate) calls: BTreeSet<String>,
}

/// An `allow` or `expect` of lints.
pub(crate) struct Silence {
    pub(crate) line: usize,
    pub(crate) lints: Vec<String>,
    pub(crate) reason: bool,
}

impl Source {
    /// A folder of sources of this project, with at least so many files.
    pub(crate) fn built(folder: &str, least: usize) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut files = Vec::new();
        read(&root, "", &mut files);
        let tests: Vec<String> =
            files.iter().filter_map(|file| file.tests_beside.clone()).collect();
        files.retain(|file: &File| !tests.contains(&file.path));
        files.sort_by(|one: &File, other: &File| one.path.cmp(&other.path));
        assert!(files.len() >= least, "only {} files were found below {folder}", files.len());
        Self { files }
    }

    /// A small one: paths and texts.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(path, text)| File::new(path, text)).collect() }
    }

    /// Which file holds what is meant by `name` (below `crate`), re-exports followed.
    pub(crate) fn file_of(&self, name: &[String]) -> Option<&File> {
        let mut name = name.to_vec();
        for _ in 0..8 {
            let (file, rest) = self.longest_module(&name)?;
            let Some(first) = rest.first() else { return Some(file) };
            match file.imports.get(first) {
                Some(meant) if meant[0] == "crate" && meant[1..] != name => {
                    name = [&meant[1..], &rest[1..]].concat();
                }
                _ => return Some(file),
            }
        }
        None
    }

    fn longest_module<'n>(&self, name: &'n [String]) -> Option<(&File, &'n [String])> {
        (1..=name.len()).rev().find_map(|end| {
            let file = self.files.iter().find(|file| file.module == name[..end])?;
            Some((file, &name[end..]))
        })
    }
}

impl File {
    fn new(path: &str, text: &str) -> Self {
        let mut syntax = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let directory = path.rfind('/').map_or("", |end| &path[..=end]);
        let beside = syntax.items.iter().find_map(|item| match item {
            Item::Mod(module) if is_tests(module) => path_of(module),
            _ => None,
        });
        syntax.items.retain(|item| !matches!(item, Item::Mod(module) if is_tests(module)));
        let end = text.find("\n#[cfg(test)]\n").unwrap_or(text.len());
        let mut visitor = Visitor::default();
        visitor.visit_file(&syntax);
        let mut tokens = Vec::new();
        flatten(syntax.to_token_stream(), &mut tokens);
        let mut file = Self {
            path: path.to_owned(),
            product: text[..end].to_owned(),
            module: module_of(path),
            mentions: Vec::new(),
            tokens,
            functions: visitor.functions,
            types: visitor.types,
            traits: visitor.traits,
            aliases: visitor.aliases,
            inherent: Vec::new(),
            implemented: visitor.implemented,
            silences: visitor.silences,
            constants: visitor.constants,
            tests_elsewhere: visitor.tests_elsewhere,
            tests_beside: beside.map(|name| format!("{directory}{name}")),
            imports: BTreeMap::new(),
            children: visitor.children,
        };
        file.imports = file.read_imports(&visitor.uses);
        file.mentions = file.read_mentions(&syntax, &visitor.uses);
        file.inherent = visitor.inherent;
        for index in 0..file.inherent.len() {
            file.inherent[index].of = file.type_named(&file.inherent[index].of);
        }
        file
    }

    /// The first directory or file name: `core`.
    pub(crate) fn module(&self) -> &str {
        &self.module[0]
    }

    /// `src/core/job.rs:12`
    pub(crate) fn at(&self, line: usize) -> String {
        format!("src/{}:{line}", self.path)
    }

    /// Whether this is the file `place`, or `place` is a folder around it.
    pub(crate) fn is_in(&self, place: &str) -> bool {
        self.path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn read_imports(&self, uses: &[ItemUse]) -> BTreeMap<String, Vec<String>> {
        let mut found = Vec::new();
        uses.iter().for_each(|item| leaves(&item.tree, &mut Vec::new(), &mut found));
        found.into_iter().map(|(alias, name)| (alias, self.absolute(name))).collect()
    }

    fn read_mentions(&self, syntax: &syn::File, uses: &[ItemUse]) -> Vec<Mention> {
        let mut found = Vec::new();
        for item in uses {
            let shown = !matches!(item.vis, Visibility::Inherited);
            let mut names = Vec::new();
            leaves(&item.tree, &mut Vec::new(), &mut names);
            let line = line_of(item.use_token.span);
            found.extend(names.into_iter().map(|(_, name)| (name, line, shown)));
        }
        let mut scanned = Vec::new();
        for item in syntax.items.iter().filter(|item| !matches!(item, Item::Use(_))) {
            scan(item.to_token_stream(), &mut scanned);
        }
        found.extend(scanned.into_iter().map(|(name, line)| (name, line, false)));
        let mentions = found.into_iter().map(|(name, line, shown)| {
            let name = self.absolute(name);
            let below = name.first().is_some_and(|first| first == "crate")
                && name[1..].starts_with(&self.module);
            Mention { name, line, shown: shown && below }
        });
        mentions.collect()
    }

    /// The same for a type, which may stand in this very file.
    fn type_named(&self, name: &[String]) -> Vec<String> {
        let own = |name: &String| self.types.iter().any(|kind| kind.name == *name);
        match name {
            [one] if own(one) => [&["crate".to_owned()], &self.module[..], name].concat(),
            _ => self.absolute(name.to_vec()),
        }
    }

    /// A name as it would be written without imports: from `crate`, or from a foreign crate.
    fn absolute(&self, name: Vec<String>) -> Vec<String> {
        let within = |depth: usize, rest: &[String]| {
            let kept = self.module.len().saturating_sub(depth);
            [&["crate".to_owned()], &self.module[..kept], rest].concat()
        };
        let supers = name.iter().take_while(|part| *part == "super").count();
        match name.first().map(String::as_str) {
            Some("super") => within(supers, &name[supers..]),
            Some("self") => within(0, &name[1..]),
            Some("crate") | None => name,
            Some(first) if self.children.contains(first) => within(0, &name),
            Some(first) => match self.imports.get(first) {
                Some(meant) => [&meant[..], &name[1..]].concat(),
                None => name,
            },
        }
    }
}

fn read(directory: &Path, prefix: &str, files: &mut Vec<File>) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{prefix}{name}");
        if entry.file_type().unwrap().is_dir() {
            read(&entry.path(), &format!("{path}/"), files);
        } else if name.ends_with(".rs") {
            files.push(File::new(&path, &fs::read_to_string(entry.path()).unwrap()));
        }
    }
}

fn module_of(path: &str) -> Vec<String> {
    let path = path.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    path.split('/').map(str::to_owned).collect()
}

/// `#[cfg(test)] mod tests`
fn is_tests(module: &ItemMod) -> bool {
    module.ident == "tests" && module.attrs.iter().any(asks_for_test)
}

/// `#[path = "…"]`
fn path_of(module: &ItemMod) -> Option<String> {
    let path = module.attrs.iter().find(|attribute| attribute.path().is_ident("path"))?;
    match &path.meta.require_name_value().ok()?.value {
        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
        _ => None,
    }
}

/// A `cfg` with `test` in it.
fn asks_for_test(attribute: &Attribute) -> bool {
    let name = attribute.path();
    (name.is_ident("cfg") || name.is_ident("cfg_attr"))
        && words(attribute).iter().any(|w| w == "test")
}

/// The words between an attribute's brackets.
fn words(attribute: &Attribute) -> Vec<String> {
    let mut flat = Vec::new();
    if let Meta::List(list) = &attribute.meta {
        flatten(list.tokens.clone(), &mut flat);
    }
    flat.into_iter().map(|token| token.text).collect()
}

fn line_of(span: Span) -> usize {
    span.start().line
}

fn flatten(stream: TokenStream, flat: &mut Vec<Token>) {
    for tree in stream {
        match tree {
            TokenTree::Group(group) => flatten(group.stream(), flat),
            TokenTree::Literal(_) => {}
            other => flat.push(Token { text: other.to_string(), line: line_of(other.span()) }),
        }
    }
}

/// All `a::b::c` in expressions, types, attributes and macros.
fn scan(stream: TokenStream, found: &mut Vec<(Vec<String>, usize)>) {
    let mut name: Vec<String> = Vec::new();
    let mut line = 0;
    let mut colons = 0;
    let mut after_dot = false;
    for tree in stream {
        match &tree {
            TokenTree::Ident(ident) if colons == 2 && !name.is_empty() => {
                name.push(ident.to_string());
                colons = 0;
                continue;
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => {
                colons += 1;
                continue;
            }
            _ => {}
        }
        if name.len() > 1 {
            found.push((std::mem::take(&mut name), line));
        }
        name.clear();
        colons = 0;
        let was_dot = std::mem::take(&mut after_dot);
        match tree {
            TokenTree::Ident(ident) if !was_dot => {
                line = line_of(ident.span());
                name.push(ident.to_string());
            }
            TokenTree::Group(group) => scan(group.stream(), found),
            TokenTree::Punct(punct) => after_dot = punct.as_char() == '.',
            _ => {}
        }
    }
    if name.len() > 1 {
        found.push((name, line));
    }
}

/// What is called as `self.x()` or named as `Self::x`, also in macros.
fn own_calls(stream: TokenStream, found: &mut BTreeSet<String>) {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    let is = |at: usize, text: &str| trees.get(at).is_some_and(|tree| tree.to_string() == text);
    for (at, tree) in trees.iter().enumerate() {
        if let TokenTree::Group(group) = tree {
            own_calls(group.stream(), found);
            continue;
        }
        let called = match trees.get(at + 3) {
            Some(TokenTree::Group(group)) => group.delimiter() == Delimiter::Parenthesis,
            Some(_) => is(at + 3, ":"),
            None => false,
        };
        let name = match tree.to_string().as_str() {
            "self" if is(at + 1, ".") && called => trees.get(at + 2),
            "Self" if is(at + 1, ":") && is(at + 2, ":") => trees.get(at + 3),
            _ => None,
        };
        if let Some(TokenTree::Ident(name)) = name {
            found.insert(name.to_string());
        }
    }
}

/// The names a `use` brings, and what they stand for.
fn leaves(tree: &UseTree, path: &mut Vec<String>, found: &mut Vec<(String, Vec<String>)>) {
    let with = |path: &[String], last: String| [path, &[last]].concat();
    match tree {
        UseTree::Path(part) => {
            path.push(part.ident.to_string());
            leaves(&part.tree, path, found);
            path.pop();
        }
        UseTree::Name(name) if name.ident == "self" => {
            found.push((path.last().cloned().unwrap_or_default(), path.clone()));
        }
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            found.push((name.clone(), with(path, name)));
        }
        UseTree::Rename(renamed) if renamed.ident == "self" => {
            found.push((renamed.rename.to_string(), path.clone()));
        }
        UseTree::Rename(renamed) => {
            found.push((renamed.rename.to_string(), with(path, renamed.ident.to_string())));
        }
        UseTree::Glob(_) => found.push(("*".to_owned(), path.clone())),
        UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, path, found)),
    }
}

/// What a walk through a file collects.
#[derive(Default)]
struct Visitor {
    uses: Vec<ItemUse>,
    children: BTreeSet<String>,
    functions: Vec<Function>,
    types: Vec<Type>,
    traits: Vec<String>,
    aliases: Vec<(String, usize)>,
    inherent: Vec<Inherent>,
    implemented: Vec<String>,
    silences: Vec<Silence>,
    constants: Vec<RangeInclusive<usize>>,
    tests_elsewhere: Vec<usize>,
    inside: Option<String>,
}

impl Visitor {
    fn function(&mut self, public: bool, signature: &Signature, block: &syn::Block) {
        let line = line_of(signature.span());
        let end = block.brace_token.span.close().end().line;
        self.functions.push(Function {
            name: signature.ident.to_string(),
            line,
            lines: end - line + 1,
            inputs: signature.inputs.to_token_stream().to_string(),
            of: self.inside.clone(),
            public,
        });
    }

    fn kind(&mut self, name: &syn::Ident, attributes: &[Attribute], open: bool) {
        let derives = attributes.iter().filter(|attribute| attribute.path().is_ident("derive"));
        let derives: Vec<String> = derives.flat_map(words).collect();
        let line = line_of(name.span());
        self.types.push(Type { name: name.to_string(), line, derives: derives.join(" "), open });
    }
}

impl<'ast> Visit<'ast> for Visitor {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.uses.push(item.clone());
        visit::visit_item_use(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.children.insert(item.ident.to_string());
        visit::visit_item_mod(self, item);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(is_public(&item.vis), &item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(is_public(&item.vis), &item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(true, &item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if let Some((_, name, _)) = &item.trait_ {
            self.implemented.extend(name.segments.last().map(|part| part.ident.to_string()));
        } else if let syn::Type::Path(of) = &*item.self_ty {
            let functions = item.items.iter().filter_map(|item| match item {
                syn::ImplItem::Fn(function) => Some(function.sig.ident.to_string()),
                _ => None,
            });
            let mut calls = BTreeSet::new();
            item.items.iter().for_each(|item| own_calls(item.to_token_stream(), &mut calls));
            self.inherent.push(Inherent {
                of: of.path.segments.iter().map(|part| part.ident.to_string()).collect(),
                functions: functions.collect(),
                calls,
            });
        }
        let of = item.self_ty.to_token_stream().to_string();
        let outer = self.inside.replace(of);
        visit::visit_item_impl(self, item);
        self.inside = outer;
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        if is_public(&item.vis) {
            self.traits.push(item.ident.to_string());
        }
        visit::visit_item_trait(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.aliases.push((item.ident.to_string(), line_of(item.ident.span())));
        visit::visit_item_type(self, item);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        let open = item.fields.iter().any(|field| !matches!(field.vis, Visibility::Inherited));
        self.kind(&item.ident, &item.attrs, open);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.constants.push(line_of(item.span())..=item.span().end().line);
        visit::visit_item_const(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.kind(&item.ident, &item.attrs, true);
        visit::visit_item_enum(self, item);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        let line = line_of(attribute.span());
        if asks_for_test(attribute) {
            self.tests_elsewhere.push(line);
        }
        if attribute.path().is_ident("allow") || attribute.path().is_ident("expect") {
            let mut words = words(attribute);
            let reason = words.iter().position(|word| word == "reason");
            words.truncate(reason.unwrap_or(words.len()));
            let lints = words.join("");
            let lints = lints.split(',').filter(|lint| !lint.is_empty()).map(str::to_owned);
            let silence = Silence { line, lints: lints.collect(), reason: reason.is_some() };
            self.silences.push(silence);
        }
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}
